// The escapings that JupyterHub's clients compare byte for byte (hub-protocol §2.4, §16).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth {

// Percent-encodes UTF-8, keeping A-Z a-z 0-9 _ . - ~ @: names in URL paths.
std::string url_escape_path(std::string_view name);
// Python's quote(name): keeps A-Z a-z 0-9 _ . - ~ and "/": client ids and cookie names.
std::string quote(std::string_view name);
// For a query value: everything but A-Z a-z 0-9 _ . - ~ is encoded.
std::string url_escape_query(std::string_view value);
// Empty when a '%' is not followed by two hex digits.
std::optional<std::string> percent_decode(std::string_view text);
// application/x-www-form-urlencoded: '+' is a space, undecodable escapes stay as they are, and what is not
// UTF-8 becomes U+FFFD (WHATWG URL §5.1).
std::string form_decode(std::string_view text);

// DockerSpawner's injective escape: [a-z0-9] kept, every other byte '-' and two hex digits.
std::string container_escape(std::string_view name);

std::string to_lower_ascii(std::string_view text);
std::string_view trim(std::string_view text);  // spaces and tabs
std::vector<std::string_view> split(std::string_view text, char separator);
bool equals_ignoring_case(std::string_view a, std::string_view b);
bool is_valid_utf8(std::string_view text);
// With U+FFFD for every byte that belongs to no character: what is shown or sent as JSON must be UTF-8.
std::string utf8_or_replaced(std::string text);
std::string html_escape(std::string_view text);
// Cuts to at most `limit` bytes at a character boundary, adding "…" when it cut.
std::string ellipsized(std::string_view text, std::size_t limit);
// "1 GPU", "3 GPUs".
std::string counted(std::size_t count, std::string_view noun);
// "ann, bob and 3 more": `most` of them, and how many there are besides.
std::string listed(const std::vector<std::string>& names, std::size_t most);
// The one of `known` with the smallest edit distance to `word`, when it is near enough to be meant.
std::optional<std::string> nearest_name(std::string_view word, const std::vector<std::string>& known);

}  // namespace berth
