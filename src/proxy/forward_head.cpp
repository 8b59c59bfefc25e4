#include "proxy/forward_head.hpp"

#include "base/text.hpp"
#include "http/message.hpp"
#include "proxy/edge_pass.hpp"

#include <array>
#include <charconv>

namespace berth::proxy {
namespace {

using http::BodyKind;
using http::FieldView;

// The fields that end at this hop or are written anew. Sorted into a switch by length: most fields of a
// request are told apart from these by their length and first letter alone.
enum class FieldRole {
    end_to_end,
    hop_by_hop,
    connection,
    host,
    cookie,
    content_length,
    forwarded_for,
    forwarded_port,
    forwarded_proto,
    forwarded_host,
    location
};

bool is(std::string_view name, std::string_view lower_case) {
    for (std::size_t i = 0; i < lower_case.size(); ++i) {
        const char c = name[i];
        const char lowered = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
        if (lowered != lower_case[i]) return false;
    }
    return true;
}

FieldRole role_of(std::string_view name) {
    switch (name.size()) {
        case 2:
            return is(name, "te") ? FieldRole::hop_by_hop : FieldRole::end_to_end;
        case 4:
            return is(name, "host") ? FieldRole::host : FieldRole::end_to_end;
        case 6:
            return is(name, "cookie") ? FieldRole::cookie : FieldRole::end_to_end;
        case 7:
            return is(name, "trailer") || is(name, "upgrade") ? FieldRole::hop_by_hop : FieldRole::end_to_end;
        case 8:
            return is(name, "location") ? FieldRole::location : FieldRole::end_to_end;
        case 10:
            if (is(name, "connection")) return FieldRole::connection;
            return is(name, "keep-alive") ? FieldRole::hop_by_hop : FieldRole::end_to_end;
        case 14:
            return is(name, "content-length") ? FieldRole::content_length : FieldRole::end_to_end;
        case 15:
            return is(name, "x-forwarded-for") ? FieldRole::forwarded_for : FieldRole::end_to_end;
        case 16:
            if (is(name, "x-forwarded-port")) return FieldRole::forwarded_port;
            if (is(name, "x-forwarded-host")) return FieldRole::forwarded_host;
            return is(name, "proxy-connection") ? FieldRole::hop_by_hop : FieldRole::end_to_end;
        case 17:
            if (is(name, "transfer-encoding")) return FieldRole::hop_by_hop;
            return is(name, "x-forwarded-proto") ? FieldRole::forwarded_proto : FieldRole::end_to_end;
        default:
            return FieldRole::end_to_end;
    }
}

// The names that Connection fields list, beyond the ones that are dropped anyway. Nearly always empty.
class NamedByConnection {
public:
    explicit NamedByConnection(const std::vector<FieldView>& fields) {
        for (const auto& field : fields) {
            if (field.name.size() == 10 && role_of(field.name) == FieldRole::connection) add(field.value);
        }
    }
    bool holds(std::string_view name) const {
        for (const auto& each : names_) {
            if (equals_ignoring_case(each, name)) return true;
        }
        return false;
    }

private:
    void add(std::string_view value) {
        if (equals_ignoring_case(value, "keep-alive") || equals_ignoring_case(value, "close") ||
            equals_ignoring_case(value, "upgrade")) {
            return;
        }
        for (const auto each : split(value, ',')) {
            const auto name = trim(each);
            // Without Host there is no request, so nobody may ask for its removal.
            if (!name.empty() && !equals_ignoring_case(name, "host")) names_.push_back(name);
        }
    }
    std::vector<std::string_view> names_;
};

void append_field(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
}

void append_number(std::string& out, std::uint64_t number) {
    std::array<char, 20> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out.append(digits.data(), end);
}

void append_length(std::string& out, std::uint64_t length) {
    out.append("Content-Length: ");
    append_number(out, length);
    out.append("\r\n");
}

// The port that X-Forwarded-Port says: of the Host field, else that of the scheme.
std::string_view port_of_host(std::string_view host, Transport transport) {
    const auto colon = host.rfind(':');
    const bool has_port = colon != std::string_view::npos && colon + 1 < host.size() &&
                          host.find_first_not_of("0123456789", colon + 1) == std::string_view::npos;
    if (has_port) return host.substr(colon + 1);
    return transport == Transport::tls ? "443" : "80";
}

struct Forwarded {
    std::string_view before_for, before_port, before_proto, before_host;
};

void append_listed(std::string& out, std::string_view name, std::string_view before, std::string_view value) {
    out.append(name).append(": ");
    if (!before.empty()) out.append(before).append(",");
    out.append(value).append("\r\n");
}

void append_forwarded(
    std::string& out, const Forwarded& seen, std::string_view host, const RequestForward& how) {
    if (how.client_address.empty()) {  // a Unix socket, whose peer has no address
        if (!seen.before_for.empty()) append_field(out, "X-Forwarded-For", seen.before_for);
    } else {
        append_listed(out, "X-Forwarded-For", seen.before_for, how.client_address);
    }
    append_listed(out, "X-Forwarded-Port", seen.before_port, port_of_host(host, how.transport));
    const bool is_upgrade = how.upgrade == IsUpgrade::yes;
    const bool tls = how.transport == Transport::tls;
    const auto scheme = is_upgrade ? (tls ? "wss" : "ws") : (tls ? "https" : "http");
    append_listed(out, "X-Forwarded-Proto", seen.before_proto, scheme);
    if (!seen.before_host.empty()) {
        append_field(out, "X-Forwarded-Host", seen.before_host);
    } else if (!is_upgrade && !host.empty()) {
        append_field(out, "X-Forwarded-Host", host);
    }
}

void append_request_line(
    std::string& out,
    const http::RequestHead& head,
    const RequestForward& how,
    const Target& to,
    const ProxyOptions& options) {
    out.append(head.method).push_back(' ');
    if (options.prepend_path && how.path != "*") out.append(to.path);
    out.append(how.path).append(how.target.query);
    if (options.prepend_path && !to.query.empty()) {
        out.push_back(how.target.query.empty() ? '?' : '&');
        out.append(to.query);
    }
    out.append(" HTTP/1.1\r\n");
}

void append_body_framing(std::string& out, const http::RequestHead& head) {
    if (head.body.kind == BodyKind::chunked) {
        out.append("Transfer-Encoding: chunked\r\n");
    } else if (head.body.kind == BodyKind::length) {
        append_length(out, head.body.length);
    } else if (head.method == "DELETE" || head.method == "OPTIONS") {
        out.append("Content-Length: 0\r\n");  // hub-protocol §8.5.5
    }
}

bool rewrites_location(unsigned status) {
    return status == 201 || status == 301 || status == 302 || status == 307 || status == 308;
}

// Location with another host or scheme when it points at the target (hub-protocol §14.7).
bool append_rewritten_location(
    std::string& out, std::string_view value, const ResponseForward& how, const ProxyOptions& options) {
    const auto scheme_end = value.find("://");
    if (scheme_end == std::string_view::npos || how.to == nullptr) return false;
    const auto rest = value.substr(scheme_end + 3);
    const auto authority = rest.substr(0, rest.find('/'));
    if (!equals_ignoring_case(authority, how.to->host_field) &&
        !equals_ignoring_case(authority, how.to->origin)) {
        return false;
    }
    const auto scheme = options.protocol_rewrite.empty() ? value.substr(0, scheme_end)
                                                         : std::string_view(options.protocol_rewrite);
    const auto host = options.auto_rewrite && !how.host.empty() ? how.host : authority;
    out.append("Location: ").append(scheme).append("://").append(host).append(rest.substr(authority.size()));
    out.append("\r\n");
    return true;
}

void append_status_line(std::string& out, unsigned status, std::string_view reason) {
    out.append("HTTP/1.1 ");
    append_number(out, status);
    out.push_back(' ');
    out.append(reason).append("\r\n");
}

// What a response without content says of its length: the number that GET would have had, for HEAD and 304.
void append_idle_length(std::string& out, unsigned status, std::string_view value) {
    const bool is_number = !value.empty() && value.find_first_not_of("0123456789") == std::string_view::npos;
    if (status >= 200 && status != 204 && is_number) append_field(out, "Content-Length", value);
}

}  // namespace

bool has_token(std::string_view value, std::string_view token) {
    while (!value.empty()) {
        const auto comma = value.find(',');
        if (equals_ignoring_case(trim(value.substr(0, comma)), token)) return true;
        if (comma == std::string_view::npos) return false;
        value.remove_prefix(comma + 1);
    }
    return false;
}

bool split_target(std::string_view target, RequestTarget& parts) {
    parts = {};
    if (target == "*") {
        parts.path = target;
        return true;
    }
    if (!target.starts_with('/')) {
        constexpr std::string_view kScheme = "http://";
        if (target.size() <= kScheme.size() || !is(target.substr(0, kScheme.size()), kScheme)) return false;
        target.remove_prefix(kScheme.size());
        const auto end = target.find_first_of("/?");
        parts.authority = target.substr(0, end);
        if (parts.authority.empty()) return false;
        target = end == std::string_view::npos ? std::string_view() : target.substr(end);
    }
    const auto question = target.find('?');
    parts.path = target.substr(0, question);
    if (parts.path.empty()) parts.path = "/";
    if (question != std::string_view::npos) parts.query = target.substr(question);
    return true;
}

void write_request_head(
    std::string& out,
    const http::RequestHead& head,
    const RequestForward& how,
    const Target& to,
    const ProxyOptions& options) {
    append_request_line(out, head, how, to, options);
    const NamedByConnection dropped(head.fields);
    std::string_view host = how.target.authority;
    Forwarded seen;
    std::string joined;  // the rare second X-Forwarded-For of a chain of proxies
    for (const auto& field : head.fields) {
        switch (role_of(field.name)) {
            case FieldRole::hop_by_hop:
            case FieldRole::connection:
            case FieldRole::content_length:
                continue;
            case FieldRole::host:
                if (host.empty()) host = field.value;
                if (host.empty()) continue;
                append_field(out, "Host", options.change_origin ? std::string_view(to.host_field) : host);
                continue;
            case FieldRole::cookie:
                if (const auto rest = without_passes(field.value)) {  // the pass is between browser and us
                    if (!rest->empty()) append_field(out, field.name, *rest);
                    continue;
                }
                break;
            case FieldRole::forwarded_for:
                if (!options.x_forward) break;
                if (!seen.before_for.empty()) {
                    std::string both(seen.before_for);
                    both.append(", ").append(field.value);
                    joined = std::move(both);
                    seen.before_for = joined;
                } else {
                    seen.before_for = field.value;
                }
                continue;
            case FieldRole::forwarded_port:
                if (!options.x_forward) break;
                seen.before_port = field.value;
                continue;
            case FieldRole::forwarded_proto:
                if (!options.x_forward) break;
                seen.before_proto = field.value;
                continue;
            case FieldRole::forwarded_host:
                if (!options.x_forward) break;
                seen.before_host = field.value;
                continue;
            case FieldRole::end_to_end:
            case FieldRole::location:
                break;
        }
        if (!dropped.holds(field.name)) append_field(out, field.name, field.value);
    }
    if (http::find_field(head.fields, "Host").empty())
        append_field(out, "Host", host.empty() ? to.host_field : host);
    append_body_framing(out, head);
    if (options.x_forward) append_forwarded(out, seen, host, how);
    for (const auto& [name, value] : options.custom_headers)
        append_field(out, name, value);
    if (how.upgrade == IsUpgrade::yes) {
        out.append("Connection: Upgrade\r\n");
        out.append("Upgrade: websocket\r\n");  // of what the client listed, all that a tunnel here may become
    }
    out.append("\r\n");
}

void write_response_head(
    std::string& out,
    const http::ResponseHead& head,
    const ResponseForward& how,
    const ProxyOptions& options) {
    append_status_line(out, head.status, head.reason);
    const NamedByConnection dropped(head.fields);
    const bool rewrite =
        (options.auto_rewrite || !options.protocol_rewrite.empty()) && rewrites_location(head.status);
    for (const auto& field : head.fields) {
        switch (role_of(field.name)) {
            case FieldRole::hop_by_hop:
            case FieldRole::connection:
                continue;
            case FieldRole::content_length:
                if (head.body.kind == BodyKind::none) append_idle_length(out, head.status, field.value);
                continue;
            case FieldRole::location:
                if (rewrite && append_rewritten_location(out, field.value, how, options)) continue;
                break;
            default:
                break;
        }
        if (!dropped.holds(field.name)) append_field(out, field.name, field.value);
    }
    if (head.status < 200 && how.upgrade == IsUpgrade::no) {
        out.append("\r\n");
        return;
    }
    if (how.upgrade == IsUpgrade::yes) {
        out.append("Connection: Upgrade\r\n");
        append_field(out, "Upgrade", http::find_field(head.fields, "Upgrade"));
        out.append("\r\n");
        return;
    }
    if (head.body.kind == BodyKind::length) append_length(out, head.body.length);
    if (head.body.kind == BodyKind::chunked && !how.dechunk) out.append("Transfer-Encoding: chunked\r\n");
    out.append(
        how.keep_alive == KeepAlive::yes ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n");
}

void write_own_head(
    std::string& out,
    unsigned status,
    std::string_view content_type,
    std::string_view content_encoding,
    std::size_t length,
    KeepAlive keep_alive) {
    append_status_line(out, status, http::reason_phrase(status));
    if (!content_type.empty()) append_field(out, "Content-Type", content_type);
    if (!content_encoding.empty()) append_field(out, "Content-Encoding", content_encoding);
    append_length(out, length);
    out.append(keep_alive == KeepAlive::yes ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n");
}

}  // namespace berth::proxy
