// kill -9 of a writer: everything it was told is durable is there, and nothing half done.
#include "async/run_to_end.hpp"
#include "base/random.hpp"
#include "store/queries.hpp"
#include "store/store.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <set>

namespace berth::store {
namespace {

// A lease and its usage interval, as one grant.
Change grant(std::int64_t id) {
    return [id](Transaction& tx) {
        LeaseRow lease;
        lease.id = LeaseId{id};
        lease.exclusive = false;
        lease.devices = {DeviceUuid("GPU-" + std::to_string(id % 8))};
        insert(tx, lease);
        UsageIntervalRow usage;
        usage.id = id + 1'000'000'000;
        usage.lease = lease.id;
        usage.device = lease.devices[0];
        insert(tx, usage);
    };
}

awaitable<> grant_for_ever(Store& store, std::int64_t& next, int pipe) {
    while (true) {
        const auto id = next++;
        auto change = grant(id);
        const auto answer = co_await store.commit(std::move(change));
        if (!answer || ::write(pipe, &id, sizeof id) != sizeof id) ::_exit(3);
    }
}

[[noreturn]] void write_until_killed(const std::string& dir, int pipe) {
    auto store = Store::open(dir);
    if (!store) ::_exit(2);
    auto next = (*store)->load().value().next_id % 1'000'000'000;
    std::vector<awaitable<>> works;
    for (int n = 0; n < 32; ++n)
        works.push_back(grant_for_ever(**store, next, pipe));
    run_all_to_end(std::move(works));
    ::_exit(5);
}

TEST(Durability, AKilledWriterForgetsNothingItAcknowledged) {
    const auto dir = (std::filesystem::temp_directory_path() / ("berth-kill-" + random_hex(8))).string();
    std::set<std::int64_t> acknowledged;
    for (int round = 0; round < 3; ++round) {
        std::array<int, 2> ends{};
        ASSERT_EQ(::pipe(ends.data()), 0);
        const auto child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            ::close(ends[0]);
            write_until_killed(dir, ends[1]);
        }
        ::close(ends[1]);
        std::int64_t id = 0;
        const std::size_t goal = acknowledged.size() + 300 + 57 * static_cast<std::size_t>(round);
        while (acknowledged.size() < goal && ::read(ends[0], &id, sizeof id) == sizeof id)
            acknowledged.insert(id);
        ::kill(child, SIGKILL);
        while (::read(ends[0], &id, sizeof id) == sizeof id)
            acknowledged.insert(id);
        ::close(ends[0]);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself with " << WEXITSTATUS(status);

        auto store = Store::open(dir);
        ASSERT_TRUE(store) << store.error().message;
        const auto snapshot = (*store)->load();
        ASSERT_TRUE(snapshot);
        std::set<std::int64_t> found;
        for (const auto& lease : snapshot->leases) {
            found.insert(number_of(lease.id));
            EXPECT_EQ(lease.devices.size(), 1U) << "half a grant";
        }
        for (const auto each : acknowledged)
            ASSERT_TRUE(found.contains(each)) << each << " was forgotten";
    }
    std::filesystem::remove_all(dir);
}

// Many wait, few syncs: far more grants a second than a disk can sync.
TEST(Durability, GrantsShareTheirSyncs) {
    const auto dir = (std::filesystem::temp_directory_path() / ("berth-group-" + random_hex(8))).string();
    {
        auto store = Store::open(dir).value();
        constexpr std::int64_t kGrants = 1000;
        std::int64_t refused = 0;
        auto one = [](Store& to, std::int64_t id, std::int64_t& count) -> awaitable<> {
            auto change = grant(id);
            const auto answer = co_await to.commit(std::move(change));
            if (!answer) ++count;
        };
        const auto begin = std::chrono::steady_clock::now();
        std::vector<awaitable<>> works;
        for (std::int64_t id = 1; id <= kGrants; ++id)
            works.push_back(one(*store, id, refused));
        run_all_to_end(std::move(works));
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        EXPECT_EQ(refused, 0);
        RecordProperty("grants_per_second", std::to_string(kGrants / took.count()));
        EXPECT_EQ(store->load().value().leases.size(), static_cast<std::size_t>(kGrants));
    }
    std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace berth::store
