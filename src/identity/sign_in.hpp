// Signing in, from typed name to user: normalise, throttle, authenticate, allow/block/admin lists, account
// made or brought up to date. Hub strand; owned by app/. The page that calls it sets the cookies (gate/).
#pragma once

#include "config/options.hpp"
#include "identity/authenticator.hpp"
#include "identity/directory.hpp"
#include "identity/throttle.hpp"

#include <memory>
#include <unordered_set>

namespace berth::identity {

class SignIn {
public:
    SignIn(
        Directory& directory,
        std::unique_ptr<Authenticator> authenticator,
        const config::AuthenticationOptions& options);

    // Errors: wrong_credentials, not_allowed, throttled, authenticator_failed, StoreErrc. The message is for
    // the person: "Invalid username or password" unless waiting helps.
    awaitable<Result<UserId>> sign_in(Credentials credentials, Deadline deadline);

    // Blocked wins; administrators of the list are always allowed.
    bool allowed(const UserName& name) const;
    bool listed_admin(const UserName& name) const { return admins_.contains(name.value); }
    const Authenticator& authenticator() const { return *authenticator_; }

private:
    awaitable<Result<UserId>> admit(Identity identity);

    Directory& directory_;
    std::unique_ptr<Authenticator> authenticator_;
    Throttle throttle_;
    bool allow_all_;
    std::unordered_set<std::string> admins_;  // normalised, as all three
    std::unordered_set<std::string> allowed_;
    std::unordered_set<std::string> blocked_;
};

}  // namespace berth::identity
