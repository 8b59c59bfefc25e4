#include "http/framing.hpp"

namespace berth::http {

std::string_view text_of(FramingErrc reason) {
    switch (reason) {
        case FramingErrc::head_too_large:
            return "the request line and headers are too long";
        case FramingErrc::too_many_fields:
            return "there are too many header fields";
        case FramingErrc::bare_carriage_return:
            return "a carriage return stands without its line feed";
        case FramingErrc::bare_line_feed:
            return "a line feed stands without its carriage return";
        case FramingErrc::malformed_request_line:
            return "the request line is malformed";
        case FramingErrc::malformed_status_line:
            return "the status line is malformed";
        case FramingErrc::malformed_target:
            return "the request target is malformed";
        case FramingErrc::unsupported_version:
            return "the HTTP version is neither 1.0 nor 1.1";
        case FramingErrc::malformed_field_name:
            return "a header field's name is malformed";
        case FramingErrc::malformed_field_value:
            return "a header field's value has a control character";
        case FramingErrc::ambiguous_field_name:
            return "a header field is named like one that says the length";
        case FramingErrc::obsolete_folding:
            return "a header field is folded over several lines";
        case FramingErrc::missing_host:
            return "the Host header is missing";
        case FramingErrc::several_hosts:
            return "there is more than one Host header";
        case FramingErrc::malformed_host:
            return "the Host header is malformed";
        case FramingErrc::length_with_transfer_encoding:
            return "Content-Length and Transfer-Encoding are both there";
        case FramingErrc::malformed_length:
            return "Content-Length is not a plain number";
        case FramingErrc::conflicting_lengths:
            return "there is more than one Content-Length header";
        case FramingErrc::coding_not_chunked:
            return "Transfer-Encoding is something other than chunked";
        case FramingErrc::chunked_in_http_1_0:
            return "Transfer-Encoding does not exist in HTTP/1.0";
        case FramingErrc::malformed_chunk_size:
            return "a chunk's size is malformed";
        case FramingErrc::chunk_too_large:
            return "a chunk's size is beyond any limit";
        case FramingErrc::malformed_chunk_end:
            return "a chunk does not end where its size says";
        case FramingErrc::trailers_too_large:
            return "the chunk extensions or trailers are too long";
    }
    return "unknown framing error";
}

}  // namespace berth::http
