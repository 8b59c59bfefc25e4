// Proves who somebody is. One interface; every implementation passes
// identity/authenticator_contract_test.hpp. What an identity may then do (allow, block, admin lists) is
// identity/sign_in.hpp's question. Hub strand.
#pragma once

#include "async/awaitable.hpp"
#include "async/deadline.hpp"
#include "base/ids.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace berth::identity {

enum class SignInErrc {
    wrong_credentials = 1,  // unknown user and wrong password look the same
    not_allowed,            // credentials are right, but the lists refuse
    throttled,              // too many tries; the message says for how long
    authenticator_failed,   // ours: detail says what
};
std::string_view text_of(SignInErrc reason);
BERTH_ERROR_CATEGORY(SignInErrc, "sign_in")

struct Credentials {
    std::string username;  // as typed
    Secret password;
    std::string client_address;
};

struct Identity {
    UserName name;                    // normalised
    std::optional<bool> admin;        // when the authenticator knows it
    std::optional<json::value> info;  // public facts for user_info; none leaves the stored ones alone
};

class Authenticator {
public:
    virtual ~Authenticator() = default;
    virtual std::string_view name() const = 0;  // "password", "dummy": as authentication.method spells it
    // Errors: wrong_credentials, authenticator_failed. Takes as long for an unknown user as for a wrong
    // password.
    virtual awaitable<Result<Identity>> authenticate(Credentials credentials, Deadline deadline) = 0;
    // False when whoever signs in is made a user then and there (dummy).
    virtual bool needs_account() const = 0;
    // "" or a sentence every page shows.
    virtual std::string banner() const { return {}; }
};

}  // namespace berth::identity
