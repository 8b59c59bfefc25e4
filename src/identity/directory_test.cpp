// The directory over a real store: memory and database agree, before and after a restart.
#include "identity/impl/directory_fixture.hpp"
#include "identity/server_credentials.hpp"
#include "store/queries.hpp"

#include <malloc.h>

namespace berth::identity::test {
namespace {

using Texts = std::vector<std::string>;

class DirectoryTest : public DirectoryFixture {
protected:
    Texts names() {
        Texts list;
        for (const auto* user : directory_->users_by_name())
            list.push_back(user->name().value);
        return list;
    }
    IssuedToken token(UserId user, Texts scopes = {"inherit"}) {
        NewToken wanted;
        wanted.user = user;
        wanted.scopes = std::move(scopes);
        return run(directory_->create_token(std::move(wanted), kNow)).value();
    }
    config::ServiceOptions ops() {
        config::ServiceOptions service;
        service.name = "ops";
        service.api_token = Secret("0123456789abcdef");
        service.scopes = {"admin:users", "admin:servers", "list:users"};
        return service;
    }
};

TEST_F(DirectoryTest, UsersInOrderOfNameAndOfCreation) {
    make_user("zoe");
    ASSERT_EQ(
        run(directory_->create_users(
                {{UserName("bob")}, {UserName("zoe")}, {UserName("ann")}, {UserName("bob")}}, kNow))
            .value()
            .size(),
        2U);
    EXPECT_EQ(names(), (Texts{"ann", "bob", "zoe"}));
    EXPECT_EQ(directory_->users_by_id()[1]->name().value, "bob");
    reopen();
    EXPECT_EQ(names(), (Texts{"ann", "bob", "zoe"}));
    EXPECT_TRUE(run(directory_->create_user({UserName("ann")}, kNow)).error().is(DirectoryErrc::user_exists));
    EXPECT_EQ(
        directory_->find_by_cookie(directory_->find(UserName("bob"))->row.cookie_id)->name().value, "bob");
}

TEST_F(DirectoryTest, TwoWhoCreateTheSameUsersAtOnceBothEndWell) {
    std::vector<Result<std::vector<UserId>>> answers;
    const auto create = [](Directory& directory, std::vector<NewUser> users, auto& into) -> awaitable<> {
        auto answer = co_await directory.create_users(std::move(users), kNow);
        into.push_back(std::move(answer));
    };
    std::vector<NewUser> first{{UserName("a")}, {UserName("b")}};
    std::vector<NewUser> second{{UserName("b")}, {UserName("c")}};
    std::vector<awaitable<>> both;
    both.push_back(create(*directory_, first, answers));
    both.push_back(create(*directory_, second, answers));
    run_all_to_end(std::move(both));
    ASSERT_EQ(answers.size(), 2U);
    EXPECT_EQ(answers[0]->size() + answers[1]->size(), 3U);
    EXPECT_EQ(names(), (Texts{"a", "b", "c"}));
}

TEST_F(DirectoryTest, RenameAndRemovalTakeEffectWithTheCommitOnly) {
    const auto ann = make_user("ann");
    make_user("bob");
    EXPECT_TRUE(directory_->prepare_rename(ann, UserName("bob")).error().is(DirectoryErrc::user_exists));
    auto rename = directory_->prepare_rename(ann, UserName("carla")).value();
    EXPECT_NE(directory_->find(UserName("ann")), nullptr);
    ASSERT_TRUE(run(directory_->commit(std::move(rename))));
    EXPECT_EQ(names(), (Texts{"bob", "carla"}));
    const auto secret = token(ann).token.reveal();
    auto removal = directory_->prepare_removal(ann).value();
    ASSERT_TRUE(run(directory_->commit(std::move(removal))));
    EXPECT_EQ(directory_->find(ann), nullptr);
    EXPECT_EQ(directory_->find_token(secret, kNow), nullptr);
    reopen();
    EXPECT_EQ(names(), (Texts{"bob"}));
}

TEST_F(DirectoryTest, GroupsGiveTheirRoles) {
    const auto ann = make_user("ann");
    const auto lab = run(directory_->create_group(GroupName("lab"), {ann})).value();
    EXPECT_TRUE(run(directory_->create_group(GroupName("lab"), {})).error().is(DirectoryErrc::group_exists));
    config::Options options;
    config::RoleOptions role;
    role.name = "viewer";
    role.scopes = {"list:users"};
    role.groups = {"lab"};
    options.roles = {role};
    ASSERT_TRUE(run(directory_->apply_config(options, kNow)));
    EXPECT_TRUE(directory_->is_member("ann", "lab"));
    EXPECT_TRUE(directory_->scopes_of(*directory_->find(ann))->has_everywhere("list:users"));
    ASSERT_TRUE(run(directory_->remove_members(lab, {ann})));
    EXPECT_FALSE(directory_->is_member("ann", "lab"));
    EXPECT_FALSE(directory_->scopes_of(*directory_->find(ann))->has_everywhere("list:users"));
    ASSERT_TRUE(run(directory_->add_members(lab, {ann})));
    ASSERT_TRUE(run(directory_->set_properties(lab, {{"quota", 3}})));
    reopen();
    EXPECT_EQ(directory_->group_names_of(*directory_->find(ann)), (Texts{"lab"}));
    EXPECT_EQ(directory_->find(lab)->row.properties, (json::value{{"quota", 3}}));
    EXPECT_TRUE(directory_->scopes_of(*directory_->find(ann))->has_everywhere("list:users"));
    ASSERT_TRUE(run(directory_->apply_config({}, kNow)));
    EXPECT_FALSE(directory_->scopes_of(*directory_->find(ann))->has_everywhere("list:users"))
        << "the role is gone";
    ASSERT_TRUE(run(directory_->remove_group(lab)));
    EXPECT_TRUE(directory_->group_names_of(*directory_->find(ann)).empty());
}

TEST_F(DirectoryTest, AnAdministratorHasTheAdminRole) {
    const auto ann = make_user("ann");
    EXPECT_TRUE(directory_->without_admin());
    EXPECT_FALSE(directory_->principal_of(*directory_->find(ann)).scopes().has_everywhere("admin:users"));
    ASSERT_TRUE(run(directory_->set_admin(ann, true)));
    EXPECT_FALSE(directory_->without_admin());
    EXPECT_TRUE(directory_->without_admin_password());
    const auto principal = directory_->principal_of(*directory_->find(ann));
    EXPECT_TRUE(principal.scopes().has_everywhere("admin:users"));
    EXPECT_TRUE(principal.scopes().has_everywhere("gpu:admin"));
    EXPECT_EQ(directory_->role_names_of(*directory_->find(ann)), (Texts{"admin", "user"}));
}

TEST_F(DirectoryTest, TokensAreStoredHashedAndEnd) {
    const auto ann = make_user("ann");
    NewToken wanted;
    wanted.user = ann;
    wanted.note = "mine";
    wanted.expires_at = kNow + 1h;
    const auto issued = run(directory_->create_token(std::move(wanted), kNow)).value();
    EXPECT_EQ(issued.token.reveal().size(), 32U);
    reopen();
    const auto* found = directory_->find_token(issued.token.reveal(), kNow);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->row.hashed.find(issued.token.reveal()), std::string::npos);
    EXPECT_EQ(
        directory_->principal_of(*found).scopes().strings(),
        directory_->scopes_of(*directory_->find(ann))->strings());
    EXPECT_EQ(directory_->find_token(issued.token.reveal(), kNow + 1h), nullptr) << "expired";
    EXPECT_EQ(directory_->find_token(issued.token.reveal() + "x", kNow), nullptr);
    EXPECT_EQ(directory_->find_token(std::string(65, 'x'), kNow), nullptr);
    ASSERT_TRUE(run(directory_->purge_expired(kNow + 2h)));
    EXPECT_TRUE(directory_->tokens_of(ann).empty());
    reopen();
    EXPECT_TRUE(directory_->tokens_of(ann).empty());
}

TEST_F(DirectoryTest, ATokenHoldsNoMoreThanItsOwner) {
    const auto ann = make_user("ann");
    const auto refused = [&](Texts scopes) {
        NewToken wanted;
        wanted.user = ann;
        wanted.scopes = std::move(scopes);
        return run(directory_->create_token(std::move(wanted), kNow)).error();
    };
    EXPECT_TRUE(refused({"admin:users"}).is(DirectoryErrc::scopes_not_held));
    EXPECT_NE(refused({"admin:users"}).message.find("Not assigning requested scopes"), std::string::npos);
    EXPECT_TRUE(refused({"servers!user=bob"}).is(DirectoryErrc::scopes_not_held));
    EXPECT_TRUE(refused({"nonsense"}).is(DirectoryErrc::unknown_scope));
    const auto issued = token(ann, {"read:servers!user"});
    const auto* entry = directory_->find(issued.id);
    EXPECT_EQ(
        directory_->scopes_of(*entry)->strings(),
        (Texts{"read:servers!user=ann", "read:users:groups!user=ann", "read:users:name!user=ann"}));
    // What the owner loses, the token loses: inherit is what the owner has now.
    ASSERT_TRUE(run(directory_->set_admin(ann, true)));
    const auto inheriting = token(ann);
    EXPECT_TRUE(directory_->scopes_of(*directory_->find(inheriting.id))->has_everywhere("admin:users"));
    ASSERT_TRUE(run(directory_->set_admin(ann, false)));
    EXPECT_FALSE(directory_->scopes_of(*directory_->find(inheriting.id))->has_everywhere("admin:users"));
}

TEST_F(DirectoryTest, SignOutEndsTheTokensOfThatBrowserOnly) {
    const auto ann = make_user("ann");
    const auto in_session = [&](const std::string& session) {
        NewToken wanted;
        wanted.user = ann;
        wanted.session_id = session;
        return run(directory_->create_token(std::move(wanted), kNow)).value().token.reveal();
    };
    ASSERT_TRUE(run(directory_->create_session(ann, "s1", "10.0.0.1", "Firefox", kNow)));
    ASSERT_TRUE(run(directory_->create_session(ann, "s1", "10.0.0.1", "Firefox", kNow))) << "signed in again";
    const auto first = in_session("s1");
    const auto second = in_session("s2");
    EXPECT_NE(directory_->find_session("s1"), nullptr);
    ASSERT_TRUE(run(directory_->end_session(ann, "s1")));
    EXPECT_EQ(directory_->find_session("s1"), nullptr);
    EXPECT_EQ(directory_->find_token(first, kNow), nullptr);
    EXPECT_NE(directory_->find_token(second, kNow), nullptr);
    const auto bob = make_user("bob");
    ASSERT_TRUE(run(directory_->end_session(bob, "s2")));
    EXPECT_NE(directory_->find_token(second, kNow), nullptr) << "somebody else's session id ends nothing";
    const auto cookie = directory_->find(ann)->row.cookie_id;
    ASSERT_TRUE(run(directory_->commit(directory_->prepare_end_of_sessions(ann))));
    EXPECT_EQ(directory_->find_by_cookie(cookie), nullptr);
    EXPECT_NE(directory_->find_by_cookie(directory_->find(ann)->row.cookie_id), nullptr);
}

TEST_F(DirectoryTest, ALinkIsUsedOnce) {
    const auto first = run(directory_->create_invite(std::nullopt, kNow, 1h)).value();
    const auto link = run(directory_->create_invite(std::nullopt, kNow, 1h)).value();
    EXPECT_EQ(directory_->find_invite(first.reveal(), kNow), nullptr) << "the older link is void";
    reopen();
    EXPECT_EQ(directory_->find_invite(link.reveal(), kNow + 1h), nullptr) << "expired";
    const auto used = run(directory_->accept_invite(link.reveal(), UserName("root"), "$hash", kNow));
    ASSERT_TRUE(used);
    EXPECT_TRUE(directory_->find(*used)->row.admin);
    EXPECT_FALSE(directory_->without_admin_password());
    EXPECT_TRUE(run(directory_->accept_invite(link.reveal(), UserName("eve"), "$hash", kNow))
                    .error()
                    .is(DirectoryErrc::invite_invalid));

    const auto ann = make_user("ann");
    const auto hers = run(directory_->create_invite(ann, kNow, 1h)).value();
    ASSERT_EQ(run(directory_->accept_invite(hers.reveal(), std::nullopt, "$new", kNow)).value(), ann);
    reopen();
    EXPECT_EQ(directory_->find(ann)->row.password_hash, "$new");
    EXPECT_FALSE(directory_->find(ann)->row.admin);
}

TEST_F(DirectoryTest, ServicesFollowTheConfiguration) {
    config::Options options;
    auto service = ops();
    service.url = "http://127.0.0.1:9000";
    options.services = {service};
    options.groups["lab"] = {"Ann", "bob"};
    options.authentication.admins = {"Admin"};
    ASSERT_TRUE(run(directory_->apply_config(options, kNow)));
    ASSERT_TRUE(run(directory_->apply_config(options, kNow))) << "again, as at the next start";
    reopen();
    ASSERT_TRUE(run(directory_->apply_config(options, kNow)));
    EXPECT_EQ(names(), (Texts{"admin", "ann", "bob"}));
    EXPECT_TRUE(directory_->find(UserName("admin"))->row.admin);
    EXPECT_TRUE(directory_->is_member("ann", "lab"));
    const auto* token = directory_->find_token("0123456789abcdef", kNow);
    ASSERT_NE(token, nullptr);
    const auto principal = directory_->principal_of(*token);
    EXPECT_EQ(principal.audit_name(), "service:ops");
    EXPECT_TRUE(principal.scopes().has_everywhere("delete:users"));
    EXPECT_FALSE(principal.scopes().has_anywhere("shutdown"));
    const auto* client = directory_->find_client("service-ops");
    ASSERT_NE(client, nullptr);
    EXPECT_EQ(client->redirect_uri, "/services/ops/oauth_callback");
    EXPECT_TRUE(
        run(directory_->remove_service(*token->row.service)).error().is(DirectoryErrc::service_from_config));

    options.services[0].api_token = Secret("another-token");
    ASSERT_TRUE(run(directory_->apply_config(options, kNow)));
    EXPECT_EQ(directory_->find_token("0123456789abcdef", kNow), nullptr) << "the old token is void";
    ASSERT_TRUE(run(directory_->apply_config({}, kNow)));
    reopen();
    EXPECT_EQ(directory_->find(ServiceName("ops")), nullptr);
    EXPECT_EQ(directory_->find_token("another-token", kNow), nullptr);
    EXPECT_EQ(directory_->find_client("service-ops"), nullptr);
}

TEST_F(DirectoryTest, AConfigurationThatCannotBeIsRefusedByName) {
    config::Options options;
    options.services = {ops()};
    options.services[0].scopes = {"admin:everything"};
    auto refused = run(directory_->apply_config(options, kNow));
    EXPECT_TRUE(refused.error().is(DirectoryErrc::unknown_scope));
    EXPECT_NE(refused.error().message.find("ops"), std::string::npos);
    options.services[0] = ops();
    options.services[0].api_token = Secret("short");
    EXPECT_TRUE(run(directory_->apply_config(options, kNow)).error().is(DirectoryErrc::token_malformed));
    options.services = {ops(), ops()};
    options.services[1].name = "other";
    EXPECT_TRUE(run(directory_->apply_config(options, kNow)).error().is(DirectoryErrc::token_exists));
    config::Options bad_admin;
    bad_admin.authentication.admins = {"a/b"};
    EXPECT_NE(
        run(directory_->apply_config(bad_admin, kNow)).error().message.find("authentication.admins"),
        std::string::npos);
}

TEST_F(DirectoryTest, AServiceMadeOverRestCanBeRemoved) {
    const auto id = run(directory_->create_service(ops(), kNow)).value();
    EXPECT_TRUE(run(directory_->create_service(ops(), kNow)).error().is(DirectoryErrc::service_exists));
    ASSERT_TRUE(run(directory_->apply_config({}, kNow)));
    ASSERT_NE(directory_->find(id), nullptr) << "not the configuration's to remove";
    ASSERT_TRUE(run(directory_->remove_service(id)));
    reopen();
    EXPECT_TRUE(directory_->services().empty());
}

TEST_F(DirectoryTest, ActivityMovesForwardAndIsWrittenTogether) {
    const auto ann = make_user("ann");
    const auto issued = token(ann);
    directory_->touch(ann, kNow + 2s);
    directory_->touch(ann, kNow + 1s);
    directory_->touch(issued.id, kNow + 3s);
    EXPECT_EQ(directory_->find(ann)->row.last_activity, kNow + 2s);
    ASSERT_TRUE(run(directory_->flush_activity()));
    reopen();
    EXPECT_EQ(directory_->find(ann)->row.last_activity, kNow + 2s);
    EXPECT_EQ(directory_->find(issued.id)->row.last_activity, kNow + 3s);
}

TEST_F(DirectoryTest, AServersCredentialsComeAndGoWithIt) {
    const auto ann = make_user("ann");
    const auto server = make_server(ann, "");
    const ServerKey key{UserName("ann"), ServerName()};
    auto first = make_server_credentials(*directory_, server, key, "/user/ann/", kNow).value();
    EXPECT_EQ(first.client_id, "jupyterhub-user-ann");
    EXPECT_EQ(first.access_scopes, (Texts{"access:servers!server=ann/", "access:servers!user=ann"}));
    EXPECT_EQ(directory_->find_token(first.api_token.reveal(), kNow), nullptr) << "not before the commit";
    ASSERT_TRUE(run(directory_->commit(std::move(first.mutation))));
    const auto* token = directory_->find_token(first.api_token.reveal(), kNow);
    ASSERT_NE(token, nullptr);
    const auto principal = directory_->principal_of(*token);
    EXPECT_EQ(principal.server, key);
    EXPECT_EQ(
        principal.scopes().strings(),
        (Texts{
            "access:servers!server=ann/",
            "read:users:activity!user=ann",
            "read:users:groups!user=ann",
            "read:users:name!user=ann",
            "users:activity!user=ann"}));

    reopen();
    auto second = make_server_credentials(*directory_, server, key, "/user/ann/", kNow).value();
    ASSERT_TRUE(run(directory_->commit(std::move(second.mutation))));
    EXPECT_EQ(directory_->find_token(first.api_token.reveal(), kNow), nullptr)
        << "an earlier start's token is void";
    EXPECT_EQ(
        directory_->find_client("jupyterhub-user-ann")->secret_hash, sha256_hex(second.api_token.reveal()));
    auto removal = remove_server_credentials(*directory_, server, key);
    ASSERT_TRUE(run(directory_->commit(std::move(removal))));
    EXPECT_EQ(directory_->find_client("jupyterhub-user-ann"), nullptr);
    auto third = make_server_credentials(*directory_, server, key, "/user/ann/", kNow).value();
    ASSERT_TRUE(run(directory_->commit(std::move(third.mutation))));
    Mutation gone;
    gone.write = [server](store::Transaction& tx) { store::remove_server(tx, server); };
    gone.apply = [this, server] { directory_->drop_server(server); };
    ASSERT_TRUE(run(directory_->commit(std::move(gone))));
    for (int restarted = 0; restarted < 2; ++restarted) {
        EXPECT_EQ(directory_->find_token(second.api_token.reveal(), kNow), nullptr);
        EXPECT_EQ(directory_->find_token(third.api_token.reveal(), kNow), nullptr);
        EXPECT_EQ(directory_->find_client("jupyterhub-user-ann"), nullptr);
        reopen();
    }
}

TEST_F(DirectoryTest, NoTwoServersShareAClient) {
    EXPECT_NE(
        client_id_of({UserName("a"), ServerName("b-c")}), client_id_of({UserName("a-b"), ServerName("c")}));
    EXPECT_NE(client_id_of({UserName("a"), ServerName("b")}), client_id_of({UserName("a-b"), ServerName()}));
    EXPECT_EQ(client_id_of({UserName("has@"), ServerName("gpu")}), "jupyterhub-user-has%40-gpu");
}

TEST_F(DirectoryTest, AHundredThousandUsersAreFoundInMicroseconds) {
    constexpr std::size_t kUsers = 100'000;
    store::Snapshot snapshot;
    for (std::size_t n = 0; n < kUsers; ++n) {
        store::UserRow row;
        row.id = UserId{static_cast<std::int64_t>(n + 1)};
        row.name = UserName("user" + std::to_string((n * 7919) % kUsers));
        row.cookie_id = random_hex(16);
        snapshot.users.push_back(std::move(row));
    }
    const auto before = ::mallinfo2().uordblks;
    directory_->load(snapshot);
    const auto mebibytes = (::mallinfo2().uordblks - before) >> 20;
    RecordProperty("mebibytes", std::to_string(mebibytes));
    EXPECT_LT(mebibytes, 100U);
    EXPECT_TRUE(std::is_sorted(
        directory_->users_by_name().begin(),
        directory_->users_by_name().end(),
        [](const User* a, const User* b) { return a->name() < b->name(); }));
    const auto begin = std::chrono::steady_clock::now();
    std::size_t found = 0;
    for (std::size_t n = 0; n < 10'000; ++n) {
        const auto* user = directory_->find(UserName("user" + std::to_string(n)));
        if (user != nullptr && directory_->scopes_of(*user)->has_anywhere("read:users")) ++found;
    }
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
    EXPECT_EQ(found, 10'000U);
    RecordProperty("microseconds_each", std::to_string(took.count() / 10'000));
    EXPECT_LT(took.count() / 10'000, 1000);
}

}  // namespace
}  // namespace berth::identity::test
