// Character classes of HTTP as tables: one load a byte, no locale (RFC 9110 §5.5, §5.6.2; RFC 9112 §3.2).
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace berth::http {

enum CharacterClass : std::uint8_t {
    token_character = 1,   // tchar
    target_character = 2,  // no space, control or '#'; obs-text passes, as browsers and servers let it
    host_character = 4,    // reg-name without ',' (RFC 3986 §3.2.2)
    control_character = 8  // all below space but the tab, and DEL
};

constexpr std::array<std::uint8_t, 256> make_character_table() {
    std::array<std::uint8_t, 256> table{};
    constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";
    constexpr std::string_view kHostMarks = "-._~%!$&'()*+;=";
    for (unsigned c = 0; c < 256; ++c) {
        const auto character = static_cast<char>(c);
        const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        unsigned classes = 0;
        if (alphanumeric || (c < 128 && kTokenMarks.find(character) != std::string_view::npos)) {
            classes |= token_character;
        }
        if (alphanumeric || (c < 128 && kHostMarks.find(character) != std::string_view::npos)) {
            classes |= host_character;
        }
        if (c > 0x20 && c != 0x7F && c != '#') classes |= target_character;
        if ((c < 0x20 && c != '\t') || c == 0x7F) classes |= control_character;
        table[c] = static_cast<std::uint8_t>(classes);
    }
    return table;
}

inline constexpr std::array<std::uint8_t, 256> kCharacters = make_character_table();

inline bool is_in(char c, CharacterClass wanted) {
    return (kCharacters[static_cast<unsigned char>(c)] & wanted) != 0;
}
inline bool is_token(char c) {
    return is_in(c, token_character);
}
inline bool is_control(char c) {
    return is_in(c, control_character);
}

inline bool any_control(std::string_view text) {
    for (const char c : text) {
        if (is_control(c)) return true;
    }
    return false;
}

// Eight bytes at a time: field values are most of a head. A tab looks like a control here; then bytes decide.
inline bool has_control(std::string_view text) {
    constexpr std::uint64_t kOnes = ~std::uint64_t{0} / 255;
    constexpr std::uint64_t kHighBits = kOnes * 0x80;
    std::size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data() + at, 8);
        const std::uint64_t below_space = (word - kOnes * 0x20) & ~word;
        const std::uint64_t differs_from_del = word ^ (kOnes * 0x7F);
        const std::uint64_t del = (differs_from_del - kOnes) & ~differs_from_del;
        if (((below_space | del) & kHighBits) != 0 && any_control(text.substr(at, 8))) return true;
    }
    return any_control(text.substr(at));
}

inline bool all_in(std::string_view text, CharacterClass wanted) {
    for (const char c : text) {
        if (!is_in(c, wanted)) return false;
    }
    return true;
}

}  // namespace berth::http
