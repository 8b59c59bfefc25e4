// The bodies that start, make or change a server (hub-protocol §9.2, §9.8).
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"
#include "http/message.hpp"

#include <optional>
#include <string>

namespace berth::api {

struct ServerBody {
    std::optional<json::value> user_options;  // none: reuse those stored last
    std::optional<std::string> display_name;
};

// Nothing, null and {} mean "as last time"; an object with `user_options` or `display_name` is the 6.x form,
// in which other keys are dropped; any other object is the options themselves. Error: 400.
Result<ServerBody> server_body(const http::Request& request);

}  // namespace berth::api
