// Server-sent events (HTML Living Standard §9.2), as both of the hub's streams write them.
#pragma once

#include "base/json.hpp"
#include "http/message.hpp"

#include <chrono>
#include <string>

namespace berth::api {

inline constexpr std::chrono::seconds kKeepAlive{8};  // a stream is never silent for longer

inline std::string event_of(const json::object& event) {
    return "data: " + json::serialize(event) + "\n\n";
}

// What such an answer begins with; its `stream` is the caller's.
inline http::Response event_stream() {
    http::Response response;
    response.headers.add("Content-Type", "text/event-stream");
    response.headers.add("Cache-Control", "no-cache");
    response.headers.add("X-Accel-Buffering", "no");  // nginx in front passes events on at once
    return response;
}

}  // namespace berth::api
