#include "http/framing.hpp"

#include "base/text.hpp"
#include "http/impl/characters.hpp"

#include <cstring>
#include <string>

namespace berth::http {
namespace {

constexpr FramingErrc kFine{};  // the enumerators begin at 1

// What the fields say about the message as a whole; judged when the head is complete.
struct Seen {
    bool is_answer = false;  // Host says nothing there
    unsigned hosts = 0;
    unsigned lengths = 0;
    unsigned codings = 0;
    std::string_view host;
    std::string_view coding;
    std::uint64_t length = 0;
    bool close = false;
    bool keep_alive = false;
    bool upgrade_option = false;
    bool upgrade_field = false;
};

// RFC 9110 §8.6: digits only. No sign, no list, nothing beyond 2^63.
bool parse_length(std::string_view text, std::uint64_t& length) {
    if (text.empty() || text.size() > 18) return false;
    std::uint64_t value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return false;
        value = value * 10 + static_cast<unsigned>(c - '0');
    }
    length = value;
    return true;
}

void read_connection_options(std::string_view list, Seen& seen) {
    while (!list.empty()) {
        const auto comma = list.find(',');
        const auto option = trim(list.substr(0, comma));
        if (equals_ignoring_case(option, "close")) seen.close = true;
        if (equals_ignoring_case(option, "keep-alive")) seen.keep_alive = true;
        if (equals_ignoring_case(option, "upgrade")) seen.upgrade_option = true;
        if (comma == std::string_view::npos) return;
        list.remove_prefix(comma + 1);
    }
}

// A gateway of CGI's kind makes one variable of Content-Length and Content_Length, so both say a length.
FramingErrc note(const FieldView& field, Seen& seen) {
    switch (field.name.size()) {  // of the names that matter no two have one length
        case 4:
            if (seen.is_answer || !equals_ignoring_case(field.name, "host")) break;
            if (++seen.hosts > 1) return FramingErrc::several_hosts;
            seen.host = field.value;
            break;
        case 7:
            if (equals_ignoring_case(field.name, "upgrade")) seen.upgrade_field = !field.value.empty();
            break;
        case 10:
            if (equals_ignoring_case(field.name, "connection")) read_connection_options(field.value, seen);
            break;
        case 14:
            if (equals_ignoring_case(field.name, "content_length")) return FramingErrc::ambiguous_field_name;
            if (!equals_ignoring_case(field.name, "content-length")) break;
            // Two equal ones too: nobody needs them, and relays differ in which they keep.
            if (++seen.lengths > 1) return FramingErrc::conflicting_lengths;
            if (!parse_length(field.value, seen.length)) return FramingErrc::malformed_length;
            break;
        case 17:
            if (equals_ignoring_case(field.name, "transfer_encoding"))
                return FramingErrc::ambiguous_field_name;
            if (!equals_ignoring_case(field.name, "transfer-encoding")) break;
            ++seen.codings;
            seen.coding = field.value;
            break;
        default:
            break;
    }
    return kFine;
}

// Walks a head line by line. Each line is judged when its end has come, in order, and the whole at the end;
// so the answer does not depend on how the bytes were cut.
class HeadReader {
public:
    HeadReader(std::string_view data, const HeadLimits& limits)
        : data_(data.substr(0, limits.max_bytes)), limits_(limits) {}

    // The functions below return false when the head is incomplete or refused.
    bool line(std::string_view& out) {
        if (position_ == data_.size()) return false;
        const auto* begin = data_.data() + position_;
        const auto* found = static_cast<const char*>(std::memchr(begin, '\n', data_.size() - position_));
        if (found == nullptr) return false;
        if (found == begin || found[-1] != '\r') return refuse(FramingErrc::bare_line_feed);
        out = {begin, static_cast<std::size_t>(found - begin) - 1};
        position_ += out.size() + 2;
        return true;
    }

    bool fields(std::vector<FieldView>& out, Seen& seen) {
        std::string_view text;
        while (line(text)) {
            if (text.empty()) return true;
            if (out.size() >= limits_.max_fields) return refuse(FramingErrc::too_many_fields);
            FieldView read;
            if (!check(field(text, read)) || !check(note(read, seen))) return false;
            out.push_back(read);
        }
        return false;
    }

    bool refuse(FramingErrc reason) {
        refused_ = reason;
        return false;
    }
    bool check(FramingErrc reason) { return reason == kFine || refuse(reason); }
    void skip(std::size_t count) { position_ += count; }
    std::string_view data() const { return data_; }
    std::size_t position() const { return position_; }

