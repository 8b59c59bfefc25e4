// `berth proxy`: the data plane as a process of its own (design §2). It outlives the hub: routes are in its
// memory and, with --routes-file, survive itself.
#pragma once

#include "proxy/options.hpp"

namespace berth::proxy {

// Runs until SIGTERM or SIGINT. 1: it could not start, and stderr says why and what to do. 2: ended by a
// signal, as configurable-http-proxy.
int run(const ProxyOptions& options);

}  // namespace berth::proxy
