#include "identity/authenticator_contract_test.hpp"
#include "identity/authenticators/dummy.hpp"
#include "identity/authenticators/password.hpp"
#include "identity/password.hpp"
#include "identity/sign_in.hpp"

namespace berth::identity::test {
namespace {

constexpr const char* kRight = "right horse battery";

}  // namespace

AuthenticatorContract::AuthenticatorContract() {
    static const std::string hash = hash_password(Secret(kRight));  // once: it takes long on purpose
    const auto ann = make_user("ann");
    EXPECT_TRUE(run(directory_->set_password_hash(ann, hash)));
    authenticator_ = GetParam().make(*directory_, pool_);
}

TEST_P(AuthenticatorContract, KnowsWhoKnowsThePassword) {
    const auto identity = attempt("ann", kRight);
    ASSERT_TRUE(identity) << identity.error().message;
    EXPECT_EQ(identity->name.value, "ann");
}

TEST_P(AuthenticatorContract, NormalisesTheName) {
    const auto identity = attempt("ANN", kRight);
    ASSERT_TRUE(identity);
    EXPECT_EQ(identity->name.value, "ann");
}

TEST_P(AuthenticatorContract, RefusesWrongPasswordsAndImpossibleNamesAlike) {
    const auto message = attempt("ann", "wrong horse battery").error().message;
    for (const auto& [name, password] : std::vector<std::pair<std::string, std::string>>{
             {"ann", ""},
             {"ann", std::string(kRight) + " "},
             {"ann", std::string(100'000, 'x')},
             {"..", kRight},
             {"", kRight},
             {"a/b", kRight},
             {"a\xff", kRight}}) {
        const auto refused = attempt(name, password);
        ASSERT_FALSE(refused) << name;
        EXPECT_TRUE(refused.error().is(SignInErrc::wrong_credentials)) << name;
        EXPECT_EQ(refused.error().message, message);
        EXPECT_EQ(refused.error().detail.find("horse"), std::string::npos);
    }
}

TEST_P(AuthenticatorContract, SaysWhetherAnAccountMustExist) {
    const auto unknown = attempt("nobody", kRight);
    EXPECT_EQ(unknown.has_value(), !authenticator_->needs_account());
}

TEST_P(AuthenticatorContract, HasTheNameTheConfigurationUses) {
    EXPECT_EQ(authenticator_->name(), GetParam().name);
}

INSTANTIATE_TEST_SUITE_P(
    All,
    AuthenticatorContract,
    testing::Values(
        AuthenticatorCase{
            "password",
            [](Directory& directory, BlockingPool& pool) {
                return make_password_authenticator(directory, pool);
            }},
        AuthenticatorCase{
            "dummy",
            [](Directory&, BlockingPool&) {
                config::DummyOptions options;
                options.password = Secret(kRight);
                return make_dummy_authenticator(std::move(options));
            }}),
    [](const auto& each) { return each.param.name; });

namespace {

using PasswordTest = DirectoryFixture;

TEST_F(PasswordTest, AUserWithoutAPasswordCannotSignIn) {
    BlockingPool pool(1, 10);
    make_user("bob");
    const auto authenticator = make_password_authenticator(*directory_, pool);
    Credentials credentials;
    credentials.username = "bob";
    EXPECT_FALSE(run(authenticator->authenticate(std::move(credentials), Deadline::in(10s))));
}

TEST_F(PasswordTest, AnUnknownNameTakesAsLongAsAWrongPassword) {
    BlockingPool pool(1, 10);
    const auto ann = make_user("ann");
    ASSERT_TRUE(run(set_password(*directory_, pool, ann, Secret(kRight))));
    const auto authenticator = make_password_authenticator(*directory_, pool);
    const auto took = [&](const std::string& name) {
        auto best = std::chrono::steady_clock::duration::max();
        for (int n = 0; n < 3; ++n) {
            Credentials credentials;
            credentials.username = name;
            credentials.password = Secret("wrong");
            const auto begin = std::chrono::steady_clock::now();
            EXPECT_FALSE(run(authenticator->authenticate(std::move(credentials), Deadline::in(10s))));
            best = std::min(best, std::chrono::steady_clock::now() - begin);
        }
        return std::chrono::duration<double>(best).count();
    };
    const auto known = took("ann");
    const auto unknown = took("nobody");
    EXPECT_GT(unknown, known / 3);
    EXPECT_GT(known, unknown / 3);
}

TEST_F(PasswordTest, ShortAndHugePasswordsAreRefusedWithTheRule) {
    EXPECT_TRUE(check_password(Secret("1234567")).error().is(DirectoryErrc::password_too_short));
    EXPECT_TRUE(check_password(Secret("ääääääää"))) << "characters count, not bytes";
    EXPECT_TRUE(check_password(Secret("äää1234")).error().is(DirectoryErrc::password_too_short));
    EXPECT_TRUE(check_password(Secret(std::string(1025, 'x'))).error().is(DirectoryErrc::password_too_long));
}

TEST_F(PasswordTest, ThePasswordStaysAfterARestartAndIsNowhereInTheDatabase) {
    BlockingPool pool(1, 10);
    ASSERT_TRUE(run(set_password(*directory_, pool, make_user("ann"), Secret(kRight))));
    reopen();
    const auto* ann = directory_->find(UserName("ann"));
    ASSERT_TRUE(ann->row.password_hash);
    EXPECT_TRUE(ann->row.password_hash->starts_with("$argon2id$"));
    EXPECT_TRUE(verify_password(*ann->row.password_hash, Secret(kRight)));
}

class SignInTest : public DirectoryFixture {
protected:
    SignIn make(config::AuthenticationOptions options) {
        config::DummyOptions dummy;
        dummy.password = Secret("pw");
        return SignIn(*directory_, make_dummy_authenticator(std::move(dummy)), options);
    }
    Result<UserId> attempt(SignIn& sign_in, const std::string& name, const std::string& password = "pw") {
        Credentials credentials;
        credentials.username = name;
        credentials.password = Secret(password);
        credentials.client_address = "10.0.0.1";
        return run(sign_in.sign_in(std::move(credentials), Deadline::in(10s)));
    }
};

TEST_F(SignInTest, MakesTheAccountAndTheAdministratorOfTheList) {
    config::AuthenticationOptions options;
    options.admins = {"Admin"};
    auto sign_in = make(options);
    const auto admin = attempt(sign_in, "ADMIN");
    ASSERT_TRUE(admin);
    EXPECT_TRUE(directory_->find(*admin)->row.admin);
    const auto ann = attempt(sign_in, "ann");
    ASSERT_TRUE(ann);
    EXPECT_FALSE(directory_->find(*ann)->row.admin);
    EXPECT_EQ(attempt(sign_in, "Ann").value(), *ann);
    EXPECT_TRUE(directory_->find(*ann)->row.last_activity);
}

TEST_F(SignInTest, ListsAreNormalisedAndBlockedWins) {
    config::AuthenticationOptions options;
    options.admins = {"root"};
    options.allowed_users = {"Ann"};
    options.blocked_users = {"EVE", "root2"};
    auto sign_in = make(options);
    EXPECT_TRUE(attempt(sign_in, "ann"));
    EXPECT_TRUE(attempt(sign_in, "root")) << "administrators are always allowed";
    EXPECT_TRUE(attempt(sign_in, "bob").error().is(SignInErrc::not_allowed));
    EXPECT_TRUE(attempt(sign_in, "Eve").error().is(SignInErrc::not_allowed));
    EXPECT_EQ(directory_->find(UserName("bob")), nullptr) << "no account for who may not enter";
    options.admins = {"root2"};
    auto blocked = make(options);
    EXPECT_FALSE(blocked.allowed(UserName("root2")));
}

TEST_F(SignInTest, FailedTriesAreSlowedAndEvenTheRightPasswordMustWait) {
    config::AuthenticationOptions options;
    options.tries_before_delay = 3;
    auto sign_in = make(options);
    for (int n = 0; n < 3; ++n)
        EXPECT_TRUE(attempt(sign_in, "ann", "no").error().is(SignInErrc::wrong_credentials));
    const auto slowed = attempt(sign_in, "Ann");
    ASSERT_FALSE(slowed);
    EXPECT_TRUE(slowed.error().is(SignInErrc::throttled));
    EXPECT_NE(slowed.error().message.find("Wait 1 seconds"), std::string::npos) << slowed.error().message;
    EXPECT_TRUE(attempt(sign_in, "bob"));
}

}  // namespace
}  // namespace berth::identity::test
