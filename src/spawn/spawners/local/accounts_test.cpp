#include "spawn/spawners/local/accounts.hpp"

#include <gtest/gtest.h>

namespace berth::spawn::local {
namespace {

TEST(UidMin, IsThatOfLoginDefs) {
    EXPECT_EQ(
        uid_min_in("# UID_MIN 5\nUMASK 022\nUID_MIN\t\t\t 500\n#SYS_UID_MIN 100\nUID_MAX 60000\n"), 500U);
    EXPECT_EQ(uid_min_in("UID_MIN 2000 # people\r\n"), 2000U);
    for (const auto* says_none : {"", "#UID_MIN 5\n", "UID_MIN\n", "UID_MIN many\n", "SYS_UID_MIN 100\n"})
        EXPECT_EQ(uid_min_in(says_none), 1000U) << says_none;
}

TEST(SystemUsers, OnlyAPersonsOwnAccountRunsNotebooks) {
    struct Case {
        uid_t uid;
        const char* shell;
        const char* said;  // "": it may
    };
    for (const auto& each :
         {Case{0, "/bin/bash", "root"},
          Case{999, "/bin/bash", "belongs to the system"},
          Case{1000, "/bin/bash", ""},
          Case{1000, "", ""},  // passwd(5): empty means /bin/sh
          Case{1000, "/usr/sbin/nologin", "may not log in"},
          Case{1000, "/sbin/nologin", "may not log in"},
          Case{65534, "/bin/false", "may not log in"},
          Case{1000, "/opt/nologin/bash", ""}}) {
        SystemUser user;
        user.name = "ann";
        user.uid = each.uid;
        user.shell = each.shell;
        const auto refusal = refusal_of(user, 1000);
        ASSERT_EQ(refusal.has_value(), *each.said != '\0') << each.uid << each.shell;
        if (!refusal) continue;
        EXPECT_TRUE(refusal->is(SpawnErrc::not_permitted));
        EXPECT_NE(refusal->message.find(each.said), std::string::npos) << refusal->message;
    }
}

}  // namespace
}  // namespace berth::spawn::local
