#include "identity/impl/unicode.hpp"

#include "base/assert.hpp"

#include <wchar.h>   // NOLINT(modernize-deprecated-headers): the POSIX functions with a locale are here
#include <wctype.h>  // NOLINT(modernize-deprecated-headers)

#include <algorithm>
#include <array>
#include <clocale>

namespace berth::identity {

namespace {

locale_t unicode_locale() {
    static const locale_t locale = [] {
        const locale_t wanted =
            ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);  // built into glibc since 2.35
        BERTH_ASSERT(wanted != nullptr);
        return wanted;
    }();
    return locale;
}

wint_t wide(char32_t character) {
    return static_cast<wint_t>(character);
}

struct Range {
    char32_t first;
    char32_t last;
};

// Unicode 14, general categories Cc, Cf, Co, Cs, Zl, Zp.
constexpr Range kControlOrFormat[] = {
    {0x0000, 0x001F},     {0x007F, 0x009F},   {0x00AD, 0x00AD},   {0x0600, 0x0605},   {0x061C, 0x061C},
    {0x06DD, 0x06DD},     {0x070F, 0x070F},   {0x0890, 0x0891},   {0x08E2, 0x08E2},   {0x180E, 0x180E},
    {0x200B, 0x200F},     {0x2028, 0x202E},   {0x2060, 0x2064},   {0x2066, 0x206F},   {0xD800, 0xF8FF},
    {0xFEFF, 0xFEFF},     {0xFFF9, 0xFFFB},   {0x110BD, 0x110BD}, {0x110CD, 0x110CD}, {0x13430, 0x13438},
    {0x1BCA0, 0x1BCA3},   {0x1D173, 0x1D17A}, {0xE0001, 0xE0001}, {0xE0020, 0xE007F}, {0xF0000, 0xFFFFD},
    {0x100000, 0x10FFFD},
};

// One letter for each of U+00C0 to U+017F; '.' where NFKD leaves no single ASCII letter.
constexpr std::string_view kPlainLatin =
    "AAAAAA.CEEEEIIII.NOOOOO..UUUUY..aaaaaa.ceeeeiiii.nooooo..uuuuy.y"
    "AaAaAaCcCcCcCcDd..EeEeEeEeEeGgGgGgGgHh..IiIiIiIiI...JjKk.LlLlLl."
    "...NnNnNn...OoOoOo..RrRrRrSsSsSsSsTtTt..UuUuUuUuUuUuWwYyYZzZzZzs";
static_assert(kPlainLatin.size() == 0x180 - 0xC0);

}  // namespace

std::u32string decode_utf8(std::string_view valid_utf8) {
    std::u32string text;
    text.reserve(valid_utf8.size());
    for (std::size_t at = 0; at < valid_utf8.size();) {
        const auto lead = static_cast<unsigned char>(valid_utf8[at]);
        const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        constexpr std::array<unsigned, 5> kLeadBits{0, 0x7f, 0x1f, 0x0f, 0x07};
        char32_t character = lead & kLeadBits[length];
        for (std::size_t next = 1; next < length && at + next < valid_utf8.size(); ++next)
            character = (character << 6U) | (static_cast<unsigned char>(valid_utf8[at + next]) & 0x3fU);
        text += character;
        at += length;
    }
    return text;
}

void append_utf8(std::string& text, char32_t character) {
    const auto byte = [&](char32_t bits) { text += static_cast<char>(static_cast<unsigned char>(bits)); };
    const auto tail = [&](unsigned shift) { byte(0x80U | ((character >> shift) & 0x3fU)); };
    if (character < 0x80) {
        byte(character);
    } else if (character < 0x800) {
        byte(0xc0U | (character >> 6U));
        tail(0);
    } else if (character < 0x10000) {
        byte(0xe0U | (character >> 12U));
        tail(6);
        tail(0);
    } else {
        byte(0xf0U | (character >> 18U));
        tail(12);
        tail(6);
        tail(0);
    }
}

char32_t lower_of(char32_t character) {
    return static_cast<char32_t>(::towlower_l(wide(character), unicode_locale()));
}

bool is_space(char32_t character) {
    return character == 0xA0 || character == 0x2007 ||
           character == 0x202F ||  // which glibc keeps from breaking
           ::iswspace_l(wide(character), unicode_locale()) != 0;
}

bool is_control_or_format(char32_t character) {
    const auto* const after = std::upper_bound(
        std::begin(kControlOrFormat),
        std::end(kControlOrFormat),
        character,
        [](char32_t value, const Range& range) { return value < range.first; });
    return after != std::begin(kControlOrFormat) && character <= std::prev(after)->last;
}

bool is_graphic(char32_t character) {
    return ::iswgraph_l(wide(character), unicode_locale()) != 0 && !is_control_or_format(character) &&
           !is_space(character);
}

bool is_mark(char32_t character) {
    return character >= 0x300 && character < 0x370;
}

char32_t without_mark(char32_t character) {
    if (character < 0xC0 || character >= 0x180) return character;
    const char plain = kPlainLatin[character - 0xC0];
    return plain == '.' ? character : static_cast<char32_t>(plain);
}

}  // namespace berth::identity
