#include "identity/names.hpp"

#include "base/assert.hpp"
#include "base/text.hpp"
#include "identity/impl/unicode.hpp"

#include <algorithm>

namespace berth::identity {

namespace {

constexpr std::size_t kMostBytes = 255;

// "." and "%2e" as often as one likes.
bool only_dots(std::string_view name) {
    while (!name.empty()) {
        if (name.front() == '.')
            name.remove_prefix(1);
        else if (name.size() >= 3 && name[0] == '%' && name[1] == '2' && (name[2] == 'e' || name[2] == 'E'))
            name.remove_prefix(3);
        else
            return false;
    }
    return true;
}

// `what` begins the sentence: "A user name".
Result<void> check_name(std::string_view name, const std::string& what) {
    if (name.empty()) return Error{NameErrc::empty, what + " may not be empty."};
    if (name.size() > kMostBytes) return Error{NameErrc::too_long, what + " may have at most 255 bytes."};
    if (!is_valid_utf8(name)) return Error{NameErrc::not_utf8, what + " must be UTF-8."};
    if (name.find('/') != std::string_view::npos)
        return Error{NameErrc::slash, what + " may not contain '/'."};
    const auto characters = decode_utf8(name);
    if (is_space(characters.front()) || is_space(characters.back()))
        return Error{NameErrc::surrounding_space, what + " may not begin or end with a space."};
    if (std::any_of(characters.begin(), characters.end(), is_control_or_format))
        return Error{NameErrc::control_character, what + " may not contain control characters."};
    if (only_dots(name)) return Error{NameErrc::dots_only, what + " may not consist of dots."};
    return {};
}

bool has_escape(std::string_view name) {
    const auto hex = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    };
    for (std::size_t at = 0; at + 2 < name.size(); ++at)
        if (name[at] == '%' && hex(name[at + 1]) && hex(name[at + 2])) return true;
    return false;
}

bool is_slug_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

}  // namespace

std::string_view text_of(NameErrc reason) {
    switch (reason) {
        case NameErrc::empty:
            return "name empty";
        case NameErrc::too_long:
            return "name too long";
        case NameErrc::not_utf8:
            return "name is not UTF-8";
        case NameErrc::slash:
            return "name contains a slash";
        case NameErrc::surrounding_space:
            return "name begins or ends with a space";
        case NameErrc::control_character:
            return "name contains a control character";
        case NameErrc::dots_only:
            return "name consists of dots";
        case NameErrc::percent_escape:
            return "name contains a percent escape";
        case NameErrc::bad_server_name:
            return "invalid server name";
        case NameErrc::bad_display_name:
            return "invalid display name";
    }
    return "unknown";
}

std::string to_lower(std::string_view text) {
    if (!is_valid_utf8(text)) return to_lower_ascii(text);
    std::string lower;
    for (const auto character : decode_utf8(text))
        append_utf8(lower, lower_of(character));
    return lower;
}

Result<UserName> user_name(std::string_view text) {
    auto name = to_lower(text);
    BERTH_CHECK(check_name(name, "A user name"));
    return UserName(std::move(name));
}

Result<GroupName> group_name(std::string_view text) {
    BERTH_CHECK(check_name(text, "A group name"));
    return GroupName(std::string(text));
}

Result<ServiceName> service_name(std::string_view text) {
    BERTH_CHECK(check_name(text, "A service name"));
    if (has_escape(text))
        return Error{NameErrc::percent_escape, "A service name may not contain percent escapes."};
    return ServiceName(std::string(text));
}

Result<ServerName> server_name(std::string_view text) {
    if (text.empty()) return ServerName();
    const bool characters =
        std::all_of(text.begin(), text.end(), [](char c) { return is_slug_character(c) || c == '-'; });
    const bool letter_first = text.front() >= 'a' && text.front() <= 'z';
    if (text.size() > 30 || !characters || !letter_first || text.back() == '-' ||
        text.find("--") != std::string_view::npos)
        return Error{NameErrc::bad_server_name, "Invalid server_name: " + ellipsized(quote(text), 200)};
    return ServerName(std::string(text));
}

Result<std::string> display_name(std::string_view text) {
    const Error bad{
        NameErrc::bad_display_name,
        "Invalid display_name: 1 to 255 printable characters, single spaces only between them"};
    if (text.empty() || text.size() > 4 * 255 || !is_valid_utf8(text)) return bad;
    const auto characters = decode_utf8(text);
    if (characters.size() > 255 || characters.front() == ' ' || characters.back() == ' ') return bad;
    for (std::size_t at = 0; at < characters.size(); ++at) {
        const bool inner_space = characters[at] == ' ' && characters[at - 1] != ' ';
        if (!inner_space && !is_graphic(characters[at])) return bad;
    }
    return std::string(text);
}

std::string slug_of(std::string_view display_name) {
    std::string slug;
    if (!is_valid_utf8(display_name)) return slug;
    for (const auto character : decode_utf8(display_name)) {
        const auto plain = lower_of(without_mark(character));
        if (is_mark(plain)) continue;
        const bool keep = plain < 0x80 && is_slug_character(static_cast<char>(plain));
        if (keep)
            slug += static_cast<char>(plain);
        else if (!slug.empty() && slug.back() != '-')
            slug += '-';
    }
    if (slug.empty()) return slug;
    if (slug.front() < 'a' || slug.front() > 'z') slug = "x-" + slug;
    slug.resize(std::min<std::size_t>(slug.size(), 30));
    while (!slug.empty() && slug.back() == '-')
        slug.pop_back();
    return slug;
}

std::string for_log(std::string_view name) {
    const auto valid = is_valid_utf8(name);
    if (!valid) return "(not UTF-8)";
    const auto characters = decode_utf8(name);
    if (characters.size() <= 32) return std::string(name);
    std::string cut;
    for (std::size_t at = 0; at < 32; ++at)
        append_utf8(cut, characters[at]);
    return cut + "…";
}

}  // namespace berth::identity
