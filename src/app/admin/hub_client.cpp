#include "app/admin/hub_client.hpp"

#include "app/admin/exit_codes.hpp"
#include "app/run_blocking.hpp"
#include "base/text.hpp"
#include "http/client.hpp"

#include <unistd.h>

namespace berth::app {
namespace {

constexpr std::size_t kMostBytes = 256 * 1024 * 1024;
constexpr std::size_t kPage = 200;

awaitable<Result<http::ClientResponse>> ask(
    net::Endpoint hub, http::ClientRequest request, std::chrono::seconds patience) {
    http::Client client(std::move(hub), kMostBytes, 1);
    co_return co_await client.send(std::move(request), Deadline::in(patience));
}

Error unreachable(const std::string& socket, const Error& why) {
    std::string message = "No hub answers at " + socket +
                          ". Start it (berth serve, or systemctl start berth), "
                          "or name its configuration with --config or its socket with --socket.";
    if (::access(socket.c_str(), F_OK) != 0 && errno == EACCES)
        message = "You may not reach " + socket + ". Use sudo, or ask to be put into admin.group.";
    else if (::access(socket.c_str(), F_OK) == 0 && ::access(socket.c_str(), W_OK) != 0)
        message = "You may not use " + socket + ". Use sudo, or ask to be put into admin.group.";
    return Error{HubClientErrc::unreachable, message, why.message};
}

Error refusal(unsigned status, const json::value& document, const std::string& text) {
    std::string message = text;
    if (const auto* object = document.if_object()) message = string_at(*object, "message").value_or(text);
    if (message.empty()) message = "The hub answered " + std::to_string(status) + ".";
    if (status == 404) return Error{HubClientErrc::nothing_there, message};
    if (status == 403 && message == "Missing or invalid credentials.")
        return Error{
            HubClientErrc::not_admitted,
            "The hub does not know you as an administrator: only root, the account it runs as and members of "
            "admin.group may use this."};
    return Error{HubClientErrc::refused, message};
}

}  // namespace

std::string_view text_of(HubClientErrc reason) {
    switch (reason) {
        case HubClientErrc::unreachable:
            return "hub not reachable";
        case HubClientErrc::not_admitted:
            return "no administrator";
        case HubClientErrc::nothing_there:
            return "not found";
        case HubClientErrc::refused:
            return "refused";
    }
    return "unknown";
}

int exit_code_of(const Error& error) {
    if (error.is(HubClientErrc::unreachable) || error.is(HubClientErrc::not_admitted)) return kUnreachable;
    return error.is(HubClientErrc::nothing_there) ? kNothingThere : kFailed;
}

Result<json::value> HubClient::send(
    http::Method method, const std::string& path, const json::value& body) const {
    http::ClientRequest request;
    request.method = method;
    request.target = "/hub/api" + path;
    if (!body.is_null()) {
        request.headers.add("Content-Type", "application/json");
        request.body = json::serialize(body);
    }
    net::Endpoint hub;
    hub.path = socket_;
    auto answer = run_blocking(ask(std::move(hub), std::move(request), patience_));
    if (!answer) return unreachable(socket_, answer.error());
    auto document = parse_json(answer->body).value_or(nullptr);
    if (answer->status >= 400) return refusal(answer->status, document, answer->body);
    return document;
}

Result<json::array> HubClient::list(const std::string& path) const {
    json::array all;
    const char* sign = path.find('?') == std::string::npos ? "?" : "&";
    for (;;) {
        BERTH_TRY(
            auto page,
            get(path + sign + "limit=" + std::to_string(kPage) + "&offset=" + std::to_string(all.size())));
        if (!page.is_array()) return Error{HubClientErrc::refused, "The hub answered with something else."};
        const auto count = page.get_array().size();
        for (auto& item : page.get_array())
            all.push_back(std::move(item));
        if (count < kPage) return all;
    }
}

std::string segment(std::string_view text) {
    return url_escape_path(text);
}

}  // namespace berth::app
