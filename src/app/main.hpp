// argv -> app: the command line of `berth`.
#pragma once

namespace berth::app {

// Returns the process's exit code: 0 fine, 1 failed, 64 bad usage, 78 bad configuration (sysexits.h).
int run(int argc, char** argv);

}  // namespace berth::app
