#include "identity/authenticators/dummy.hpp"

#include "identity/names.hpp"

namespace berth::identity {

namespace {

class DummyAuthenticator final : public Authenticator {
public:
    explicit DummyAuthenticator(config::DummyOptions options) : options_(std::move(options)) {}

    std::string_view name() const override { return "dummy"; }
    bool needs_account() const override { return false; }
    std::string banner() const override {
        return options_.password.empty()
                   ? "This hub lets anybody in under any name. It is meant for trials only."
                   : "Everybody here shares one password and may take any name. It is meant for trials only.";
    }

    awaitable<Result<Identity>> authenticate(Credentials credentials, Deadline) override {
        const auto name = user_name(credentials.username);
        const bool right =
            options_.password.empty() || options_.password.equals(credentials.password.reveal());
        if (!name || !right) co_return Error{SignInErrc::wrong_credentials, "Invalid username or password"};
        Identity identity;
        identity.name = *name;
        co_return identity;
    }

private:
    config::DummyOptions options_;
};

}  // namespace

std::unique_ptr<Authenticator> make_dummy_authenticator(config::DummyOptions options) {
    return std::make_unique<DummyAuthenticator>(std::move(options));
}

}  // namespace berth::identity
