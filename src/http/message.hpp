// A request and a response as the hub handles them: whole head, whole (limited) body. The proxy does not use
// these; it pumps bytes and knows only heads (http/framing.hpp).
#pragma once

#include "async/awaitable.hpp"
#include "base/json.hpp"
#include "net/address_range.hpp"
#include "net/peer.hpp"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace berth::http {

// Header fields in order. Names compare without case (RFC 9110 §5.1); a name may occur more than once.
class Headers {
public:
    struct Field {
        std::string name;
        std::string value;
    };

    Headers() = default;
    Headers(std::initializer_list<Field> fields) : fields_(fields) {}

    std::optional<std::string_view> find(std::string_view name) const;  // the first
    std::vector<std::string_view> all(std::string_view name) const;
    void add(std::string name, std::string value);
    void set(std::string_view name, std::string value);  // replaces all of that name
    void remove(std::string_view name);
    void reserve(std::size_t count) { fields_.reserve(count); }

    auto begin() const { return fields_.begin(); }
    auto end() const { return fields_.end(); }
    std::size_t size() const { return fields_.size(); }

private:
    std::vector<Field> fields_;
};

enum class Method { get, head, post, put, patch, del, options, other };
std::string_view name_of(Method method);
Method method_named(std::string_view name);  // case-sensitive (RFC 9110 §9.1)

struct Request {
    Method method = Method::get;
    std::string target;  // as received: path and query, undecoded
    Headers headers;
    std::string body;
    std::string peer_address;  // of the connection; "" on a Unix socket
    // The connection came from our own proxy, whose X-Forwarded-* are believed.
    bool from_proxy = false;
    std::shared_ptr<const net::PeerCredentials> local_peer;           // of a Unix socket's other end
    const std::vector<net::AddressRange>* trusted_proxies = nullptr;  // the server's; outlives the request

    std::string_view path() const;   // before '?', undecoded
    std::string_view query() const;  // after '?', undecoded, without it
    // The value of a query parameter, form-decoded; the first when there are several. A name without '=' is
    // "".
    std::optional<std::string> query_value(std::string_view name) const;
    std::vector<std::pair<std::string, std::string>> query_values() const;
    // The value of a cookie (RFC 6265 §4.2), quotes removed; the first of that name.
    std::optional<std::string> cookie(std::string_view name) const;
    std::vector<std::string> cookies(std::string_view name) const;
    // Scheme, host and address as the browser knows them: from X-Forwarded-* when from_proxy, else of the
    // connection.
    std::string browser_scheme() const;  // "http" or "https" (hub-protocol §3.6: the first element)
    std::string host() const;            // the Host header; with port when it has one
    std::string client_address() const;
};

// Writes a streamed body, piece by piece; each call returns when the piece is on its way.
class BodyWriter {
public:
    virtual ~BodyWriter() = default;
    // Throws boost::system::system_error when the client has gone.
    virtual awaitable<> write(std::string piece) = 0;
};

struct Response {
    unsigned status = 200;
    Headers headers;
    std::string body;
    // When set, the body is what this writes (chunked); `body` must be empty. It is awaited on the
    // connection.
    std::function<awaitable<>(BodyWriter&)> stream;

    static Response json(unsigned status, const json::value& value);
    static Response html(unsigned status, std::string page);
    static Response text(unsigned status, std::string text);
    static Response redirect(std::string location, unsigned status = 302);
    static Response empty(unsigned status);
};

std::string_view reason_phrase(unsigned status);  // RFC 9110 §15; "Unknown" for others

// Set-Cookie values have one builder. Every cookie is HttpOnly unless said otherwise.
struct Cookie {
    std::string name;
    std::string value;
    std::string path = "/";
    bool secure = false;
    bool http_only = true;
    std::string same_site = "Lax";
    std::optional<std::int64_t> max_age_seconds;  // none: a session cookie; 0 removes it
};
std::string set_cookie(const Cookie& cookie);

// Bodies of forms.
struct FormField {
    std::string name;
    std::string value;
    std::string file_name;  // multipart uploads only
};
// application/x-www-form-urlencoded or multipart/form-data by Content-Type; empty when it is neither or
// malformed.
std::optional<std::vector<FormField>> parse_form(const Request& request);
std::optional<std::string> form_value(const std::vector<FormField>& form, std::string_view name);

}  // namespace berth::http
