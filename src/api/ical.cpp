#include "api/ical.hpp"

namespace berth::api {
namespace {

constexpr std::size_t kOctets = 75;

bool continues(char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

// "20260131T120000Z" of "2026-01-31T12:00:00.5Z": whole seconds.
std::string calendar_time(Timestamp time) {
    const auto whole = std::chrono::floor<std::chrono::seconds>(time);
    std::string text;
    for (const char c : format_rfc3339(whole)) {
        if (c == '.') break;
        if (c != '-' && c != ':' && c != 'Z') text += c;
    }
    return text + "Z";
}

void add(std::string& out, std::string_view name, std::string_view value) {
    std::string line(name);
    line.append(":").append(value);
    out += folded(line);
}

}  // namespace

std::string folded(std::string_view line) {
    std::string out;
    std::size_t room = kOctets;
    while (line.size() > room) {
        std::size_t cut = room;
        while (cut > 1 && continues(line[cut]))
            --cut;
        out.append(line.substr(0, cut)).append("\r\n ");
        line.remove_prefix(cut);
        room = kOctets - 1;  // the space counts
    }
    return out.append(line).append("\r\n");
}

std::string calendar_text(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\n') {
            out += "\\n";
        } else if (c == '\\' || c == ';' || c == ',') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) {
            out += c;
        }
    }
    return out;
}

std::string calendar_of(std::string_view name, const std::vector<CalendarEvent>& events, Timestamp stamp) {
    std::string out;
    add(out, "BEGIN", "VCALENDAR");
    add(out, "VERSION", "2.0");
    add(out, "PRODID", "-//Berth//GPU reservations//EN");
    add(out, "CALSCALE", "GREGORIAN");
    add(out, "METHOD", "PUBLISH");
    add(out, "NAME", calendar_text(name));
    add(out, "X-WR-CALNAME", calendar_text(name));
    for (const auto& event : events) {
        add(out, "BEGIN", "VEVENT");
        add(out, "UID", calendar_text(event.uid));
        add(out, "DTSTAMP", calendar_time(stamp));
        add(out, "DTSTART", calendar_time(event.begin));
        add(out, "DTEND", calendar_time(event.end));
        add(out, "SUMMARY", calendar_text(event.summary));
        if (!event.description.empty()) add(out, "DESCRIPTION", calendar_text(event.description));
        add(out, "TRANSP", "OPAQUE");
        add(out, "END", "VEVENT");
    }
    add(out, "END", "VCALENDAR");
    return out;
}

}  // namespace berth::api
