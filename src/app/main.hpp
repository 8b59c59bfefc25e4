// argv -> app: the command line of `berth`.
#pragma once

namespace berth::app {

// Returns the process's exit code: see admin/exit_codes.hpp.
int run(int argc, char** argv);

}  // namespace berth::app
