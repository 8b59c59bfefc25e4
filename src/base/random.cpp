#include "base/random.hpp"

#include "base/assert.hpp"
#include "base/secret.hpp"

#include <sodium.h>

#include <array>
#include <cstdint>
#include <span>

namespace berth {
namespace {

void ensure_sodium() {
    static const int ready = sodium_init();
    BERTH_ASSERT(ready >= 0);
}

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

std::string encoded(
    std::span<const unsigned char> data, int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING) {
    std::string out(sodium_base64_encoded_len(data.size(), variant), '\0');
    sodium_bin2base64(out.data(), out.size(), data.data(), data.size(), variant);
    out.pop_back();  // libsodium counts the final NUL
    return out;
}

std::string hex_of(std::span<const unsigned char> data) {
    std::string out(data.size() * 2 + 1, '\0');
    sodium_bin2hex(out.data(), out.size(), data.data(), data.size());
    out.pop_back();
    return out;
}

std::array<unsigned char, crypto_hash_sha256_BYTES> sha256(std::string_view data) {
    std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
    crypto_hash_sha256(digest.data(), bytes_of(data), data.size());
    return digest;
}

}  // namespace

std::string random_hex(std::size_t bytes) {
    ensure_sodium();
    std::string raw(bytes, '\0');
    randombytes_buf(raw.data(), raw.size());
    return hex_of({bytes_of(raw), raw.size()});
}

std::string random_alphanumeric(std::size_t count) {
    ensure_sodium();
    constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    std::string out(count, '\0');
    for (char& letter : out)
        letter = kAlphabet[randombytes_uniform(static_cast<std::uint32_t>(kAlphabet.size()))];
    return out;
}

std::string sha256_hex(std::string_view data) {
    return hex_of(sha256(data));
}

std::string sha256_base64url(std::string_view data) {
    return encoded(sha256(data));
}

std::string hmac_sha256_base64url(std::string_view key, std::string_view data) {
    ensure_sodium();
    crypto_auth_hmacsha256_state state;
    std::array<unsigned char, crypto_auth_hmacsha256_BYTES> digest{};
    crypto_auth_hmacsha256_init(&state, bytes_of(key), key.size());
    crypto_auth_hmacsha256_update(&state, bytes_of(data), data.size());
    crypto_auth_hmacsha256_final(&state, digest.data());
    return encoded(digest);
}

std::string base64url(std::string_view data) {
    return encoded({bytes_of(data), data.size()});
}

std::string base64(std::string_view data) {
    return encoded({bytes_of(data), data.size()}, sodium_base64_VARIANT_ORIGINAL);
}

std::optional<std::string> from_base64url(std::string_view text) {
    while (!text.empty() && text.back() == '=')
        text.remove_suffix(1);
    std::string out(text.size(), '\0');
    std::size_t size = 0;
    const char* end = nullptr;
    const int failed = sodium_base642bin(
        reinterpret_cast<unsigned char*>(out.data()),
        out.size(),
        text.data(),
        text.size(),
        nullptr,
        &size,
        &end,
        sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    if (failed != 0 || end != text.data() + text.size()) return std::nullopt;
    out.resize(size);
    return out;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
    return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool Secret::equals(std::string_view other) const {
    return equal_constant_time(value_, other);
}

}  // namespace berth
