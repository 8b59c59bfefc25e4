// The cases of hub-protocol §3 and Appendix B.
#include "identity/oauth/provider.hpp"

#include "base/text.hpp"
#include "identity/impl/directory_fixture.hpp"
#include "identity/server_credentials.hpp"

namespace berth::identity::test {
namespace {

using Texts = std::vector<std::string>;

class OAuthTest : public DirectoryFixture {
protected:
    OAuthTest() {
        alice_ = make_user("alice");
        bob_ = make_user("bob");
        admin_ = make_user("root", true);
        server_ = make_server(alice_, "");
        auto made = make_server_credentials(
            *directory_, server_, {UserName("alice"), ServerName()}, "/user/alice/", kNow);
        secret_ = made->api_token.reveal();
        EXPECT_TRUE(run(directory_->commit(std::move(made->mutation))));
        provider_ = std::make_unique<OAuthProvider>(*directory_, options_);
    }
    void add_service(Texts allowed, bool no_confirm = false) {
        config::ServiceOptions service;
        service.name = "svc";
        service.api_token = Secret("service-secret");
        service.url = "http://127.0.0.1:1";
        service.oauth_client_allowed_scopes = std::move(allowed);
        service.oauth_no_confirm = no_confirm;
        EXPECT_TRUE(run(directory_->create_service(std::move(service), kNow)));
        config::RoleOptions role;
        role.name = "enters";
        role.scopes = {"access:services"};
        role.users = {"alice"};
        config::Options options;
        options.roles = {role};
        EXPECT_TRUE(run(directory_->apply_config(options, kNow)));
    }

    static Parameters query(Parameters changed = {}) {
        Parameters parameters{
            {"client_id", "jupyterhub-user-alice"},
            {"redirect_uri", "/user/alice/oauth_callback"},
            {"response_type", "code"},
            {"state", "st a&te"}};
        return with(std::move(parameters), std::move(changed));
    }
    static Parameters service_query(Parameters changed = {}) {
        Parameters parameters{{"client_id", "service-svc"}, {"response_type", "code"}};
        return with(std::move(parameters), std::move(changed));
    }
    // A value "-" takes the parameter away.
    static Parameters with(Parameters parameters, Parameters changed) {
        for (auto& each : changed) {
            std::erase_if(parameters, [&](const auto& present) { return present.name == each.name; });
            if (each.value != "-") parameters.push_back(std::move(each));
        }
        return parameters;
    }
    AuthorizeOutcome ask(const Parameters& parameters, UserId visitor) {
        return provider_->check(parameters, *directory_->find(visitor), std::nullopt, kNow);
    }
    Authorization granted(const Parameters& parameters, UserId visitor) {
        auto outcome = ask(parameters, visitor);
        EXPECT_TRUE(std::holds_alternative<Authorization>(outcome));
        return std::holds_alternative<Authorization>(outcome) ? std::get<Authorization>(outcome)
                                                              : Authorization{};
    }
    OAuthErrc fatal(const Parameters& parameters, UserId visitor) {
        const auto outcome = ask(parameters, visitor);
        EXPECT_TRUE(std::holds_alternative<FatalError>(outcome));
        return std::holds_alternative<FatalError>(outcome) ? std::get<FatalError>(outcome).reason
                                                           : OAuthErrc{};
    }
    std::string redirected(const Parameters& parameters, UserId visitor) {
        const auto outcome = ask(parameters, visitor);
        EXPECT_TRUE(std::holds_alternative<RedirectError>(outcome));
        return std::holds_alternative<RedirectError>(outcome) ? std::get<RedirectError>(outcome).location
                                                              : "";
    }
    // The code of a complete visit.
    std::string code(const Parameters& parameters, UserId visitor, const std::string& session = "s1") {
        const auto location =
            run(provider_->issue_code(granted(parameters, visitor), visitor, session, kNow, std::nullopt))
                .value();
        const auto begin = location.find("code=") + 5;
        return location.substr(begin, 30);
    }
    Parameters form(const std::string& with_code, Parameters changed = {}) {
        Parameters parameters{
            {"client_id", "jupyterhub-user-alice"},
            {"client_secret", secret_},
            {"grant_type", "authorization_code"},
            {"code", with_code},
            {"redirect_uri", "/user/alice/oauth_callback"}};
        return with(std::move(parameters), std::move(changed));
    }
    TokenOutcome exchange(Parameters parameters, Timestamp now = kNow) {
        return run(provider_->exchange(std::move(parameters), false, now)).value();
    }
    std::string refused(Parameters parameters, int status = 400, Timestamp now = kNow) {
        const auto outcome = exchange(std::move(parameters), now);
        EXPECT_TRUE(std::holds_alternative<TokenRefusal>(outcome));
        if (!std::holds_alternative<TokenRefusal>(outcome)) return {};
        EXPECT_EQ(std::get<TokenRefusal>(outcome).status, status);
        return json::serialize(std::get<TokenRefusal>(outcome).body);
    }

