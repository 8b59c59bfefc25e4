#include "access/scopes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace berth::access {
namespace {

class Groups final : public Memberships {
public:
    using Members = std::set<std::pair<std::string, std::string>>;
    Groups() = default;
    explicit Groups(Members members) : members_(std::move(members)) {}
    bool is_member(std::string_view user, std::string_view group) const override {
        return members_.contains({std::string(user), std::string(group)});
    }

private:
    Members members_;  // user, group
};

using Texts = std::vector<std::string>;

Owner user_owner(std::string name) {
    return {std::move(name), std::nullopt, std::nullopt};
}
ServerKey key(std::string user, std::string server) {
    return {UserName(std::move(user)), ServerName(std::move(server))};
}

struct OpensServer {
    std::string_view held;
    bool default_server;
    bool named_gpu;
};

// Appendix B's table: who may open alice's servers.
constexpr OpensServer kOpens[] = {
    {"access:servers", true, true},
    {"access:servers!user=alice", true, true},
    {"access:servers!server=alice/", true, false},
    {"access:servers!server=alice/gpu", false, true},
    {"access:servers!server=alice/other", false, false},
    {"access:servers!group=g", true, true},
    {"access:servers!group=h", false, false},
    {"access:servers!user=bob", false, false},
    {"access:services", false, false},
    {"self", false, false},
    {"", false, false},
};

TEST(Scopes, WhoMayOpenAServer) {
    const Groups groups(Groups::Members{{"alice", "g"}});
    for (const auto& row : kOpens) {
        SCOPED_TRACE(row.held);
        const auto held = expand(Texts{std::string(row.held)}, user_owner("visitor"));
        EXPECT_EQ(held.has("access:servers", Target::of(key("alice", "")), groups), row.default_server);
        EXPECT_EQ(held.has("access:servers", Target::of(key("alice", "gpu")), groups), row.named_gpu);
    }
}

TEST(Scopes, ExpandsAFilteredScopeWithItsFilter) {
    EXPECT_EQ(
        expand(Texts{"users!user=ann"}, {}).strings(),
        (Texts{
            "list:users!user=ann",
            "read:users!user=ann",
            "read:users:activity!user=ann",
            "read:users:groups!user=ann",
            "read:users:name!user=ann",
            "users!user=ann",
            "users:activity!user=ann"}));
}

TEST(Scopes, AServerFilterSaysNothingAboutItsUser) {
    EXPECT_EQ(
        expand(Texts{"servers!server=ann/gpu"}, {}).strings(),
        (Texts{
            "delete:servers!server=ann/gpu",
            "read:servers!server=ann/gpu",
            "servers!server=ann/gpu",
            "start:servers!server=ann/gpu"}));
}

TEST(Scopes, ServerTokenOfTheDefaultRole) {
    Owner owner = user_owner("ann");
    owner.server = key("ann", "");
    EXPECT_EQ(
        expand(*default_role_scopes("server"), owner).strings(),
        (Texts{"access:servers!server=ann/", "read:users:activity!user=ann", "users:activity!user=ann"}));
}

TEST(Scopes, ShortFormsWithoutThatOwnerGiveNothing) {
    EXPECT_TRUE(
        expand(Texts{"access:servers!server", "tokens!service", "self!user"}, user_owner("ann")).empty());
    EXPECT_TRUE(expand(Texts{"self", "tokens!user"}, {std::nullopt, "ops", std::nullopt}).empty());
}

TEST(Scopes, SelfIsTheListOfTheContractAndOwnGpus) {
    const auto self = expand(Texts{"self"}, user_owner("me")).strings();
    EXPECT_EQ(
        self,
        (Texts{
            "access:servers!user=me",
            "delete:servers!user=me",
            "gpu:read!user=me",
            "read:servers!user=me",
            "read:shares!user=me",
            "read:tokens!user=me",
            "read:users!user=me",
            "read:users:activity!user=me",
            "read:users:groups!user=me",
            "read:users:name!user=me",
            "read:users:shares!user=me",
            "servers!user=me",
            "start:servers!user=me",
            "tokens!user=me",
            "users:activity!user=me",
            "users:shares!user=me"}));
}

TEST(Scopes, GpuAdminMayLeaseAndRead) {
    EXPECT_EQ(expand(Texts{"gpu:admin"}, {}).strings(), (Texts{"gpu:admin", "gpu:lease", "gpu:read"}));
    EXPECT_TRUE(expand(*default_role_scopes("admin"), user_owner("a")).has_everywhere("gpu:lease"));
}

TEST(Scopes, AnUnfilteredGrantAbsorbsFilters) {
    EXPECT_EQ(
        expand(Texts{"tokens!user=a", "read:tokens", "proxy"}, {}).strings(),
        (Texts{"proxy", "read:tokens", "tokens!user=a"}));
}

TEST(Scopes, AServiceFilterNeverMatchesAUserOfThatName) {
    const auto held = expand(Texts{"tokens!service=ops"}, {});
    EXPECT_FALSE(held.has("tokens", Target::of(UserName("ops")), Groups()));
    EXPECT_TRUE(held.has("tokens", Target::of(ServiceName("ops")), Groups()));
}

TEST(Scopes, AFilteredRightIsNoRightWithoutAResource) {
    const auto held = expand(Texts{"admin:users!group=g"}, {});
    EXPECT_FALSE(held.has("admin:users", Target::none(), Groups(Groups::Members{{"a", "g"}})));
    EXPECT_TRUE(held.has("admin:users", Target::of(UserName("a")), Groups(Groups::Members{{"a", "g"}})));
}

TEST(Scopes, RefusesWhatIsNoScope) {
    for (const auto* good :
         {"self",
          "inherit",
          "users!user=ä",
          "servers!server=a/",
          "tokens!user",
          "access:servers!server",
          "custom:a:b*",
          "gpu:read"})
        EXPECT_TRUE(is_known(good)) << good;
    for (const auto* bad :
         {"",
          "user",
          "users!",
          "users!name=x",
          "users!group",
          "users!user=",
          "servers!server=a",
          "servers!server=/x",
          "custom:",
          "custom:-a-b",
          "custom:AB",
          "custom:ab:",
          "gpu:write"})
        EXPECT_FALSE(is_known(bad)) << bad;
}

TEST(Scopes, InheritIsWhatTheOwnerHasNow) {
    const auto owner_scopes = expand(Texts{"self", "proxy"}, user_owner("ann"));
    EXPECT_EQ(
        effective_token_scopes(Texts{"inherit"}, user_owner("ann"), owner_scopes, {}, Groups()),
        owner_scopes);
}

TEST(Scopes, ATokenOfABrowserGetsIdentifyAndAccess) {
    const auto owner_scopes = expand(Texts{"self"}, user_owner("alice"));
    const auto access = access_scope_of(key("alice", ""), std::nullopt);
    EXPECT_EQ(
        effective_token_scopes(Texts{}, user_owner("alice"), owner_scopes, access, Groups()).strings(),
        (Texts{
            "access:servers!server=alice/", "read:users:groups!user=alice", "read:users:name!user=alice"}));
}

TEST(Scopes, AGroupRightBecomesTheServerInAnIntersection) {
    const Groups groups(Groups::Members{{"alice", "g"}});
    const auto visitor = expand(Texts{"access:servers!group=g"}, user_owner("bob"));
    const auto access = access_scope_of(key("alice", ""), std::nullopt);
    EXPECT_EQ(intersect(access, visitor, groups).strings(), (Texts{"access:servers!server=alice/"}));
    EXPECT_TRUE(intersect(access, visitor, Groups()).empty());
}

// --- properties ---

class Random {
public:
    explicit Random(std::uint64_t seed) : random_(seed) {}

