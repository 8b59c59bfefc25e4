#include "proxy/edge_answer.hpp"

#include "base/text.hpp"

#include <charconv>

namespace berth::proxy {
namespace {

// The q-value of one entry of Accept-Encoding in thousandths (RFC 9110 §12.4.2); malformed ones are 0.
int quality_of(std::string_view parameters) {
    for (const auto each : split(parameters, ';')) {
        const auto parameter = trim(each);
        if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) continue;
        const auto number = parameter.substr(2);
        if (number.empty() || number.size() > 5 || (number[0] != '0' && number[0] != '1')) return 0;
        int thousandths = (number[0] - '0') * 1000;
        int weight = 100;
        for (std::size_t i = 2; i < number.size(); ++i, weight /= 10) {
            if (number[1] != '.' || number[i] < '0' || number[i] > '9') return 0;
            thousandths += (number[i] - '0') * weight;
        }
        return thousandths <= 1000 ? thousandths : 0;
    }
    return 1000;
}

// How much the client wants `coding`: what it says of it by name, else of "*", else what holds by default.
int wish_for(std::string_view field, std::string_view coding, int by_default) {
    std::optional<int> any;
    for (const auto each : split(field, ',')) {
        const auto end = each.find(';');
        const auto name = trim(each.substr(0, end));
        const auto parameters = end == std::string_view::npos ? std::string_view() : each.substr(end + 1);
        if (equals_ignoring_case(name, coding)) return quality_of(parameters);
        if (name == "*") any = quality_of(parameters);
    }
    return any.value_or(by_default);
}

std::string tag_of(const EdgeFile& file, std::string_view coding) {
    std::string tag = "\"" + file.digest;
    if (!coding.empty()) tag.append("-").append(coding);
    return tag.append("\"");
}

// Weak comparison, as If-None-Match wants it (RFC 9110 §13.1.2).
bool names_tag(std::string_view field, std::string_view tag) {
    for (const auto each : split(field, ',')) {
        auto one = trim(each);
        if (one.starts_with("W/")) one.remove_prefix(2);
        if (one == "*" || one == tag) return true;
    }
    return false;
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
}

// What a notebook server says: hashed files of Lab, and any with a version, never change; it asks again for
// others (jupyter_server's static_immutable_cache and FileFindHandler).
std::string_view lifetime_of(const EdgeFile& file, std::string_view query) {
    const bool for_ever = file.path.starts_with("static/") || !query.empty();
    return for_ever ? "public, max-age=31536000, immutable" : "no-cache";
}

}  // namespace

std::optional<EdgeAnswer> edge_answer(const http::RequestHead& head, const EdgeFile& file) {
    if (head.method != "GET" && head.method != "HEAD") return std::nullopt;
    if (head.body.kind != http::BodyKind::none || head.upgrade) return std::nullopt;
    std::string_view accepts;
    std::string_view known_tags;
    for (const auto& field : head.fields) {
        for (const auto* name : {"Range", "Authorization", "If-Match", "If-Unmodified-Since"}) {
            if (equals_ignoring_case(field.name, name)) return std::nullopt;
        }
        if (equals_ignoring_case(field.name, "Accept-Encoding")) {
            if (!accepts.empty()) return std::nullopt;  // twice; nobody who means well does that
            accepts = field.value;
        }
        if (equals_ignoring_case(field.name, "If-None-Match")) known_tags = field.value;
    }
    EdgeAnswer answer;
    int best = 0;
    const auto offer = [&](std::string_view coding, std::string_view body, int wish) {
        if (body.empty() || wish <= best) return;
        best = wish;
        answer.coding = coding;
        answer.body = body;
    };
    offer("br", file.brotli, wish_for(accepts, "br", 0));
    offer("gzip", file.gzip, wish_for(accepts, "gzip", 0));
    offer("", file.plain, wish_for(accepts, "identity", 1000));
    if (best == 0) return std::nullopt;
    if (!known_tags.empty() && names_tag(known_tags, tag_of(file, answer.coding))) answer.status = 304;
    return answer;
}

void write_edge_head(
    std::string& out,
    const EdgeFile& file,
    const EdgeAnswer& answer,
    std::string_view query,
    KeepAlive keep_alive) {
    out.append(answer.status == 304 ? "HTTP/1.1 304 Not Modified\r\n" : "HTTP/1.1 200 OK\r\n");
    append_field(out, "ETag", tag_of(file, answer.coding));
    append_field(out, "Cache-Control", lifetime_of(file, query));
    append_field(out, "Vary", "Accept-Encoding");
    append_field(out, "X-Content-Type-Options", "nosniff");
    append_field(out, "Content-Security-Policy", "frame-ancestors 'self'");
    if (answer.status != 304) {
        append_field(out, "Content-Type", file.type);
        if (!answer.coding.empty()) append_field(out, "Content-Encoding", answer.coding);
        append_field(out, "Content-Length", std::to_string(answer.body.size()));
    }
    out.append(keep_alive == KeepAlive::yes ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n");
}

bool is_prefetch(const http::RequestHead& head) {
    return http::find_field(head.fields, "Sec-Purpose").find("prefetch") != std::string_view::npos ||
           equals_ignoring_case(http::find_field(head.fields, "Purpose"), "prefetch");
}

}  // namespace berth::proxy
