#include "spawn/names.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace berth::spawn {
namespace {

ServerKey key(std::string user, std::string server = "") {
    return {UserName(std::move(user)), ServerName(std::move(server))};
}

TEST(ObjectName, IsReadableForPlainNames) {
    EXPECT_EQ(object_name(kDefaultNameTemplate, key("ann")), "berth-ann");
    EXPECT_EQ(object_name(kDefaultNameTemplate, key("ann", "gpu")), "berth-ann--gpu");
    EXPECT_EQ(object_name(kDefaultNameTemplate, key("alice@uni")), "berth-alice-40uni");
    EXPECT_EQ(object_name("jupyter-{username}--{servername}", key("a-b", "x")), "jupyter-a-2db--x");
}

TEST(ObjectName, IsAcceptedByDockerWhateverTheNames) {
    const std::string umlauts = [] {
        std::string text;
        for (int i = 0; i < 100; ++i)
            text += "ü";
        return text;
    }();
    for (const auto* name_template :
         {"berth-{username}--{servername}", "{username}", "{servername}", "x", ""}) {
        for (const auto& user :
             {std::string("a"),
              std::string("-"),
              std::string(".."),
              umlauts,
              std::string("秀樹"),
              std::string("$p~c|a! ch@rs")}) {
            for (const auto& server : {std::string(), std::string("gpu"), umlauts}) {
                const std::string name = object_name(name_template, key(user, server));
                SCOPED_TRACE(name);
                EXPECT_GE(name.size(), 2U);
                EXPECT_LE(name.size(), kLongestName);
                EXPECT_TRUE(std::isalnum(static_cast<unsigned char>(name[0])));
                EXPECT_EQ(
                    name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_."), std::string::npos);
            }
        }
    }
}

TEST(ObjectName, DiffersForNamesThatOnlyLookTheSame) {
    // CVE-2020-15110: one user's named server had the name of another user's default server.
    for (const auto* name_template :
         {"berth-{username}--{servername}",
          "j-{username}-{servername}",
          "{username}{servername}",
          "{servername}-{username}",
          "{username}.{servername}",
          "{username}-2d{servername}",
          "{username}",
          "fixed"}) {
        SCOPED_TRACE(name_template);
        std::map<std::string, std::string> owner;
        std::mt19937 random(7);
        const std::string_view alphabet = "a2d-.e";
        for (int i = 0; i < 20'000; ++i) {
            std::string user(1 + random() % 5, 'a');
            std::string server(random() % 5, 'a');
            for (auto& c : user)
                c = alphabet[random() % alphabet.size()];
            for (auto& c : server)
                c = alphabet[random() % alphabet.size()];
            const auto who = user + "/" + server;
            const auto [it, fresh] = owner.emplace(object_name(name_template, key(user, server)), who);
            ASSERT_EQ(it->second, who) << it->first;
        }
    }
}

TEST(ObjectName, LongNamesThatBeginTheSameStayApart) {
    std::set<std::string> names;
    const std::string long_name(200, 'a');
    for (const auto& user : {long_name, long_name + "b", long_name + "c"})
        names.insert(object_name("", key(user)));
    names.insert(object_name("", key(long_name, "gpu")));
    EXPECT_EQ(names.size(), 4U);
}

TEST(VolumeSource, NamesOneVolumeForAUser) {
    EXPECT_EQ(volume_source("berth-home-{username}", key("alice@uni", "gpu")), "berth-home-alice-40uni");
    EXPECT_EQ(volume_source("berth-home-{username}", key("alice@uni")), "berth-home-alice-40uni");
    EXPECT_EQ(volume_source("datasets", key("ann")), "datasets");
}

TEST(VolumeSource, NeverLeavesItsFolder) {
    EXPECT_EQ(volume_source("/data/{username}/work", key("..")), "/data/0.-2e-2e/work");
    EXPECT_EQ(volume_source("/data/{username}", key("a/../b")), "/data/a-2f-2e-2e-2fb");
    EXPECT_EQ(volume_source("/srv/shared", key("ann")), "/srv/shared");
}

TEST(VolumeSource, KeepsServersApartWhereTheTemplateAsksForIt) {
    EXPECT_NE(
        volume_source("h-{username}-{servername}", key("a", "2db")),
        volume_source("h-{username}-{servername}", key("a-b")));
}

}  // namespace
}  // namespace berth::spawn