    Texts scopes() {
        Texts texts;
        const auto table = scope_table();
        for (auto count = random_() % 6; count > 0; --count) {
            std::string text(table[random_() % table.size()].name);
            if (text == "inherit" || text == "(no_scope)") text = "self";
            switch (text == "self" ? 9 : random_() % 6) {
                case 0:
                    text += "!user=" + user();
                    break;
                case 1:
                    text += "!group=" + group();
                    break;
                case 2:
                    text += "!server=" + user() + "/" + server();
                    break;
                case 3:
                    text += "!service=s" + std::to_string(random_() % 2);
                    break;
                default:
                    break;
            }
            texts.push_back(text);
        }
        return texts;
    }
    std::string user() { return "u" + std::to_string(random_() % 3); }
    std::string group() { return "g" + std::to_string(random_() % 2); }
    std::string server() { return random_() % 2 == 0 ? "" : "x"; }
    Groups groups() {
        std::set<std::pair<std::string, std::string>> members;
        for (int n = 0; n < 3; ++n)
            members.insert({user(), group()});
        return Groups(members);
    }

private:
    std::mt19937_64 random_;
};

std::vector<Target> all_targets() {
    std::vector<Target> targets{Target::none()};
    for (const auto* user : {"u0", "u1", "u2"}) {
        targets.push_back(Target::of(UserName(user)));
        targets.push_back(Target::of(key(user, "")));
        targets.push_back(Target::of(key(user, "x")));
    }
    for (const auto* group : {"g0", "g1"})
        targets.push_back(Target::of(GroupName(group)));
    for (const auto* service : {"s0", "s1"})
        targets.push_back(Target::of(ServiceName(service)));
    return targets;
}

TEST(ScopesProperty, ExpandingTwiceChangesNothing) {
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        const auto once = expand(random.scopes(), user_owner("u0"));
        ASSERT_EQ(expand(once.strings(), user_owner("u1")).strings(), once.strings());
        ASSERT_EQ(ScopeSet::of(once.strings()), once);
    }
}

