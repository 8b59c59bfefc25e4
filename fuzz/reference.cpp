#include "reference.hpp"

#include <algorithm>
#include <cctype>

namespace berth::fuzz {
namespace {

using http::BodyFraming;
using http::BodyKind;
using Fields = std::vector<std::pair<std::string, std::string>>;

bool only(std::string_view text, std::string_view marks) {
    return std::all_of(text.begin(), text.end(), [marks](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || marks.find(c) != std::string_view::npos;
    });
}

// RFC 9110 §5.6.2.
bool is_token(std::string_view text) {
    return !text.empty() && only(text, "!#$%&'*+-.^_`|~");
}

bool is_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\t') || byte == 0x7F;
    });
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    return out;
}

std::string stripped(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

std::vector<std::string> values(const Fields& fields, std::string_view name) {
    std::vector<std::string> found;
    for (const auto& [key, value] : fields)
        if (lower(key) == name) found.push_back(value);
    return found;
}

// Lines up to the first empty one; none when a line ends in anything but CR LF, or there is no empty one.
std::optional<std::vector<std::string>> lines(std::string_view text, std::size_t& end) {
    std::vector<std::string> found;
    for (std::size_t at = end;;) {
        const auto feed = text.find('\n', at);
        if (feed == std::string_view::npos || feed == at || text[feed - 1] != '\r') return std::nullopt;
        std::string line(text.substr(at, feed - 1 - at));
        at = feed + 1;
        end = at;
        if (line.find('\r') != std::string::npos) return std::nullopt;
        if (line.empty() && !found.empty()) return found;
        found.push_back(std::move(line));
    }
}

std::optional<Fields> fields_of(const std::vector<std::string>& head) {
    Fields fields;
    for (std::size_t i = 1; i < head.size(); ++i) {
        const auto colon = head[i].find(':');
        if (colon == std::string::npos || !is_token(head[i].substr(0, colon))) return std::nullopt;
        const auto value = head[i].substr(colon + 1);
        if (has_control(value)) return std::nullopt;
        fields.emplace_back(head[i].substr(0, colon), stripped(value));
    }
    return fields;
}

// RFC 9112 §6.3, with every choice that it leaves decided for refusal.
std::optional<BodyFraming> body_of(const Fields& fields, bool is_1_1, BodyKind otherwise) {
    const auto codings = values(fields, "transfer-encoding");
    const auto lengths = values(fields, "content-length");
    if (!values(fields, "content_length").empty() || !values(fields, "transfer_encoding").empty())
        return std::nullopt;
    if (lengths.size() > 1) return std::nullopt;
    if (!lengths.empty() && (!is_digits(lengths[0]) || lengths[0].size() > 18)) return std::nullopt;
    if (!codings.empty()) {
        if (!is_1_1 || codings.size() > 1 || lower(codings[0]) != "chunked" || !lengths.empty())
            return std::nullopt;
        return BodyFraming{BodyKind::chunked, 0};
    }
    if (lengths.empty()) return BodyFraming{otherwise, 0};
    const auto length = std::stoull(lengths[0]);
    return BodyFraming{length == 0 ? BodyKind::none : BodyKind::length, length};
}

bool is_version(std::string_view text) {
    return text == "HTTP/1.0" || text == "HTTP/1.1";
}

// RFC 9112 §3.2.
bool is_target(const std::string& target, std::string_view method, std::string& authority) {
    if (target.empty() || has_control(target) || target.find_first_of("\t #") != std::string::npos)
        return false;
    if (target[0] == '/') return true;
    if (target == "*") return method == "OPTIONS";
    const auto scheme = target.find("://");
    if (scheme == std::string::npos) return false;
    const auto name = lower(target.substr(0, scheme));
    const auto rest = target.substr(scheme + 3);
    authority = rest.substr(0, rest.find_first_of("/?"));
    return (name == "http" || name == "https") && !authority.empty();
}

bool is_host(std::string host) {
    constexpr std::string_view kName = "-._~%!$&'()*+;=";
    const auto bracket = host.find(']');
    std::string port;
    if (host.starts_with('[')) {
        if (bracket == std::string::npos || bracket < 3) return false;
        if (!only(host.substr(1, bracket - 1), std::string(kName) + ":")) return false;
        port = host.substr(bracket + 1);
    } else {
        const auto colon = std::min(host.find(':'), host.size());
        port = host.substr(colon);
        host.resize(colon);
        if (host.empty() || !only(host, kName)) return false;
    }
    return port.empty() || port == ":" || (port[0] == ':' && port.size() <= 6 && is_digits(port.substr(1)));
}

}  // namespace

