// Bodies of HTML forms (WHATWG URL §5.1; RFC 7578 for multipart/form-data).
#include "base/text.hpp"
#include "http/message.hpp"

namespace berth::http {
namespace {

constexpr std::size_t kMaxParts = 1000;

std::string_view media_type(std::string_view content_type) {
    return trim(content_type.substr(0, content_type.find(';')));
}

// The parameter of a header like `form-data; name="a \"b\""; filename=x`; quoted pairs are resolved.
std::optional<std::string> parameter(std::string_view header, std::string_view wanted) {
    std::size_t at = header.find(';');
    while (at != std::string_view::npos && at < header.size()) {
        const auto equals = header.find('=', at + 1);
        if (equals == std::string_view::npos) return std::nullopt;
        const auto name = trim(header.substr(at + 1, equals - at - 1));
        std::string value;
        std::size_t i = equals + 1;
        if (i < header.size() && header[i] == '"') {
            for (++i; i < header.size() && header[i] != '"'; ++i) {
                const bool pair = header[i] == '\\' && i + 1 < header.size() &&
                                  (header[i + 1] == '"' || header[i + 1] == '\\');
                if (pair) ++i;
                value += header[i];
            }
            if (i >= header.size()) return std::nullopt;
            at = header.find(';', i);
        } else {
            at = header.find(';', i);
            value = trim(header.substr(i, at == std::string_view::npos ? at : at - i));
        }
        if (equals_ignoring_case(name, wanted)) return value;
    }
    return std::nullopt;
}

// Browsers write a quote in a name as %22 and line ends as %0D and %0A (WHATWG HTML §4.10.21.8).
std::string unescape_name(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto escape = text.substr(i, 3);
        const char plain = escape == "%22" ? '"' : escape == "%0D" ? '\r' : escape == "%0A" ? '\n' : '\0';
        out += plain == '\0' ? text[i] : plain;
        if (plain != '\0') i += 2;
    }
    return out;
}

std::vector<FormField> parse_urlencoded(std::string_view body) {
    std::vector<FormField> fields;
    for (const auto pair : split(body, '&')) {
        if (pair.empty()) continue;
        const auto equals = pair.find('=');
        FormField field;
        field.name = form_decode(pair.substr(0, equals));
        if (equals != std::string_view::npos) field.value = form_decode(pair.substr(equals + 1));
        fields.push_back(std::move(field));
    }
    return fields;
}

// One part: its header lines, an empty line, its content.
std::optional<FormField> parse_part(std::string_view part) {
    std::string_view disposition;
    for (;;) {
        const auto end = part.find("\r\n");
        if (end == std::string_view::npos) return std::nullopt;
        const auto line = part.substr(0, end);
        part.remove_prefix(end + 2);
        if (line.empty()) break;
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) return std::nullopt;
        if (equals_ignoring_case(line.substr(0, colon), "Content-Disposition"))
            disposition = trim(line.substr(colon + 1));
    }
    const auto name = parameter(disposition, "name");
    if (!equals_ignoring_case(media_type(disposition), "form-data") || !name) return std::nullopt;
    FormField field;
    field.name = utf8_or_replaced(unescape_name(*name));
    const bool is_file = parameter(disposition, "filename").has_value();  // may hold any bytes
    field.value = is_file ? std::string(part) : utf8_or_replaced(std::string(part));
    field.file_name = utf8_or_replaced(unescape_name(parameter(disposition, "filename").value_or("")));
    return field;
}

std::optional<std::vector<FormField>> parse_multipart(std::string_view body, std::string_view boundary) {
    const std::string first = "--" + std::string(boundary);
    const std::string next = "\r\n" + first;
    std::vector<FormField> fields;
    if (!body.starts_with(first)) {  // a preamble may come before it
        const auto begin = body.find(next);
        if (begin == std::string_view::npos) return std::nullopt;
        body.remove_prefix(begin + 2);
    }
    body.remove_prefix(first.size());
    while (!body.starts_with("--")) {
        const auto line_end = body.find("\r\n");  // padding after the boundary
        if (line_end == std::string_view::npos || !trim(body.substr(0, line_end)).empty())
            return std::nullopt;
        body.remove_prefix(line_end + 2);
        // An empty content still has the line end of its header's empty line before the boundary.
        const auto end = body.find(next);
        if (end == std::string_view::npos || fields.size() >= kMaxParts) return std::nullopt;
        auto field = parse_part(body.substr(0, end));
        if (!field) return std::nullopt;
        fields.push_back(std::move(*field));
        body.remove_prefix(end + next.size());
    }
    return fields;
}

}  // namespace

std::optional<std::vector<FormField>> parse_form(const Request& request) {
    const auto type = request.headers.find("Content-Type").value_or("");
    if (equals_ignoring_case(media_type(type), "application/x-www-form-urlencoded")) {
        return parse_urlencoded(request.body);
    }
    if (!equals_ignoring_case(media_type(type), "multipart/form-data")) return std::nullopt;
    const auto boundary = parameter(type, "boundary");
    if (!boundary || boundary->empty() || boundary->size() > 70) return std::nullopt;
    return parse_multipart(request.body, *boundary);
}

std::optional<std::string> form_value(const std::vector<FormField>& form, std::string_view name) {
    for (const auto& field : form) {
        if (field.name == name) return field.value;
    }
    return std::nullopt;
}

}  // namespace berth::http