    Result<HeadProgress> result(bool complete) const {
        if (refused_ != kFine) return refusal(refused_);
        if (complete) return HeadProgress::complete;
        if (data_.size() >= limits_.max_bytes) return refusal(FramingErrc::head_too_large);
        return HeadProgress::incomplete;
    }

private:
    static Error refusal(FramingErrc reason) {
        return {reason, "The message cannot be read safely: " + std::string(text_of(reason)) + "."};
    }

    static FramingErrc field(std::string_view text, FieldView& out) {
        if (text.front() == ' ' || text.front() == '\t') return FramingErrc::obsolete_folding;
        std::size_t length = 0;
        while (length < text.size() && is_token(text[length]))
            ++length;
        if (length == 0 || length == text.size() || text[length] != ':') {
            const bool bare = text.find('\r') != std::string_view::npos;
            return bare ? FramingErrc::bare_carriage_return : FramingErrc::malformed_field_name;
        }
        out.name = text.substr(0, length);
        out.value = trim(text.substr(length + 1));
        if (!has_control(out.value)) return kFine;
        const bool bare = out.value.find('\r') != std::string_view::npos;
        return bare ? FramingErrc::bare_carriage_return : FramingErrc::malformed_field_value;
    }

    std::string_view data_;
    const HeadLimits& limits_;
    std::size_t position_ = 0;
    FramingErrc refused_ = kFine;
};

// "HTTP/1.0" or "HTTP/1.1" into `minor`.
FramingErrc read_version(std::string_view text, FramingErrc when_malformed, int& minor) {
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    if (text.size() != 8 || !text.starts_with("HTTP/") || !digit(text[5]) || text[6] != '.' ||
        !digit(text[7])) {
        return when_malformed;
    }
    minor = text[7] - '0';
    return text[5] == '1' && minor <= 1 ? kFine : FramingErrc::unsupported_version;
}

// The authority of an absolute-form target, or "" for the other forms (RFC 9112 §3.2).
std::string_view authority_of(std::string_view target) {
    const auto scheme_end = target.find("://");
    if (target.front() == '/' || scheme_end == std::string_view::npos) return {};
    const auto rest = target.substr(scheme_end + 3);
    return rest.substr(0, rest.find_first_of("/?"));
}

// HEAD and CONNECT change where an answer ends. Methods are told apart by case (RFC 9110 §9.1), but not by
// every server: one that reads "head" as HEAD sends a length and no body.
bool is_method(std::string_view method) {
    if (method.empty() || !all_in(method, token_character)) return false;
    const bool changes_framing =
        equals_ignoring_case(method, "head") || equals_ignoring_case(method, "connect");
    return !changes_framing || method == "HEAD" || method == "CONNECT";
}

// CONNECT has authority-form (RFC 9112 §3.2.3), which nobody here serves. With any other a server might still
// open a tunnel.
bool is_target(std::string_view target, std::string_view method) {
    if (method == "CONNECT" || target.empty() || !all_in(target, target_character)) return false;
    if (target.front() == '/') return true;
    if (target == "*") return method == "OPTIONS";
    const auto scheme = target.substr(0, target.find("://"));
    const bool http = equals_ignoring_case(scheme, "http") || equals_ignoring_case(scheme, "https");
    return http && !authority_of(target).empty();
}

FramingErrc read_request_line(std::string_view line, RequestHead& head) {
    const auto malformed = line.find('\r') == std::string_view::npos ? FramingErrc::malformed_request_line
                                                                     : FramingErrc::bare_carriage_return;
    const auto method_end = line.find(' ');
    const auto target_end = line.rfind(' ');
    if (method_end == std::string_view::npos || method_end == target_end) return malformed;
    head.method = line.substr(0, method_end);
    head.target = line.substr(method_end + 1, target_end - method_end - 1);
    if (!is_method(head.method)) return malformed;
    if (const auto bad = read_version(line.substr(target_end + 1), malformed, head.minor_version);
        bad != kFine) {
        return bad;
    }
    if (malformed == FramingErrc::bare_carriage_return) return malformed;
    return is_target(head.target, head.method) ? kFine : FramingErrc::malformed_target;
}

// reason-phrase may be missing together with its space: old servers leave both out.
FramingErrc read_status_line(std::string_view line, ResponseHead& head) {
    if (line.find('\r') != std::string_view::npos) return FramingErrc::bare_carriage_return;
    constexpr auto kMalformed = FramingErrc::malformed_status_line;
    if (line.size() < 12 || line[8] != ' ') return kMalformed;
    if (const auto bad = read_version(line.substr(0, 8), kMalformed, head.minor_version); bad != kFine)
        return bad;
    unsigned status = 0;
    for (const char c : line.substr(9, 3)) {
        if (c < '0' || c > '9') return kMalformed;
        status = status * 10 + static_cast<unsigned>(c - '0');
    }
    if (status < 100) return kMalformed;
    if (line.size() > 12 && (line[12] != ' ' || has_control(line))) return kMalformed;
    head.status = status;
    head.reason = line.size() > 13 ? line.substr(13) : std::string_view{};
    return kFine;
}

// RFC 9112 §3.2 and RFC 3986 §3.2.2: a name, an IPv4 or a bracketed IPv6 address, and perhaps a port.
bool is_host(std::string_view host) {
    std::string_view port;
    if (host.starts_with('[')) {
        const auto end = host.find(']');
        if (end == std::string_view::npos || end < 3) return false;
        for (const char c : host.substr(1, end - 1)) {
            if (c != ':' && !is_in(c, host_character)) return false;
        }
        port = host.substr(end + 1);
    } else {
        const auto colon = host.find(':');
        const auto name = host.substr(0, colon);
        if (name.empty() || !all_in(name, host_character)) return false;
        if (colon != std::string_view::npos) port = host.substr(colon);
    }
    if (port.empty()) return true;
    if (port.front() != ':' || port.size() > 6) return false;
    return port.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

FramingErrc judge_host(const RequestHead& head, const Seen& seen) {
    const auto authority = authority_of(head.target);
    if (seen.hosts == 0) {
        if (head.minor_version == 1) return FramingErrc::missing_host;
        return authority.empty() || is_host(authority) ? kFine : FramingErrc::malformed_host;
    }
    if (!is_host(seen.host)) return FramingErrc::malformed_host;
    // Who reads the target and who reads Host must see one name (RFC 9112 §3.2.2).
    return authority.empty() || equals_ignoring_case(authority, seen.host) ? kFine
                                                                           : FramingErrc::malformed_host;
}

FramingErrc judge_coding(const Seen& seen, int minor_version) {
    if (seen.codings == 0) return kFine;
    if (minor_version == 0) return FramingErrc::chunked_in_http_1_0;
    if (seen.codings > 1 || !equals_ignoring_case(seen.coding, "chunked"))
        return FramingErrc::coding_not_chunked;
    return seen.lengths != 0 ? FramingErrc::length_with_transfer_encoding : kFine;
}

BodyFraming body_of(const Seen& seen, BodyKind otherwise) {
    if (seen.codings != 0) return {BodyKind::chunked, 0};
    if (seen.lengths != 0) return {seen.length == 0 ? BodyKind::none : BodyKind::length, seen.length};
    return {otherwise, 0};
}

bool keeps_alive(const Seen& seen, int minor_version) {
    return !seen.close && (minor_version == 1 || seen.keep_alive);
}

}  // namespace

Result<HeadProgress> read_request_head(std::string_view data, const HeadLimits& limits, RequestHead& head) {
    head.fields.clear();
    HeadReader reader(data, limits);
    if (reader.data().starts_with("\r\n")) reader.skip(2);  // one, as old clients end a body (RFC 9112 §2.2)
    Seen seen;
    std::string_view line;
    const bool complete = reader.line(line) && reader.check(read_request_line(line, head)) &&
                          reader.fields(head.fields, seen) && reader.check(judge_host(head, seen)) &&
                          reader.check(judge_coding(seen, head.minor_version));
    if (complete) {
        head.body = body_of(seen, BodyKind::none);
        head.keep_alive = keeps_alive(seen, head.minor_version);
        head.upgrade = head.minor_version == 1 && seen.upgrade_option && seen.upgrade_field;
        head.bytes = reader.position();
    }
    return reader.result(complete);
}

Result<HeadProgress> read_response_head(
    std::string_view data, const HeadLimits& limits, AnswersHead answers_head, ResponseHead& head) {
    head.fields.clear();
    HeadReader reader(data, limits);
    Seen seen;
    seen.is_answer = true;
    std::string_view line;
    const bool complete = reader.line(line) && reader.check(read_status_line(line, head)) &&
                          reader.fields(head.fields, seen) &&
                          reader.check(judge_coding(seen, head.minor_version));
    if (complete) {
        const bool bodiless =
            answers_head == AnswersHead::yes || head.status < 200 || head.status == 204 || head.status == 304;
        head.body = bodiless ? BodyFraming{} : body_of(seen, BodyKind::until_close);
        head.keep_alive = keeps_alive(seen, head.minor_version) && head.body.kind != BodyKind::until_close;
        head.bytes = reader.position();
    }
    return reader.result(complete);
}

std::string_view find_field(const std::vector<FieldView>& fields, std::string_view name) {
    for (const auto& field : fields) {
        if (equals_ignoring_case(field.name, name)) return field.value;
    }
    return {};
}

}  // namespace berth::http
