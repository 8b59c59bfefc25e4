// Messages for browsers, as push services take them: encrypted for one browser (RFC 8291, RFC 8188 aes128gcm)
// and signed as this hub (VAPID, RFC 8292). OpenSSL does all that is cryptography; this is the order in which
// the RFCs have it done. Pure but for PushIdentity::open().
#pragma once

#include "base/result.hpp"
#include "base/units.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace berth::hub {

enum class PushErrc { bad_key = 1, key_unusable };
std::string_view text_of(PushErrc reason);
BERTH_ERROR_CATEGORY(PushErrc, "web_push")

// A key pair on P-256.
class PushKey {
public:
    static Result<PushKey> make();
    // Of its private number and its public point, as RFC 8291's example gives them. Error: bad_key.
    static Result<PushKey> from(std::string_view private_number, std::string_view public_point);
    std::string public_point() const;  // 65 bytes, uncompressed

    struct Handle;  // OpenSSL's, behind web_push.cpp
    const Handle& handle() const { return *handle_; }

private:
    friend class PushIdentity;
    explicit PushKey(std::shared_ptr<const Handle> handle) : handle_(std::move(handle)) {}
    std::shared_ptr<const Handle> handle_;
};

struct PushTarget {
    std::string public_point;  // of the browser, 65 bytes
    std::string auth;          // its secret, 16 bytes
};
// The body of the request, for at most 3900 bytes of text. `ephemeral` and `salt` (16 bytes) are for this
// message alone. Error: bad_key.
Result<std::string> encrypt_push(
    std::string_view text, const PushTarget& to, const PushKey& ephemeral, std::string_view salt);
// The same with a key and a salt of its own.
Result<std::string> encrypt_push(std::string_view text, const PushTarget& to);

// Who sends, towards push services: one key pair, for as long as subscriptions are to be of use.
class PushIdentity {
public:
    explicit PushIdentity(PushKey key) : key_(std::move(key)) {}
    // Reads the file, or makes it with a new key, readable by its owner alone. Error: key_unusable.
    static Result<PushIdentity> open(const std::string& path);
    std::string public_key() const;  // base64url, as browsers subscribe with it
    // Value of Authorization for a push service's origin. `contact`: "mailto:…" or an https URL.
    Result<std::string> authorization(
        const std::string& origin, const std::string& contact, Timestamp expires) const;

private:
    PushKey key_;
};

}  // namespace berth::hub