TEST(ScopesProperty, AnIntersectionNeverGainsAndLosesNothingThatBothHold) {
    const auto targets = all_targets();
    for (std::uint64_t seed = 0; seed < 1500; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        const auto groups = random.groups();
        const auto a = expand(random.scopes(), user_owner("u0"));
        const auto b = expand(random.scopes(), user_owner("u1"));
        const auto both = intersect(a, b, groups);
        ASSERT_EQ(both, intersect(b, a, groups));
        ASSERT_EQ(intersect(a, a, groups), a);
        ASSERT_TRUE(a.contains(both, groups));
        ASSERT_TRUE(b.contains(both, groups));
        for (const auto& row : scope_table())
            for (const auto& target : targets) {
                const bool in_both = a.has(row.name, target, groups) && b.has(row.name, target, groups);
                const bool shared = both.has(row.name, target, groups);
                ASSERT_TRUE(!shared || in_both) << row.name << " " << target.to_string();
                // Two different groups with a common member are not intersected to that member (Appendix
                // B.6).
                const auto* left = a.find(row.name);
                const auto* right = b.find(row.name);
                const auto grouped = [](const Reach* reach) {
                    return std::any_of(reach->filters.begin(), reach->filters.end(), [](const Filter& each) {
                        return each.kind == FilterKind::group;
                    });
                };
                if (in_both && !(grouped(left) && grouped(right))) {
                    ASSERT_TRUE(shared) << row.name << " " << target.to_string();
                }
            }
    }
}

TEST(ScopesProperty, ATokenNeverHoldsMoreThanItsOwner) {
    for (std::uint64_t seed = 0; seed < 1500; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        const auto groups = random.groups();
        auto owner_scopes = expand(random.scopes(), user_owner("u0"));
        const auto access = access_scope_of(key(random.user(), random.server()), std::nullopt);
        const auto token =
            effective_token_scopes(random.scopes(), user_owner("u0"), owner_scopes, access, groups);
        ASSERT_TRUE(owner_scopes.contains(token, groups));
    }
}

}  // namespace
}  // namespace berth::access
