// The hub's REST API over its administration socket, for the commands of one call each: it blocks.
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"
#include "http/message.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace berth::app {

enum class HubClientErrc {
    unreachable = 1,  // nobody listens, or the hub does not answer in time
    not_admitted,     // it answers, but this account is no administrator's
    nothing_there,    // 404
    refused,          // any other refusal; the message is the hub's
};
std::string_view text_of(HubClientErrc reason);
BERTH_ERROR_CATEGORY(HubClientErrc, "hub_client")
int exit_code_of(const Error& error);

class HubClient {
public:
    explicit HubClient(std::string socket, std::chrono::seconds patience = std::chrono::seconds{60})
        : socket_(std::move(socket)), patience_(patience) {}

    // `path` below /hub/api: "/users/ann". The answer's document; null when it has none.
    Result<json::value> get(const std::string& path) const { return send(http::Method::get, path, nullptr); }
    Result<json::value> send(http::Method method, const std::string& path, const json::value& body) const;
    // Every page of a list.
    Result<json::array> list(const std::string& path) const;
    const std::string& socket() const { return socket_; }

private:
    std::string socket_;
    std::chrono::seconds patience_;
};

// One path segment, escaped.
std::string segment(std::string_view text);

}  // namespace berth::app
