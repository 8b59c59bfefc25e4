#include "identity/sign_in.hpp"

#include "base/text.hpp"
#include "identity/names.hpp"
#include "obs/log.hpp"

namespace berth::identity {

std::string_view text_of(SignInErrc reason) {
    switch (reason) {
        case SignInErrc::wrong_credentials:
            return "wrong credentials";
        case SignInErrc::not_allowed:
            return "not allowed to sign in";
        case SignInErrc::throttled:
            return "too many tries";
        case SignInErrc::authenticator_failed:
            return "the authenticator failed";
    }
    return "unknown";
}

namespace {

// The lists are normalised as names are: compared raw, "Admin" once got in beside "admin" (hub-protocol §20).
std::unordered_set<std::string> normalised(const std::vector<std::string>& names) {
    std::unordered_set<std::string> set;
    for (const auto& each : names)
        if (const auto name = user_name(each)) set.insert(name->value);
    return set;
}

}  // namespace

SignIn::SignIn(
    Directory& directory,
    std::unique_ptr<Authenticator> authenticator,
    const config::AuthenticationOptions& options)
    : directory_(directory),
      authenticator_(std::move(authenticator)),
      throttle_(options.tries_before_delay),
      allow_all_(options.allow_all),
      admins_(normalised(options.admins)),
      allowed_(normalised(options.allowed_users)),
      blocked_(normalised(options.blocked_users)) {}

bool SignIn::allowed(const UserName& name) const {
    if (blocked_.contains(name.value)) return false;
    if (admins_.contains(name.value)) return true;
    return allowed_.empty() ? allow_all_ : allowed_.contains(name.value);
}

awaitable<Result<UserId>> SignIn::sign_in(Credentials credentials, Deadline deadline) {
    const auto now = Throttle::Clock::now();
    credentials.username = std::string(trim(credentials.username));  // keyboards of phones add a space
    const auto account = to_lower(credentials.username);
    const auto address = credentials.client_address;
    if (const auto wait = throttle_.wait(account, address, now); wait.count() > 0) {
        log::info("sign_in.throttled", {{"user", for_log(account)}, {"address", address}});
        co_return Error{
            SignInErrc::throttled,
            "Too many failed tries. Wait " + std::to_string(wait.count()) + " seconds, then try again.",
            std::to_string(wait.count())};
    }
    throttle_.begin_try(account, address, now);
    const auto identity = co_await authenticator_->authenticate(std::move(credentials), deadline);
    if (!identity) {
        const bool ours = identity.error().is(SignInErrc::authenticator_failed);
        if (ours) throttle_.take_back(account, address);
        log::info(
            ours ? "sign_in.failed" : "sign_in.refused",
            {{"user", for_log(account)}, {"address", address}, {"reason", identity.error().detail}});
        co_return identity.error();
    }
    throttle_.succeeded(account, address);
    if (!allowed(identity->name)) {
        log::info("sign_in.not_allowed", {{"user", for_log(identity->name.value)}, {"address", address}});
        co_return Error{
            SignInErrc::not_allowed,
            "This account may not sign in here. Ask your administrator to allow it."};
    }
    Identity admitted = *identity;
    co_return co_await admit(std::move(admitted));
}

awaitable<Result<UserId>> SignIn::admit(Identity identity) {
    const bool admin = identity.admin.value_or(false) || listed_admin(identity.name);
    const auto* user = directory_.find(identity.name);
    if (user == nullptr) {
        NewUser fresh{identity.name, admin};
        std::vector<NewUser> one{std::move(fresh)};
        BERTH_CO_CHECK(
            co_await directory_.create_users(std::move(one), now_utc()));  // fine when somebody was faster
        user = directory_.find(identity.name);
        if (user == nullptr)
            co_return Error{SignInErrc::authenticator_failed, "Try again.", "user deleted meanwhile"};
    }
    const auto id = user->id();
    // A list makes administrators; only an authenticator that knows may also take it away.
    const bool wanted =
        identity.admin && !listed_admin(identity.name) ? *identity.admin : user->row.admin || admin;
    if (user->row.admin != wanted) BERTH_CO_CHECK(co_await directory_.set_admin(id, wanted));
    user = directory_.find(id);
    if (user != nullptr && identity.info && user->row.user_info != *identity.info)
        BERTH_CO_CHECK(co_await directory_.set_user_info(id, *identity.info));
    directory_.touch(id, now_utc());
    co_return id;
}

}  // namespace berth::identity
