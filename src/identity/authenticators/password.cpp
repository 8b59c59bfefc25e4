#include "identity/authenticators/password.hpp"

#include "identity/names.hpp"
#include "identity/password.hpp"

namespace berth::identity {

namespace {

// The hash of a random text nobody has, with the cost of every other: verified for names without a password,
// so that the time taken does not tell who has an account.
constexpr const char* kNobodysHash =
    "$argon2id$v=19$m=65536,t=2,p=1$nA2yM94IQNf5Ae6O8THU/g$3ziCpeZus/bt09M7JzzNDYswSj6y5RZExf1sg+eoDxw";

Error wrong() {
    return Error{SignInErrc::wrong_credentials, "Invalid username or password"};
}

class PasswordAuthenticator final : public Authenticator {
public:
    PasswordAuthenticator(const Directory& directory, BlockingPool& pool)
        : directory_(directory), pool_(pool) {}

    std::string_view name() const override { return "password"; }
    bool needs_account() const override { return true; }
    awaitable<Result<Identity>> authenticate(Credentials credentials, Deadline deadline) override;

private:
    const Directory& directory_;
    BlockingPool& pool_;
};

awaitable<Result<Identity>> PasswordAuthenticator::authenticate(Credentials credentials, Deadline) {
    if (credentials.password.reveal().size() > kMaxPasswordBytes) co_return wrong();
    const auto name = user_name(credentials.username);
    const auto* user = name ? directory_.find(*name) : nullptr;
    const bool has_password = user != nullptr && user->row.password_hash;
    auto hash = has_password ? *user->row.password_hash : std::string(kNobodysHash);
    auto work = [hash = std::move(hash), password = std::move(credentials.password)] {
        return verify_password(hash, password);
    };
    const auto right = co_await pool_.run(std::move(work));
    if (!right)
        co_return Error{SignInErrc::authenticator_failed, right.error().message, right.error().detail};
    if (!*right || !has_password) co_return wrong();
    Identity identity;
    identity.name = *name;
    co_return identity;
}

}  // namespace

std::unique_ptr<Authenticator> make_password_authenticator(const Directory& directory, BlockingPool& pool) {
    return std::make_unique<PasswordAuthenticator>(directory, pool);
}

}  // namespace berth::identity
