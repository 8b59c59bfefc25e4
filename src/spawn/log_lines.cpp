#include "spawn/log_lines.hpp"

#include "base/text.hpp"

namespace berth::spawn {
namespace {

// Length of the terminal's control sequence that begins at text[i] (ECMA-48 §5.4), or 0.
std::size_t control_sequence(std::string_view text, std::size_t i) {
    if (text[i] != '\x1b') return 0;
    if (i + 1 >= text.size() || text[i + 1] != '[') return 1;
    std::size_t end = i + 2;
    while (end < text.size() && (text[end] < '@' || text[end] > '~'))
        ++end;
    return (end < text.size() ? end + 1 : end) - i;
}

std::string printable(std::string_view line) {
    std::string out;
    for (std::size_t i = 0; i < line.size();) {
        if (const auto skipped = control_sequence(line, i)) {
            i += skipped;
            continue;
        }
        const auto byte = static_cast<unsigned char>(line[i++]);
        if (byte == '\t')
            out += ' ';
        else if (byte >= 0x20 && byte != 0x7F)
            out += static_cast<char>(byte);
    }
    if (is_valid_utf8(out)) return out;
    for (auto& c : out) {
        if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    }
    return out;
}

}  // namespace

std::string last_lines(std::string_view log, std::size_t most_lines, std::size_t most_bytes) {
    std::string out;
    std::size_t lines = 0;
    while (!log.empty() && lines < most_lines) {
        const auto newline = log.rfind('\n');
        const auto line = newline == std::string_view::npos ? log : log.substr(newline + 1);
        log = newline == std::string_view::npos ? std::string_view{} : log.substr(0, newline);
        std::string text = printable(line);
        if (text.empty()) continue;
        if (out.size() + text.size() + 1 > most_bytes) {
            if (out.empty()) out = ellipsized(text, most_bytes - 4);
            break;
        }
        out = out.empty() ? text : text + "\n" + out;
        ++lines;
    }
    return out;
}

}  // namespace berth::spawn
