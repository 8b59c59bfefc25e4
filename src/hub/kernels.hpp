// Asks a notebook server itself whether its people's work goes on: a kernel that computes in silence reports
// nothing to the hub. Asked only about servers that seem idle, straight at the server, and so that the
// question does not count as activity.
#pragma once

#include "async/deadline.hpp"
#include "base/secret.hpp"
#include "base/units.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace berth::hub {

struct KernelsSeen {
    bool busy = false;                // some kernel computes now
    std::optional<Timestamp> latest;  // when a kernel or terminal last did something
};
// Pure: the answers to GET api/kernels and GET api/terminals.
KernelsSeen kernels_in(std::string_view kernels, std::string_view terminals);

// `prefix` is the server's path, `token` one that lets its bearer in. Errors: whatever the client
// says; malformed_response when the server has no such API.
awaitable<Result<KernelsSeen>> ask_kernels(
    std::string url, std::string prefix, Secret token, Deadline deadline);

}  // namespace berth::hub
