#include "hub/kernels.hpp"

#include "base/json.hpp"
#include "http/client.hpp"

namespace berth::hub {
namespace {

constexpr std::size_t kMostBody = 1024 * 1024;

http::ClientRequest question(const std::string& prefix, std::string_view what, const Secret& token) {
    http::ClientRequest request;
    request.target = prefix;
    request.target.append("api/").append(what).append("?no_track_activity=1");
    request.headers = {{"Authorization", "token " + token.reveal()}, {"Accept", "application/json"}};
    return request;
}

void add(KernelsSeen& seen, std::string_view list) {
    const auto parsed = parse_json(list);
    const auto* entries = parsed ? parsed->if_array() : nullptr;
    if (entries == nullptr) return;
    for (const auto& each : *entries) {
        const auto* entry = each.if_object();
        if (entry == nullptr) continue;
        seen.busy |= string_at(*entry, "execution_state") == "busy";
        const auto at = parse_rfc3339(string_at(*entry, "last_activity").value_or(""));
        if (at && (!seen.latest || *at > *seen.latest)) seen.latest = at;
    }
}

}  // namespace

KernelsSeen kernels_in(std::string_view kernels, std::string_view terminals) {
    KernelsSeen seen;
    add(seen, kernels);
    add(seen, terminals);
    return seen;
}

awaitable<Result<KernelsSeen>> ask_kernels(
    std::string url, std::string prefix, Secret token, Deadline deadline) {
    BERTH_CO_TRY(const auto parsed, net::parse_http_url(url));
    http::Client client(parsed.endpoint, kMostBody, 1);
    auto about_kernels = question(prefix, "kernels", token);
    BERTH_CO_TRY(const auto kernels, co_await client.send(std::move(about_kernels), deadline));
    if (kernels.status != 200)
        co_return Error{
            http::ClientErrc::malformed_response, "api/kernels answered " + std::to_string(kernels.status)};
    auto about_terminals = question(prefix, "terminals", token);
    BERTH_CO_TRY(const auto terminals, co_await client.send(std::move(about_terminals), deadline));
    co_return kernels_in(kernels.body, terminals.status == 200 ? terminals.body : "");
}

}  // namespace berth::hub
