#include "access/permit.hpp"

#include <gtest/gtest.h>

namespace berth::access {
namespace {

class NoGroups final : public Memberships {
public:
    bool is_member(std::string_view, std::string_view) const override { return false; }
};

Principal holding(std::vector<std::string> scopes, bool admin = false) {
    Principal principal;
    principal.kind = PrincipalKind::user;
    principal.name = "bob";
    principal.admin = admin;
    principal.granted = std::make_shared<ScopeSet>(expand(scopes, {"bob", std::nullopt, std::nullopt}));
    return principal;
}

class PermitTest : public testing::Test {
protected:
    NoGroups groups_;
    AccessCheck check_{groups_};
    Target ann_ = Target::of(UserName("ann"));
};

TEST_F(PermitTest, SaysWhatAllowedItAndWhoAsked) {
    const auto permit = check_.check(holding({"users"}), {"admin:users", "read:users"}, ann_);
    ASSERT_TRUE(permit);
    EXPECT_EQ(permit->scope(), "read:users");
    EXPECT_EQ(permit->principal_name(), "user:bob");
    EXPECT_EQ(permit->target().to_string(), "user:ann");
}

TEST_F(PermitTest, RefusesInTheThreeWaysOfTheContract) {
    const auto anonymous = check_.check(Principal{}, {"read:users"}, ann_);
    EXPECT_TRUE(anonymous.error().is(AccessErrc::not_authenticated));
    EXPECT_EQ(anonymous.error().message, "Missing or invalid credentials.");

    const auto missing = check_.check(holding({"self"}), {"admin:users", "delete:users"}, ann_);
    EXPECT_TRUE(missing.error().is(AccessErrc::missing_scope));
    EXPECT_EQ(
        missing.error().message,
        "Action is not authorized with current scopes; requires any of [admin:users, delete:users]");

    const auto hidden = check_.check(holding({"self"}), {"read:users"}, ann_);
    EXPECT_TRUE(hidden.error().is(AccessErrc::hidden));
    EXPECT_EQ(hidden.error().message, "No access to resources or resources not found");
}

TEST_F(PermitTest, AFilteredRightOpensListingsOnly) {
    const auto principal = holding({"admin:users!user=ann", "list:users!user=ann"});
    EXPECT_TRUE(
        check_.check(principal, {"admin:users"}, Target::none()).error().is(AccessErrc::missing_scope));
    EXPECT_TRUE(check_.check_listing(principal, {"list:users"}));
    EXPECT_TRUE(check_.check_listing(principal, {"list:groups"}).error().is(AccessErrc::missing_scope));
}

TEST_F(PermitTest, OnlyAdministratorsChangeAdministrators) {
    EXPECT_TRUE(check_.check_admin_change(holding({"admin:users"}), "admin:users", ann_)
                    .error()
                    .is(AccessErrc::admin_only));
    EXPECT_TRUE(check_.check_admin_change(holding({"admin:users"}, true), "admin:users", ann_));
    EXPECT_TRUE(check_.check_admin_change(holding({}, true), "admin:users", ann_)
                    .error()
                    .is(AccessErrc::missing_scope));
}

TEST_F(PermitTest, EverybodySignedInMayAskWhoTheyAre) {
    EXPECT_FALSE(check_.check_signed_in(Principal{}));
    EXPECT_TRUE(check_.check_signed_in(holding({})));
}

TEST_F(PermitTest, TheHubActsUnderANameOfItsOwn) {
    const auto permit = AccessCheck::system("system:reaper", "delete:servers", ann_);
    EXPECT_EQ(permit.principal_name(), "system:reaper");
    EXPECT_EQ(permit.scope(), "delete:servers");
}

}  // namespace
}  // namespace berth::access