std::optional<Cut> request_cut(std::string_view text) {
    Cut cut;
    if (text.starts_with("\r\n")) cut.bytes = 2;
    const auto head = lines(text, cut.bytes);
    if (!head) return std::nullopt;
    const auto& line = (*head)[0];
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string::npos || first == last) return std::nullopt;
    const auto method = line.substr(0, first);
    const auto version = line.substr(last + 1);
    std::string authority;
    if (!is_token(method) || !is_version(version)) return std::nullopt;
    if (lower(method) == "connect" || (lower(method) == "head" && method != "HEAD")) return std::nullopt;
    if (!is_target(line.substr(first + 1, last - first - 1), method, authority)) return std::nullopt;
    auto fields = fields_of(*head);
    if (!fields) return std::nullopt;
    const auto hosts = values(*fields, "host");
    if (hosts.size() > 1 || (hosts.empty() && version == "HTTP/1.1")) return std::nullopt;
    if (!hosts.empty() && !is_host(hosts[0])) return std::nullopt;
    if (!authority.empty() && !is_host(authority)) return std::nullopt;
    if (!hosts.empty() && !authority.empty() && lower(authority) != lower(hosts[0])) return std::nullopt;
    const auto body = body_of(*fields, version == "HTTP/1.1", BodyKind::none);
    if (!body) return std::nullopt;
    cut.body = *body;
    cut.fields = std::move(*fields);
    return cut;
}

std::optional<Cut> response_cut(std::string_view text, http::AnswersHead answers_head) {
    Cut cut;
    const auto head = lines(text, cut.bytes);
    if (!head) return std::nullopt;
    const auto& line = (*head)[0];
    if (line.size() < 12 || !is_version(line.substr(0, 8)) || line[8] != ' ') return std::nullopt;
    if (!is_digits(line.substr(9, 3)) || line[9] == '0') return std::nullopt;
    if (line.size() > 12 && (line[12] != ' ' || has_control(line))) return std::nullopt;
    auto fields = fields_of(*head);
    if (!fields) return std::nullopt;
    const auto body = body_of(*fields, line[7] == '1', BodyKind::until_close);
    if (!body) return std::nullopt;
    const auto status = std::stoi(line.substr(9, 3));
    const bool bodiless =
        answers_head == http::AnswersHead::yes || status < 200 || status == 204 || status == 304;
    cut.body = bodiless ? BodyFraming{} : *body;
    cut.fields = std::move(*fields);
    return cut;
}

namespace {

// What follows the last chunk: field lines, then an empty one. All are dropped.
std::optional<std::size_t> trailers_end(std::string_view text, std::size_t at) {
    for (;;) {
        const auto end = text.find("\r\n", at);
        if (end == std::string_view::npos) return std::nullopt;
        const auto line = text.substr(at, end - at);
        at = end + 2;
        if (line.empty()) return at;
        const auto colon = line.find(':');
        if (colon == std::string_view::npos || !is_token(line.substr(0, colon)) || has_control(line))
            return std::nullopt;
    }
}

}  // namespace

// RFC 9112 §7.1, without white space around the size.
std::optional<Decoded> chunked_body(std::string_view text) {
    constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 62;
    Decoded decoded;
    for (std::size_t at = 0;;) {
        const auto end = text.find("\r\n", at);
        if (end == std::string_view::npos) return std::nullopt;
        const auto line = text.substr(at, end - at);
        const auto digits = std::min(line.find_first_not_of("0123456789abcdefABCDEF"), line.size());
        if (digits == 0 || digits > 16) return std::nullopt;
        const auto extension = line.substr(digits);
        if (has_control(extension) || !(extension.empty() || extension[0] == ';')) return std::nullopt;
        const auto size = std::stoull(std::string(line.substr(0, digits)), nullptr, 16);
        at = end + 2;
        if (size == 0) {
            const auto last = trailers_end(text, at);
            if (!last) return std::nullopt;
            decoded.bytes = *last;
            return decoded;
        }
        if (size >= kMostBytes || text.size() - at < size + 2 || text.substr(at + size, 2) != "\r\n")
            return std::nullopt;
        decoded.body += text.substr(at, size);
        at += size + 2;
    }
}

}  // namespace berth::fuzz
