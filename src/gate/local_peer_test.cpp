#include "gate/local_peer.hpp"

#include <gtest/gtest.h>

namespace berth::gate {
namespace {

net::PeerCredentials peer(std::uint32_t user, std::vector<std::uint32_t> groups) {
    net::PeerCredentials credentials;
    credentials.user = user;
    credentials.groups = std::move(groups);
    return credentials;
}

TEST(LocalPeer, RootAndTheHubsOwnAccountAreAdministrators) {
    const LocalAdministrators allowed{990, std::nullopt};
    for (const auto user : {0U, 990U}) {
        const auto principal = principal_of(peer(user, {user}), allowed);
        EXPECT_TRUE(principal.admin);
        EXPECT_EQ(principal.audit_name(), "system:admin-socket/uid=" + std::to_string(user));
        for (const auto* scope :
             {"admin:users",
              "admin:servers",
              "admin:groups",
              "tokens",
              "gpu:admin",
              "read:audit",
              "read:metrics",
              "shutdown"})
            EXPECT_TRUE(principal.scopes().has_everywhere(scope)) << scope;
    }
}

TEST(LocalPeer, AnybodyElseIsNobody) {
    const auto stranger = principal_of(peer(1000, {1000, 0}), {990, std::nullopt});
    EXPECT_FALSE(stranger.authenticated());
    EXPECT_FALSE(stranger.admin);
    EXPECT_TRUE(stranger.scopes().empty());
}

TEST(LocalPeer, MembersOfTheConfiguredGroupAreAdministrators) {
    const LocalAdministrators allowed{990, 27};
    EXPECT_TRUE(principal_of(peer(1000, {1000, 27}), allowed).admin);
    EXPECT_FALSE(principal_of(peer(1001, {1001, 28}), allowed).authenticated());
}

}  // namespace
}  // namespace berth::gate
