#include "proxy/redirect.hpp"

#include "proxy/forward_head.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace berth::proxy {
namespace {

constexpr std::string_view kChallenge = "/.well-known/acme-challenge/";
constexpr std::size_t kLongestToken = 256;
constexpr std::size_t kLongestProof = 4096;

// base64url (RFC 8555 §8), so no path leads out of the folder.
bool is_token(std::string_view text) {
    return !text.empty() && text.size() <= kLongestToken && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
               c == '_';
    });
}

// A small plain file at hand: nothing here waits.
http::Response proof_of(std::string_view token, const std::string& webroot) {
    if (!is_token(token)) return http::Response::empty(404);
    const std::string path = std::string(webroot).append(kChallenge).append(token);
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return http::Response::empty(404);
    struct stat found{};
    std::array<char, kLongestProof> bytes{};
    const bool is_plain = ::fstat(file, &found) == 0 && S_ISREG(found.st_mode);
    const auto count = is_plain ? ::read(file, bytes.data(), bytes.size()) : -1;
    ::close(file);
    if (count < 0) return http::Response::empty(404);
    return http::Response::text(200, std::string(bytes.data(), static_cast<std::size_t>(count)));
}

}  // namespace

// To the same place under https (hub-protocol §14.7). The framing law has seen to it that Host is a host.
awaitable<http::Response> redirect_to_https(http::Request request, std::uint16_t port, std::string webroot) {
    if (!webroot.empty() && request.path().starts_with(kChallenge))
        co_return proof_of(request.path().substr(kChallenge.size()), webroot);
    std::string host = request.host();
    const auto colon = host.rfind(':');
    if (colon != std::string::npos && host.find(']', colon) == std::string::npos) host.resize(colon);
    if (host.empty()) co_return http::Response::text(400, "The request names no host to go on to.\n");
    if (port != 443) host += ":" + std::to_string(port);
    RequestTarget target;
    if (!split_target(request.target, target)) co_return http::Response::empty(400);
    co_return http::Response::redirect(
        "https://" + host + std::string(target.path) + std::string(target.query), 301);
}

}  // namespace berth::proxy
