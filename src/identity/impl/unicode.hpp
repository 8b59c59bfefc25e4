// The few facts about characters that names need, from glibc's C.UTF-8 locale. Pure, thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace berth::identity {

std::u32string decode_utf8(std::string_view valid_utf8);
void append_utf8(std::string& text, char32_t character);

char32_t lower_of(char32_t character);
bool is_space(char32_t character);
bool is_control_or_format(
    char32_t character);              // Cc, Cf, surrogates, private use, line and paragraph separators
bool is_graphic(char32_t character);  // a letter, mark, number, punctuation or symbol
bool is_mark(char32_t character);     // a combining diacritical mark
// The base letter of a Latin letter with diacritics: U+00C0 to U+017F, as NFKD would split them; others as
// they are.
char32_t without_mark(char32_t character);

}  // namespace berth::identity
