// Heads as bytes. What says where a message ends, and Connection, come from us alone: fields of these names
// in `headers` are left out, and control characters in values become spaces, so no value can end its line.
#pragma once

#include "http/framing.hpp"
#include "http/message.hpp"

#include <string>
#include <string_view>

namespace berth::http {

enum class ConnectionOption { none, close, keep_alive };

// BodyKind::length writes Content-Length (also 0), chunked writes Transfer-Encoding, the others write
// neither.
void append_response_head(
    std::string& out, unsigned status, const Headers& headers, BodyFraming body, ConnectionOption option);
void append_request_head(
    std::string& out,
    Method method,
    std::string_view target,
    std::string_view host,
    const Headers& headers,
    BodyFraming body);
// "1f\r\n" for a chunk of 31 bytes.
std::string chunk_size_line(std::size_t bytes);
Headers headers_of(const std::vector<FieldView>& fields);

}  // namespace berth::http
