// A database that an older Berth wrote: upgraded once, forward only, with a copy of what it was beside it.
#include "base/random.hpp"
#include "store/backup.hpp"
#include "store/impl/load.hpp"
#include "store/impl/open.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace berth::store {
namespace {

using Migrations = std::vector<Migration>;

const char* const kInvented[] = {
    "create table seals (id bigint primary key, owner text not null)",
    "insert into seals (id, owner) select id, name from users"};
const char* const kBroken[] = {
    "create table seals (id bigint primary key)", "insert into no_such_table values (1)"};

class Upgrade : public testing::Test {
protected:
    Upgrade() : dir_((std::filesystem::temp_directory_path() / ("berth-upgrade-" + random_hex(8))).string()) {
        std::filesystem::create_directory(dir_);
    }
    ~Upgrade() override { std::filesystem::remove_all(dir_); }

    std::string path() const { return dir_ + "/berth.sqlite"; }
    std::string copy() const { return dir_ + "/berth.schema-1.sqlite"; }

    // What the first Berth left behind.
    void write_schema_1() const {
        Connection connection(path());
        std::ifstream file(std::filesystem::path(__FILE__).parent_path() / "testdata" / "schema_1.sql");
        std::string statement;
        std::size_t count = 0;
        for (std::string line; std::getline(file, line);) {
            if (line != "--") {
                if (!line.starts_with("-- ")) statement += line + "\n";
                continue;
            }
            connection.execute_once(statement);
            statement.clear();
            ++count;
        }
        ASSERT_GT(count, 50U);
    }

    static Migrations released_and(std::span<const char* const> statements) {
        return {{1, "initial", m0001_initial()}, {2, "invented", statements}};
    }

    static std::int64_t number(Connection& connection, const char* sql) {
        std::int64_t result = -1;
        connection.query(sql, "i", {}, [&](const RowView& row) { result = row.integer(0); });
        return result;
    }

    std::string dir_;
};

TEST_F(Upgrade, TheReleasedSchemaIsReadWithEveryRow) {
    write_schema_1();
    const auto opened = open_database(dir_);
    ASSERT_TRUE(opened) << opened.error().message << opened.error().detail;
    const auto snapshot = load_all(*opened->connection);
    ASSERT_EQ(snapshot.users.size(), 3U);
    EXPECT_EQ(snapshot.users[1].name.value, "ann");
    ASSERT_EQ(snapshot.groups.size(), 1U);
    EXPECT_EQ(snapshot.groups[0].members.size(), 1U);
    EXPECT_EQ(snapshot.tokens.size(), 2U);
    EXPECT_EQ(snapshot.servers.size(), 1U);
    ASSERT_EQ(snapshot.leases.size(), 1U);
    EXPECT_EQ(snapshot.leases[0].devices[0].value, "GPU-aaaa");
    EXPECT_EQ(snapshot.leases[0].profile, "") << "nobody noted it";
    EXPECT_EQ(snapshot.leases[0].project, "");
    EXPECT_GE(opened->highest_id, 11);
}

// m0001 is released: whoever edits it makes a database that no Berth before has.
TEST_F(Upgrade, TheFirstMigrationStillMakesTheReleasedSchema) {
    write_schema_1();
    const auto fresh_dir = dir_ + "/fresh";
    std::filesystem::create_directory(fresh_dir);
    const Migrations first{{1, "initial", m0001_initial()}};
    auto fresh = open_database(fresh_dir, first);
    ASSERT_TRUE(fresh);
    auto schema_of = [](Connection& connection) {
        std::vector<std::string> objects;
        connection.query(
            "select name || ' ' || coalesce(sql, '') from sqlite_master order by name",
            "s",
            {},
            [&](const RowView& row) {
                std::string text;
                for (const char c : row.text(0))
                    if (std::isspace(static_cast<unsigned char>(c)) == 0) text += c;
                objects.push_back(text);
            });
        return objects;
    };
    Connection released(path());
    EXPECT_EQ(schema_of(*fresh->connection), schema_of(released));
}

TEST_F(Upgrade, KeepsACopyOfWhatWasThereFirst) {
    write_schema_1();
    const auto migrations = released_and(kInvented);
    auto opened = open_database(dir_, migrations);
    ASSERT_TRUE(opened) << opened.error().message << opened.error().detail;
    EXPECT_EQ(number(*opened->connection, "select count(*) from seals"), 3);
    EXPECT_EQ(number(*opened->connection, "select max(version) from schema_version"), 2);
    struct stat status{};
    ASSERT_EQ(::stat(copy().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    const auto facts = check_database(copy());
    ASSERT_TRUE(facts) << facts.error().message;
    EXPECT_EQ(facts->schema, 1);
    EXPECT_EQ(facts->users, 3);
    Connection before(copy());
    EXPECT_EQ(number(before, "select count(*) from sqlite_master where name = 'seals'"), 0);
}

TEST_F(Upgrade, ACopyIsMadeOnceAndForAFreshDatabaseNotAtAll) {
    const auto migrations = released_and(kInvented);
    ASSERT_TRUE(open_database(dir_, migrations));
    ASSERT_TRUE(open_database(dir_, migrations));
    EXPECT_FALSE(std::filesystem::exists(copy()));
}

TEST_F(Upgrade, ChangesNothingWhenTheCopyCannotBeMade) {
    write_schema_1();
    std::filesystem::create_directories(copy() + ".part/in-the-way");
    const auto migrations = released_and(kInvented);
    const auto opened = open_database(dir_, migrations);
    ASSERT_FALSE(opened);
    EXPECT_TRUE(opened.error().is(StoreErrc::migration_failed));
    EXPECT_NE(opened.error().message.find("before its upgrade, so nothing was changed"), std::string::npos);
    Connection connection(path());
    EXPECT_EQ(number(connection, "select max(version) from schema_version"), 1);
    EXPECT_EQ(number(connection, "select count(*) from sqlite_master where name = 'seals'"), 0);
}

TEST_F(Upgrade, AMigrationThatFailsLeavesThingsAsTheyWere) {
    write_schema_1();
    const auto migrations = released_and(kBroken);
    const auto opened = open_database(dir_, migrations);
    ASSERT_FALSE(opened);
    EXPECT_TRUE(opened.error().is(StoreErrc::migration_failed));
    Connection connection(path());
    EXPECT_EQ(number(connection, "select max(version) from schema_version"), 1);
    EXPECT_EQ(number(connection, "select count(*) from sqlite_master where name = 'seals'"), 0);
    EXPECT_EQ(number(connection, "select count(*) from users"), 3);
}

TEST_F(Upgrade, AnOlderBerthRefusesTheUpgradedDatabaseAndNamesItsVersion) {
    const auto newer = released_and(kInvented);
    {
        auto opened = open_database(dir_, newer);
        ASSERT_TRUE(opened);
        opened->connection->execute("update settings set value = '7.1.0' where name = 'berth_version'");
    }
    const Migrations older{{1, "initial", m0001_initial()}};
    const auto refused = open_database(dir_, older);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(StoreErrc::schema_too_new));
    EXPECT_NE(refused.error().message.find("was written by Berth 7.1.0 (schema 2)"), std::string::npos)
        << refused.error().message;
}

}  // namespace
}  // namespace berth::store
