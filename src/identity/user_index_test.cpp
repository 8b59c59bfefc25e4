// The two orders that keep up lazily, against what a plain look at everybody says.
#include "identity/impl/directory_fixture.hpp"

#include <algorithm>
#include <random>

namespace berth::identity::test {
namespace {

class UserIndexTest : public DirectoryFixture {
protected:
    std::vector<std::string> by_activity() const {
        std::vector<std::string> names;
        for (const auto& key : directory_->users_by_activity())
            names.push_back(key.user->name().value);
        return names;
    }
    std::vector<std::string> by_activity_plainly() const {
        std::vector<const User*> users(directory_->users_by_id().begin(), directory_->users_by_id().end());
        std::stable_sort(users.begin(), users.end(), [](const auto* a, const auto* b) {
            return a->row.last_activity.value_or(Timestamp{}) < b->row.last_activity.value_or(Timestamp{});
        });
        std::vector<std::string> names;
        for (const auto* user : users)
            names.push_back(user->name().value);
        return names;
    }
    void check_names(std::string_view part) const {
        std::vector<const User*> expected;
        for (const auto* user : directory_->users_by_id())
            if (user->name().value.find(part) != std::string::npos) expected.push_back(user);
        EXPECT_EQ(directory_->users_holding(part), expected) << part;
        for (const auto* user : directory_->users_by_id())
            ASSERT_EQ(directory_->name_of(user->id()), user->name().value);
    }
    void remove(UserId user) {
        ASSERT_TRUE(run(directory_->commit(directory_->prepare_removal(user).value())));
    }
    void rename(UserId user, const std::string& name) {
        ASSERT_TRUE(run(directory_->commit(directory_->prepare_rename(user, UserName(name)).value())));
    }
};

TEST_F(UserIndexTest, OneWhoWorksMovesToTheEnd) {
    const auto ann = make_user("ann");
    make_user("bob");
    EXPECT_EQ(by_activity(), (std::vector<std::string>{"ann", "bob"}));
    directory_->touch(ann, kNow);
    directory_->touch(ann, kNow + 1s);
    EXPECT_EQ(by_activity(), (std::vector<std::string>{"bob", "ann"}));
    make_user("eve");
    directory_->touch(ann, kNow + 2s);
    EXPECT_EQ(by_activity(), (std::vector<std::string>{"bob", "eve", "ann"}));
    remove(ann);
    EXPECT_EQ(by_activity(), (std::vector<std::string>{"bob", "eve"}));
}

TEST_F(UserIndexTest, AnOverlapOfTwoNamesIsNobody) {
    const auto one = make_user("xab");
    make_user("cdx");
    EXPECT_TRUE(directory_->users_holding("abc").empty());
    EXPECT_EQ(directory_->users_holding("x").size(), 2U);
    remove(one);
    check_names("x");
    EXPECT_EQ(directory_->name_of(one), "");
}

TEST_F(UserIndexTest, AnySeriesOfChangesGivesWhatAPlainLookGives) {
    std::mt19937 random(11);
    std::vector<UserId> ids;
    const auto some = [&] { return ids[random() % ids.size()]; };
    for (int step = 0; step < 1500; ++step) {
        const auto kind = random() % 20;
        if (ids.empty() || kind < 4) {
            ids.push_back(make_user("u" + std::to_string(step)));
        } else if (kind == 4) {
            const auto gone = some();
            remove(gone);
            std::erase(ids, gone);
        } else if (kind == 5) {
            rename(some(), "r" + std::to_string(step));
        } else if (kind < 16) {
            directory_->touch(some(), kNow + std::chrono::seconds(random() % 1000));
        } else if (kind < 18) {
            ASSERT_EQ(by_activity(), by_activity_plainly()) << "step " << step;
        } else {
            check_names(std::to_string(random() % 20));
        }
    }
    reopen();
    EXPECT_EQ(by_activity().size(), ids.size());
    check_names("u");
}

}  // namespace
}  // namespace berth::identity::test
