#include "http/impl/wire.hpp"

#include "base/text.hpp"
#include "http/impl/characters.hpp"

#include <array>
#include <charconv>

namespace berth::http {
namespace {

void append_number(std::string& out, std::uint64_t number, int base = 10) {
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, base).ptr;
    out.append(digits.data(), end);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ");
    const auto begin = out.size();
    out.append(value);
    if (has_control(value)) {
        for (auto i = begin; i < out.size(); ++i) {
            if (is_control(out[i])) out[i] = ' ';
        }
    }
    out.append("\r\n");
}

bool is_ours(std::string_view name) {
    switch (name.size()) {
        case 4:
            return equals_ignoring_case(name, "host");
        case 7:
            return equals_ignoring_case(name, "trailer") || equals_ignoring_case(name, "upgrade");
        case 10:
            return equals_ignoring_case(name, "connection") || equals_ignoring_case(name, "keep-alive");
        case 14:
            return equals_ignoring_case(name, "content-length");
        case 17:
            return equals_ignoring_case(name, "transfer-encoding");
        default:
            return false;
    }
}

void append_fields(std::string& out, const Headers& headers, BodyFraming body) {
    for (const auto& [name, value] : headers) {
        if (!is_ours(name)) append_field(out, name, value);
    }
    if (body.kind == BodyKind::length) {
        out.append("Content-Length: ");
        append_number(out, body.length);
        out.append("\r\n");
    } else if (body.kind == BodyKind::chunked) {
        out.append("Transfer-Encoding: chunked\r\n");
    }
}

}  // namespace

void append_response_head(
    std::string& out, unsigned status, const Headers& headers, BodyFraming body, ConnectionOption option) {
    out.append("HTTP/1.1 ");
    append_number(out, status);
    out.append(" ").append(reason_phrase(status)).append("\r\n");
    append_fields(out, headers, body);
    if (option == ConnectionOption::close) out.append("Connection: close\r\n");
    if (option == ConnectionOption::keep_alive) out.append("Connection: keep-alive\r\n");
    out.append("\r\n");
}

void append_request_head(
    std::string& out,
    Method method,
    std::string_view target,
    std::string_view host,
    const Headers& headers,
    BodyFraming body) {
    out.append(name_of(method)).append(" ").append(target).append(" HTTP/1.1\r\n");
    append_field(out, "Host", host);
    append_fields(out, headers, body);
    out.append("\r\n");
}

std::string chunk_size_line(std::size_t bytes) {
    std::string line;
    append_number(line, bytes, 16);
    line.append("\r\n");
    return line;
}

Headers headers_of(const std::vector<FieldView>& fields) {
    Headers headers;
    headers.reserve(fields.size());
    for (const auto& [name, value] : fields)
        headers.add(std::string(name), std::string(value));
    return headers;
}

}  // namespace berth::http
