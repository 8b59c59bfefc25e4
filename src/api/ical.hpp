// A calendar feed (RFC 5545): events as VEVENT lines, escaped and folded. Pure.
#pragma once

#include "base/units.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace berth::api {

struct CalendarEvent {
    std::string uid;  // the same for the same event, for ever
    std::string summary;
    std::string description;  // "" none
    Timestamp begin{};
    Timestamp end{};
};

// Texts may hold anything; what is no text in a calendar (control characters) is left out. `stamp`: when this
// was said.
std::string calendar_of(std::string_view name, const std::vector<CalendarEvent>& events, Timestamp stamp);

// One content line with its CRLF, in pieces of at most 75 octets that end between characters (§3.1).
std::string folded(std::string_view line);
// The value of a TEXT property (§3.3.11).
std::string calendar_text(std::string_view text);

}  // namespace berth::api
