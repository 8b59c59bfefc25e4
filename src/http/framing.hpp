// The framing law: where a message ends is decided here, before a byte of it is acted on or forwarded, and
// the doubtful is refused (RFC 9112 §2.2, §3, §5, §6, §7.1; style §9). One reader for the hub, the proxy and
// the clients: what this accepts is what all of them see, so no two parsers can disagree about a length.
// Pure: no I/O, no clock. Views point into the caller's buffer.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace berth::http {

enum class FramingErrc {
    head_too_large = 1,
    too_many_fields,
    bare_carriage_return,
    bare_line_feed,
    malformed_request_line,
    malformed_status_line,
    malformed_target,
    unsupported_version,
    malformed_field_name,   // empty, or a character that is no token (RFC 9110 §5.6.2), or a space before ':'
    malformed_field_value,  // a control character
    ambiguous_field_name,   // Content_Length, Transfer_Encoding
    obsolete_folding,
    missing_host,
    several_hosts,
    malformed_host,
    length_with_transfer_encoding,
    malformed_length,
    conflicting_lengths,
    coding_not_chunked,  // any Transfer-Encoding other than exactly one final "chunked"
    chunked_in_http_1_0,
    malformed_chunk_size,
    chunk_too_large,
    malformed_chunk_end,
    trailers_too_large,
};
std::string_view text_of(FramingErrc reason);
BERTH_ERROR_CATEGORY(FramingErrc, "framing")

struct FieldView {
    std::string_view name;
    std::string_view value;  // without surrounding spaces and tabs
};

enum class BodyKind { none, length, chunked, until_close };

struct BodyFraming {
    BodyKind kind = BodyKind::none;
    std::uint64_t length = 0;  // for BodyKind::length
};

struct HeadLimits {
    std::size_t max_bytes = 64 * 1024;  // long OAuth states need it (hub-protocol §3.6)
    std::size_t max_fields = 200;
};

struct RequestHead {
    std::string_view method;
    std::string_view target;  // origin-form, absolute-form or "*"; no control characters or spaces
    int minor_version = 1;    // HTTP/1.0 or 1.1
    std::vector<FieldView> fields;
    BodyFraming body;
    bool keep_alive = true;
    bool upgrade = false;   // "Connection: upgrade" together with an Upgrade field
    std::size_t bytes = 0;  // length of the head with its empty line
};

struct ResponseHead {
    unsigned status = 0;
    std::string_view reason;
    int minor_version = 1;
    std::vector<FieldView> fields;
    BodyFraming body;
    bool keep_alive = true;
    std::size_t bytes = 0;
};

enum class HeadProgress { incomplete, complete };

// Reads a head at the start of `data` into `head` (reused between calls; its vectors keep their memory).
// incomplete: more bytes are needed, and what is there may still be refused. Never reads past the empty line.
Result<HeadProgress> read_request_head(std::string_view data, const HeadLimits& limits, RequestHead& head);
// `to_head_request`: the response answers HEAD, so it has no body whatever its fields say (RFC 9112 §6.3).
enum class AnswersHead { no, yes };
Result<HeadProgress> read_response_head(
    std::string_view data, const HeadLimits& limits, AnswersHead answers_head, ResponseHead& head);

std::string_view find_field(const std::vector<FieldView>& fields, std::string_view name);  // "" when absent

// Follows a chunked body through any fragmentation. It neither copies nor changes bytes.
class ChunkScanner {
public:
    struct Step {
        std::size_t consumed = 0;  // bytes of `data` that belong to the body's coding, from its start
        std::string_view payload;  // of those, the body bytes in this step (may be empty)
        bool done = false;         // the last chunk and its trailers have been consumed
    };
    // Takes a prefix of `data`; call again with the rest until `consumed` is 0 or done. Trailers are dropped:
    // a relay that passes on consumed bytes instead of payloads would pass trailers on too. An error ends the
    // body.
    Result<Step> next(std::string_view data);
    bool done() const { return state_ == State::done; }

private:
    enum class State {
        size,
        extension,
        size_lf,
        data,
        data_cr,
        data_lf,
        trailer_start,
        trailer_name,
        trailer,
        trailer_lf,
        end_lf,
        done
    };
    FramingErrc read_coding(char c);  // FramingErrc{} when the byte is right
    FramingErrc read_size(char c);
    FramingErrc in_trailer_name(char c);
    FramingErrc in_overhead(char c);
    FramingErrc go(State next_state) {
        state_ = next_state;
        return FramingErrc{};
    }

    State state_ = State::size;
    std::uint64_t left_ = 0;
    unsigned digits_ = 0;
    std::size_t overhead_ = 0;  // bytes of extensions and trailers, which are limited
};

}  // namespace berth::http
