#include "api/paging.hpp"

#include "api/error_response.hpp"
#include "api/models.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <charconv>

namespace berth::api {
namespace {

constexpr std::int64_t kDefaultLimit = 50;
constexpr std::int64_t kMaxLimit = 200;

// The absolute value, as JupyterHub reads it; nothing when it is no integer.
std::optional<std::int64_t> integer(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    if (number == std::numeric_limits<std::int64_t>::min()) return std::nullopt;
    return number < 0 ? -number : number;
}

bool accepts_pages(const http::Request& request) {
    for (const auto header : request.headers.all("Accept")) {
        for (auto type : split(header, ',')) {
            if (trim(type) == "application/jupyterhub-pagination+json") return true;
        }
    }
    return false;
}

// The address the client used, with another offset: it is followed as it stands, also where the public one
// cannot be reached.
std::string next_url(const http::Request& request, const Page& page, std::size_t offset) {
    std::string url = request.browser_scheme() + "://" + request.host();
    url += request.path();
    char separator = '?';
    for (const auto& [name, value] : request.query_values()) {
        if (name == "offset" || name == "limit" || name == "_xsrf") continue;
        url += separator;
        url.append(url_escape_query(name)).append("=").append(url_escape_query(value));
        separator = '&';
    }
    url += separator;
    return url.append("limit=")
        .append(std::to_string(page.limit))
        .append("&offset=")
        .append(std::to_string(offset));
}

}  // namespace

Result<Page> requested_page(const http::Request& request) {
    Page page;
    page.as_object = accepts_pages(request);
    std::int64_t limit = page.as_object ? kDefaultLimit : kMaxLimit;
    if (const auto text = request.query_value("limit")) {
        const auto number = integer(*text);
        if (!number) return bad_request("'limit' must be an integer");
        limit = *number;
    }
    if (const auto text = request.query_value("offset")) {
        const auto number = integer(*text);
        if (!number) return bad_request("'offset' must be an integer");
        page.offset = static_cast<std::size_t>(*number);
    }
    page.limit = static_cast<std::size_t>(std::clamp<std::int64_t>(limit, 1, kMaxLimit));
    return page;
}

std::string pagination_of(const http::Request& request, const Page& page, std::size_t total) {
    std::string text;
    JsonObject pagination(text);
    pagination.number("offset", static_cast<std::int64_t>(page.offset));
    pagination.number("limit", static_cast<std::int64_t>(page.limit));
    pagination.number("total", static_cast<std::int64_t>(total));
    const std::size_t next = page.offset + page.limit;
    if (next < total) {
        JsonObject where(pagination.key("next"));
        where.number("offset", static_cast<std::int64_t>(next));
        where.number("limit", static_cast<std::int64_t>(page.limit));
        where.text("url", next_url(request, page, next));
        where.end();
    } else {
        pagination.null("next");
    }
    pagination.end();
    return text;
}

http::Response page_response(
    const http::Request& request, const Page& page, std::size_t total, std::string items) {
    items.insert(items.begin(), '[');
    items += ']';
    if (!page.as_object) return json_text(200, std::move(items));
    std::string body;
    body.reserve(items.size() + 256);
    JsonObject object(body);
    object.key("items") += items;
    object.key("_pagination") += pagination_of(request, page, total);
    object.end();
    return json_text(200, std::move(body));
}

}  // namespace berth::api
