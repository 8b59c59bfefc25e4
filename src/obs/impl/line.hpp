// How a record looks, as text and as JSON. Pure. Private to obs/.
#pragma once

#include "base/units.hpp"
#include "obs/log.hpp"

#include <string>

namespace berth::log {

// 2026-01-02T03:04:05.678901Z info  server.started user=ann took_seconds=3.2
std::string text_line(Level level, std::string_view event, Fields fields, Timestamp at);
// {"time":"…","level":"info","event":"server.started","user":"ann","took_seconds":3.2}
std::string json_line(Level level, std::string_view event, Fields fields, Timestamp at);

}  // namespace berth::log