    UserId alice_{};
    UserId bob_{};
    UserId admin_{};
    ServerId server_{};
    std::string secret_;
    config::AuthenticationOptions options_;
    std::unique_ptr<OAuthProvider> provider_;
};

TEST_F(OAuthTest, TheOwnerPassesWithoutBeingAsked) {
    const auto authorization = granted(query(), alice_);
    EXPECT_FALSE(authorization.needs_confirmation);
    EXPECT_EQ(
        authorization.scopes,
        (Texts{
            "access:servers!server=alice/", "read:users:groups!user=alice", "read:users:name!user=alice"}));
    const auto location = run(provider_->issue_code(authorization, alice_, "s1", kNow, std::nullopt)).value();
    EXPECT_TRUE(location.starts_with("/user/alice/oauth_callback?code=")) << location;
    EXPECT_TRUE(location.ends_with("&state=st%20a%26te")) << location;
}

TEST_F(OAuthTest, ACodeBecomesATokenOnce) {
    const auto with_code = code(query(), alice_);
    reopen();
    provider_ = std::make_unique<OAuthProvider>(*directory_, options_);
    const auto outcome = exchange(form(with_code));
    ASSERT_TRUE(std::holds_alternative<TokenGrant>(outcome));
    const auto& body = std::get<TokenGrant>(outcome).body;
    EXPECT_EQ(body.at("token_type"), "Bearer");
    EXPECT_EQ(body.at("expires_in"), 1209600);
    const std::string text(body.at("access_token").get_string());
    EXPECT_EQ(text.size(), 30U);
    const auto* token = directory_->find_token(text, kNow);
    ASSERT_NE(token, nullptr);
    EXPECT_EQ(token->row.session_id, "s1");
    EXPECT_EQ(
        directory_->scopes_of(*token)->strings(),
        (Texts{
            "access:servers!server=alice/", "read:users:groups!user=alice", "read:users:name!user=alice"}));
    EXPECT_EQ(directory_->find_token(text, kNow + 15 * 24h), nullptr);
    EXPECT_NE(refused(form(with_code)).find("invalid_grant"), std::string::npos) << "used already";
}

TEST_F(OAuthTest, ACodeIsUsedOnceEvenByTwoAtOnce) {
    const auto with_code = code(query(), alice_);
    int granted_count = 0;
    const auto once = [](OAuthProvider& provider, Parameters parameters, int& count) -> awaitable<> {
        const auto outcome = co_await provider.exchange(std::move(parameters), false, kNow);
        if (outcome && std::holds_alternative<TokenGrant>(*outcome)) ++count;
    };
    std::vector<awaitable<>> both;
    both.push_back(once(*provider_, form(with_code), granted_count));
    both.push_back(once(*provider_, form(with_code), granted_count));
    run_all_to_end(std::move(both));
    EXPECT_EQ(granted_count, 1);
}

TEST_F(OAuthTest, NothingIsRedirectedThatCannotBeTrusted) {
    EXPECT_EQ(fatal(query({{"client_id", "-"}}), alice_), OAuthErrc::missing_client_id);
    EXPECT_EQ(fatal(query({{"client_id", "nobody"}}), alice_), OAuthErrc::unknown_client);
    EXPECT_EQ(fatal(query({{"client_id", "jupyterhub"}}), alice_), OAuthErrc::unknown_client);
    EXPECT_EQ(fatal(query({{"redirect_uri", "javascript:x"}}), alice_), OAuthErrc::malformed_redirect_uri);
    EXPECT_EQ(fatal(query({{"redirect_uri", "https://evil/"}}), alice_), OAuthErrc::mismatching_redirect_uri);
    EXPECT_EQ(
        fatal(query({{"redirect_uri", "/user/alice/oauth_callback/"}}), alice_),
        OAuthErrc::mismatching_redirect_uri);
    auto twice = query();
    twice.push_back({"redirect_uri", "/user/alice/oauth_callback"});
    EXPECT_EQ(fatal(twice, alice_), OAuthErrc::duplicate_parameter);
}

TEST_F(OAuthTest, OtherErrorsGoBackToTheClient) {
    EXPECT_EQ(
        redirected(query({{"response_type", "-"}}), alice_),
        "/user/alice/"
        "oauth_callback?error=invalid_request&error_description=Missing%20response_type%20parameter."
        "&state=st%20a%26te");
    EXPECT_NE(
        redirected(query({{"response_type", "token"}}), alice_).find("unsupported_response_type"),
        std::string::npos);
    EXPECT_NE(redirected(query({{"scope", "nonsense"}}), alice_).find("invalid_scope"), std::string::npos);
    EXPECT_NE(redirected(query({{"scope", "admin:users"}}), alice_).find("invalid_scope"), std::string::npos);
    EXPECT_NE(
        redirected(query({{"code_challenge", "x"}, {"code_challenge_method", "S512"}}), alice_)
            .find("Transform%20algorithm%20not%20supported."),
        std::string::npos);
}

TEST_F(OAuthTest, WhoMayNotOpenTheServerIsRefused) {
    EXPECT_EQ(fatal(query(), bob_), OAuthErrc::access_denied_to_client);
    EXPECT_EQ(
        std::get<FatalError>(ask(query(), bob_)).message,
        "You do not have permission to access Server at /user/alice/");
}

TEST_F(OAuthTest, AnAdministratorIsAskedTheFirstTime) {
    EXPECT_TRUE(granted(query(), admin_).needs_confirmation);
    const auto with_code = code(query(), admin_);
    ASSERT_TRUE(std::holds_alternative<TokenGrant>(exchange(form(with_code))));
    EXPECT_FALSE(granted(query(), admin_).needs_confirmation) << "an earlier token covers it";
}

TEST_F(OAuthTest, StoppingTheServerEndsItsBrowserTokens) {
    const auto outcome = exchange(form(code(query(), alice_)));
    const std::string text(std::get<TokenGrant>(outcome).body.at("access_token").get_string());
    auto removal = remove_server_credentials(*directory_, server_, {UserName("alice"), ServerName()});
    ASSERT_TRUE(run(directory_->commit(std::move(removal))));
    EXPECT_EQ(directory_->find_token(text, kNow), nullptr);
    reopen();
    EXPECT_EQ(directory_->find_token(text, kNow), nullptr);
}

TEST_F(OAuthTest, ProofKeysBindTheCode) {
    const std::string verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const Parameters s256{
        {"code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, {"code_challenge_method", "S256"}};
    const auto hashed = code(query(s256), alice_);
    EXPECT_NE(refused(form(hashed)).find("Code verifier required."), std::string::npos);
    EXPECT_EQ(refused(form(hashed, {{"code_verifier", "wrong"}})), R"({"error":"invalid_grant"})");
    EXPECT_TRUE(std::holds_alternative<TokenGrant>(exchange(form(hashed, {{"code_verifier", verifier}}))))
        << "a failed exchange does not use the code up";
    const auto plain = code(query({{"code_challenge", "abc"}}), alice_);
    EXPECT_TRUE(std::holds_alternative<TokenGrant>(exchange(form(plain, {{"code_verifier", "abc"}}))));
    const auto empty = code(query({{"code_challenge", ""}}), alice_);
    EXPECT_NE(refused(form(empty)).find("Code verifier required."), std::string::npos)
        << "even an empty one binds";
    const auto unbound = code(query({{"code_challenge_method", "S256"}}), alice_);
    EXPECT_TRUE(std::holds_alternative<TokenGrant>(exchange(form(unbound, {{"code_verifier", "ignored"}}))));
}

TEST_F(OAuthTest, ProofKeysCanBeRequired) {
    options_.oauth_require_pkce = true;
    provider_ = std::make_unique<OAuthProvider>(*directory_, options_);
    EXPECT_NE(redirected(query(), alice_).find("Code%20challenge%20required."), std::string::npos);
}

TEST_F(OAuthTest, TheTokenEndpointSaysWhatIsWrong) {
    const auto with_code = code(query(), alice_);
    EXPECT_NE(
        refused(form(with_code, {{"client_secret", "wrong"}}), 401).find("invalid_client"),
        std::string::npos);
    EXPECT_NE(
        refused(form(with_code, {{"client_secret", "-"}}), 401).find("invalid_client"), std::string::npos);
    EXPECT_NE(
        refused(form(with_code, {{"client_id", "nobody"}}), 401).find("invalid_client"), std::string::npos);
    EXPECT_NE(refused(form("unknown")).find("invalid_grant"), std::string::npos);
    EXPECT_NE(
        refused(form(with_code, {{"redirect_uri", "/other"}})).find("invalid_request"), std::string::npos);
    EXPECT_NE(
        refused(form(with_code, {{"grant_type", "password"}})).find("unsupported_grant_type"),
        std::string::npos);
    EXPECT_NE(refused(form(with_code, {{"grant_type", "-"}})).find("invalid_request"), std::string::npos);
    EXPECT_NE(refused(form(with_code, {{"code", "-"}})).find("invalid_request"), std::string::npos);
    EXPECT_NE(refused(form(with_code), 400, kNow + 300s).find("invalid_grant"), std::string::npos)
        << "expired";
    const auto in_url = run(provider_->exchange(form(with_code), true, kNow)).value();
    EXPECT_TRUE(std::holds_alternative<TokenRefusal>(in_url));
    add_service({});
    EXPECT_NE(
        refused(form(with_code, {{"client_id", "service-svc"}, {"client_secret", "service-secret"}}))
            .find("invalid_grant"),
        std::string::npos)
        << "another client's code";
}

TEST_F(OAuthTest, AServiceWithoutScopesLearnsWhoItIs) {
    add_service({});
    const auto authorization = granted(service_query(), alice_);
    EXPECT_TRUE(authorization.needs_confirmation);
    EXPECT_EQ(
        authorization.scopes,
        (Texts{"access:services!service=svc", "read:users:groups!user=alice", "read:users:name!user=alice"}));
    EXPECT_EQ(fatal(service_query(), bob_), OAuthErrc::access_denied_to_client);
}

TEST_F(OAuthTest, AServiceGetsWhatIsAllowedAndHeld) {
    add_service({"self", "admin:users"});
    const auto all = granted(service_query(), alice_).scopes;
    EXPECT_TRUE(std::find(all.begin(), all.end(), "servers!user=alice") != all.end());
    EXPECT_TRUE(std::none_of(all.begin(), all.end(), [](const auto& each) {
        return each.starts_with("admin:");
    })) << "allowed for the client, but not held by alice";
    EXPECT_EQ(
        granted(service_query({{"scope", "identify"}}), alice_).scopes,
        (Texts{"access:services!service=svc", "read:users:groups!user=alice", "read:users:name!user=alice"}));
    const auto role = granted(service_query({{"scope", "user"}}), alice_).scopes;
    EXPECT_EQ(role, all) << "2.x clients ask for roles";
    EXPECT_NE(
        redirected(service_query({{"scope", "shutdown"}}), alice_).find("invalid_scope"), std::string::npos);
}

TEST_F(OAuthTest, TheConsentPageCanOnlyTakeAway) {
    add_service({"self"});
    const auto* alice = directory_->find(alice_);
    const auto less = provider_->check(service_query(), *alice, Texts{"read:servers!user=alice"});
    ASSERT_TRUE(std::holds_alternative<Authorization>(less));
    const auto& scopes = std::get<Authorization>(less).scopes;
    EXPECT_TRUE(std::find(scopes.begin(), scopes.end(), "read:servers!user=alice") != scopes.end());
    EXPECT_TRUE(std::find(scopes.begin(), scopes.end(), "servers!user=alice") == scopes.end());
    EXPECT_TRUE(
        std::holds_alternative<RedirectError>(provider_->check(service_query(), *alice, Texts{"shutdown"})));
}

TEST_F(OAuthTest, ATrustedServiceDoesNotAsk) {
    add_service({"self"}, true);
    EXPECT_FALSE(granted(service_query(), alice_).needs_confirmation);
}

}  // namespace
}  // namespace berth::identity::test
