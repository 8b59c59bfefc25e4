#include "http/message.hpp"

namespace berth::http {
namespace {

Response with_body(unsigned status, std::string type, std::string body) {
    Response response;
    response.status = status;
    response.headers.add("Content-Type", std::move(type));
    response.body = std::move(body);
    return response;
}

// A value that would end its attribute or its line cannot come from a caller that escapes as it must; it is
// made harmless here all the same.
void append_plain(std::string& out, std::string_view text) {
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        out += byte < 0x20 || byte == 0x7F || c == ';' ? '_' : c;
    }
}

}  // namespace

Response Response::json(unsigned status, const json::value& value) {
    return with_body(status, "application/json", json::serialize(value));
}

Response Response::html(unsigned status, std::string page) {
    return with_body(status, "text/html; charset=utf-8", std::move(page));
}

Response Response::text(unsigned status, std::string text) {
    return with_body(status, "text/plain; charset=utf-8", std::move(text));
}

Response Response::redirect(std::string location, unsigned status) {
    Response response;
    response.status = status;
    response.headers.add("Location", std::move(location));
    return response;
}

Response Response::empty(unsigned status) {
    Response response;
    response.status = status;
    return response;
}

std::string set_cookie(const Cookie& cookie) {
    std::string out;
    append_plain(out, cookie.name);
    out += '=';
    append_plain(out, cookie.value);
    out += "; Path=";
    append_plain(out, cookie.path);
    if (cookie.max_age_seconds) {
        out += "; Max-Age=" + std::to_string(*cookie.max_age_seconds);
        // Clients that know only Expires forget it too.
        if (*cookie.max_age_seconds <= 0) out += "; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    }
    if (cookie.http_only) out += "; HttpOnly";
    if (cookie.secure) out += "; Secure";
    if (!cookie.same_site.empty()) {
        out += "; SameSite=";
        append_plain(out, cookie.same_site);
    }
    return out;
}

}  // namespace berth::http
