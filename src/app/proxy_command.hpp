// The command line of `berth proxy`: configurable-http-proxy's flags bound to proxy::ProxyOptions.
#pragma once

namespace berth::app {

// argv[0] is the program's name, the flags follow. Returns the process's exit code.
int proxy_command(int argc, char** argv);

}  // namespace berth::app
