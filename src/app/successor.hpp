// The program that takes the hub's place without anybody noticing: the one installed now at the path we were
// started from, with our arguments. It keeps our process id and our listening sockets, so whoever asks
// something meanwhile waits for its answer; notebooks go on through the proxy, which it adopts.
#pragma once

#include "async/awaitable.hpp"
#include "async/blocking_pool.hpp"
#include "base/result.hpp"

#include <string>
#include <vector>

namespace berth::app {

enum class SuccessorErrc { unfit = 1 };
std::string_view text_of(SuccessorErrc reason);
BERTH_ERROR_CATEGORY(SuccessorErrc, "successor")

class Successor {
public:
    Successor();

    // Does it run, is its configuration fine, does it know our database? Asks it (`serve … --check`). Error:
    // unfit, with what it said; then nothing has changed.
    awaitable<Result<void>> check();
    // Puts it in our place. Returns only when that failed: the exit code.
    int take_over() const;

    bool wanted = false;

private:
    BlockingPool pool_{1, 1};
    std::string program_;
    std::vector<std::string> arguments_;  // argv, ours
};

}  // namespace berth::app
