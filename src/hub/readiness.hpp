// Waits until a started server answers. Watched for, not polled slowly: while the port is closed a connection
// is refused at once, so trying is cheap; once it is open a single request waits for the answer.
#pragma once

#include "async/deadline.hpp"
#include "base/result.hpp"

#include <string>

namespace berth::hub {

// GET {url}{prefix}api until any answer below 500 (hub-protocol §9.4). Error: HubErrc::not_ready_in_time,
// which says what was seen last.
awaitable<Result<void>> wait_until_ready(std::string url, std::string prefix, Deadline deadline);

}  // namespace berth::hub
