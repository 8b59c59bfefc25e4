#include "hub/readiness.hpp"

#include "base/assert.hpp"
#include "http/client.hpp"
#include "hub/errors.hpp"

#include <algorithm>

namespace berth::hub {
namespace {

using namespace std::chrono_literals;

// How long to wait before the next try: short while a start is young, so that little is added to it.
std::chrono::milliseconds pause_after(std::chrono::steady_clock::duration waited) {
    if (waited < 20s) return 4ms;
    if (waited < 60s) return 25ms;
    return 200ms;
}

}  // namespace

awaitable<Result<void>> wait_until_ready(std::string url, std::string prefix, Deadline deadline) {
    const auto parsed = net::parse_http_url(url);
    if (!parsed) co_return parsed.error();
    BERTH_ASSERT(parsed->scheme == "http");  // as every spawner gives it
    http::Client client(parsed->endpoint, 64 * 1024, 1);
    const auto begin = std::chrono::steady_clock::now();
    std::string last = "nothing answered";
    while (!deadline.passed()) {
        http::ClientRequest request;
        request.target = prefix + "api";
        auto answer = co_await client.send(std::move(request), deadline.earliest(Deadline::in(20s)));
        if (answer && answer->status < 500) co_return Result<void>{};
        if (answer)
            last = "it answered " + std::to_string(answer->status);
        else
            last = answer.error().message;
        co_await sleep_for(pause_after(std::chrono::steady_clock::now() - begin));
    }
    co_return Error{
        HubErrc::not_ready_in_time,
        "The notebook process runs, but it did not answer in time (" + last +
            "). Look at its log, or ask the administrator to raise spawn.http_timeout.",
        "GET " + url + prefix + "api: " + last};
}

}  // namespace berth::hub
