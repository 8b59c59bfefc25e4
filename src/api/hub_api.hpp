// The hub's HTTP face: every request enters here, is routed by the table (table.cpp), authenticated,
// XSRF-checked, permitted, handled, and leaves with the headers every answer has (hub-protocol §8). Built by
// app/, hub strand only.
#pragma once

#include "api/dependencies.hpp"
#include "http/server.hpp"

#include <memory>

namespace berth::api {

class HubApi {
public:
    // `hub` and all it refers to must outlive this; this must outlive the servers that call the handlers.
    explicit HubApi(Dependencies& hub);
    ~HubApi();

    // For the listener behind the proxy: everything.
    http::Handler handler();
    // For the listener that containers reach: the REST API and the token endpoint; anything else is 404.
    http::Handler handler_for_servers();
    // For the Unix socket of `berth user` and the like: the REST API, asked as whoever the kernel says is at
    // the other end; addresses are written without the base path.
    http::Handler handler_for_administrators();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace berth::api
