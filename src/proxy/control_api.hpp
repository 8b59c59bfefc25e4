// configurable-http-proxy's REST API (hub-protocol §14.2): how the hub writes routes. And one question of
// Berth's own, GET /api/edge/{route}: which files of the route's image a page of Lab asks for first. Lives on
// the control thread together with the Routes it writes.
#pragma once

#include "async/awaitable.hpp"
#include "base/secret.hpp"
#include "http/message.hpp"
#include "proxy/routes.hpp"

#include <string_view>

namespace berth::proxy {

class ControlApi {
public:
    // An empty token leaves the API open. `routes` must outlive this.
    ControlApi(Routes& routes, Secret token) : routes_(routes), token_(std::move(token)) {}

    http::Response handle(const http::Request& request);

private:
    http::Response answer(const http::Request& request);
    bool is_authorized(const http::Request& request) const;
    http::Response get(const http::Request& request, std::string_view path) const;
    http::Response list(const http::Request& request) const;
    http::Response first_files(std::string_view path) const;
    http::Response post(const http::Request& request, std::string_view path);

    Routes& routes_;
    Secret token_;
};

// "2026-09-01T08:00:00.000Z", as JavaScript's toISOString writes it.
std::string iso_milliseconds(std::int64_t unix_milliseconds);

}  // namespace berth::proxy
