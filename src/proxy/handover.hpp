// Another program takes this proxy's place and no connection is lost (SIGUSR2, as in nginx): the one
// installed now at the path that we were started from, with our arguments, our environment and our listening
// sockets. When it serves we accept no more, and end with our last connection.
#pragma once

#include "async/awaitable.hpp"
#include "base/result.hpp"
#include "net/inherited.hpp"

#include <string>
#include <vector>

namespace berth::proxy {

enum class HandoverErrc { not_started = 1 };
std::string_view text_of(HandoverErrc reason);
BERTH_ERROR_CATEGORY(HandoverErrc, "proxy_handover")

// What a proxy that only ends its last connections calls itself (/proc/PID/comm), so that nobody takes it for
// the one that serves.
inline constexpr const char* kDrainingName = "berth-draining";
inline constexpr const char* kStartingName = "berth-starting";  // and one that does not serve yet
// One whose successor did not come goes on under this name and how often that was: whoever asked for the
// successor sees the refusal there.
inline constexpr const char* kKeptName = "berth-kept-";
std::string kept_name(unsigned refusals);

class Handover {
public:
    Handover();  // reads our path and arguments: made before a package can have replaced the file

    // Starts it and waits until it serves; `sockets` are copied for it and closed here. Answers its pid.
    // Error: not_started, with the reason; then, and after cancellation, no process of it is left.
    awaitable<Result<int>> start(std::vector<net::PassedSocket> sockets) const;

private:
    std::string program_;
    std::vector<std::string> arguments_;
};

// Ends one that start() answered, and waits for it.
void end_successor(int pid);

// In the program that was started so, first thing and when it serves: the one before may go then. Otherwise
// nothing.
void begin_as_successor();
void tell_predecessor();

}  // namespace berth::proxy
