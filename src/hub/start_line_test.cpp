// So many starts at a time, the others in an order that is fair between people.
#include "hub/start_line.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace berth::hub {
namespace {

struct StartLineTest : testing::Test {
    asio::io_context io;
    StartLine line{io.get_executor(), 2};
    std::map<int, StartLine::Place> places;

    StartLineTest() { line.open(); }
    ~StartLineTest() override { places.clear(); }
    void enter(int server, const std::string& user) {
        places[server] = line.enter(static_cast<ServerId>(server), UserName(user));
    }
    std::size_t position(int server) const {
        return line.position_of(static_cast<ServerId>(server)).value_or(0);
    }
    std::vector<int> running() const {
        std::vector<int> servers;
        for (const auto& [server, place] : places) {
            if (place.has_turn()) servers.push_back(server);
        }
        return servers;
    }
};

TEST_F(StartLineTest, LetsSoManyOnAndTheNextWhenOneIsDone) {
    for (int server = 1; server <= 5; ++server)
        enter(server, "user" + std::to_string(server));
    EXPECT_EQ(running(), (std::vector{1, 2}));
    EXPECT_EQ(position(1), 0U);
    EXPECT_EQ(position(3), 1U);
    EXPECT_EQ(position(5), 3U);
    places.erase(2);
    EXPECT_EQ(running(), (std::vector{1, 3}));
    EXPECT_EQ(position(5), 2U);
    places.erase(4);  // cancelled while it waited
    EXPECT_EQ(position(5), 1U);
    EXPECT_EQ(line.waiting(), 1U);
    EXPECT_EQ(line.running(), 2U);
}

TEST_F(StartLineTest, OnePersonsManyDoNotKeepOthersWaiting) {
    for (int server = 1; server <= 6; ++server)
        enter(server, "greedy");
    enter(7, "ann");
    enter(8, "bob");
    EXPECT_EQ(running(), (std::vector{1, 2}));
    EXPECT_EQ(position(3), 1U) << "one of theirs a round";
    EXPECT_EQ(position(7), 2U);
    EXPECT_EQ(position(8), 3U);
    EXPECT_EQ(position(4), 4U);
    places.erase(1);
    places.erase(2);
    EXPECT_EQ(running(), (std::vector{3, 7}));
}

TEST_F(StartLineTest, WhoHasManyIsNotPassedByEveryNewcomer) {
    for (int server = 1; server <= 5; ++server)
        enter(server, "many");
    for (int server = 10; server < 30; ++server) {
        enter(server, "new" + std::to_string(server));
        places.erase(running().front());
    }
    EXPECT_EQ(position(5), 0U) << "its turn has come";
}

TEST_F(StartLineTest, EverybodyWhoWaitsHasAPositionOfTheirOwn) {
    const char* const users[] = {"a", "a", "b", "a", "c", "b", "d", "a", "b", "e"};
    for (int server = 1; server <= 10; ++server)
        enter(server, users[server - 1]);
    while (line.waiting() > 0) {
        std::set<std::size_t> seen;
        for (const auto& [server, place] : places) {
            if (!place.has_turn()) seen.insert(position(server));
        }
        EXPECT_EQ(seen.size(), line.waiting());
        EXPECT_EQ(*seen.rbegin(), line.waiting());
        places.erase(running().front());
        EXPECT_EQ(line.running(), 2U);
    }
}

TEST_F(StartLineTest, AClosedLineKeepsEverybodyAndGoesOnWhenOpened) {
    line.close();
    enter(1, "ann");
    enter(2, "bob");
    EXPECT_TRUE(running().empty());
    EXPECT_EQ(position(2), 2U);
    line.open();
    EXPECT_EQ(running(), (std::vector{1, 2}));
}

TEST_F(StartLineTest, WhatRanBeforeCountsButNeverWaits) {
    for (int server = 1; server <= 3; ++server)
        places[server] = line.enter_running(static_cast<ServerId>(server), UserName("ann"));
    EXPECT_EQ(line.running(), 3U);
    enter(4, "bob");
    places.erase(1);
    EXPECT_FALSE(places[4].has_turn());
    places.erase(2);
    EXPECT_TRUE(places[4].has_turn());
}

}  // namespace
}  // namespace berth::hub
