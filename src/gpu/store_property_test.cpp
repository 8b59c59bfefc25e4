// The allocator over the real store, killed again and again: a process of its own asks for devices and gives
// them back through AllocatorFacade and SQLite until SIGKILL ends it, wherever that falls. The next one opens
// what is left. Held against a plain array of counters (I19), which lies in memory that both share: each
// answer is that of the array, and after a kill the counters are those after some number of operations, at
// least as many as were said to be durable. So nothing leaks and nothing is given twice.
#include "async/run_to_end.hpp"
#include "base/random.hpp"
#include "gpu/allocator_facade.hpp"
#include "gpu/device_rows.hpp"
#include "store/queries.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>

namespace berth::gpu {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kDevices = 5;
constexpr std::uint32_t kFactor = 3;
constexpr std::uint32_t kOperations = 200;  // of one process at most
constexpr std::uint32_t kUnanswered = 16;   // at most so many have not been said to be durable
constexpr int kCrashesOfOneFile = 200;
const Timestamp kNow{1'700'000'000s};

using Counters = std::array<std::uint32_t, kDevices>;
struct Step {
    std::uint32_t device = 0;
    std::int32_t change = 0;
};

// Written by the process that is killed, read by the next one.
struct Shared {
    Counters durable{};
    std::array<Step, kUnanswered> steps{};  // after that, in their order
    std::uint32_t count = 0;
    std::uint64_t operations = 0, grants = 0, refusals = 0, lost = 0;
    std::array<char, 200> broken{};  // what was wrong; empty: nothing
};

std::string uuid_of(std::size_t device) {
    return "GPU-" + std::to_string(device);
}

class Process {
public:
    Process(Shared& shared, const std::string& dir, std::uint64_t seed) : shared_(shared), random_(seed) {
        options_.oversubscription = kFactor;
        for (std::size_t i = 0; i < kDevices; ++i)
            options_.devices.emplace_back().uuid = uuid_of(i);
        auto opened = store::Store::open(dir);
        if (!opened) fail("the store does not open: " + opened.error().message);
        store_ = std::move(*opened);
        const auto snapshot = store_->load().value();
        ids_.emplace(snapshot.next_id);
        inventory_.emplace(options_, snapshot.devices);
        if (!run_to_end(write_changes(*store_, *inventory_))) fail("the devices are not written");
        leases_.emplace(options_, [](UserId) { return std::string("ann"); });
        leases_->sync(*inventory_);
        if (!leases_->restore(snapshot).empty()) fail("leases that cannot be: one device given twice");
        facade_.emplace(*inventory_, *leases_, *ids_, 1h);
        recover();
    }

    [[noreturn]] void run() {
        const std::uint32_t last = below(kOperations);
        for (std::uint32_t i = 0; i <= last; ++i) {
            below(5) < 3 ? request() : release();
            ++shared_.operations;
            if (i != last && shared_.count == kUnanswered) settle();
        }
        ::usleep(below(300));  // the store is at work meanwhile
        ::raise(SIGKILL);
        std::abort();
    }

private:
    std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_() % limit); }

    [[noreturn]] void fail(const std::string& what) {
        what.copy(shared_.broken.data(), shared_.broken.size() - 1);
        ::_exit(1);
    }

    Counters counted() const {
        Counters now{};
        const auto list = facade_->list();
        for (std::size_t i = 0; i < kDevices; ++i)
            now[i] = list.at(i).second;
        return now;
    }

    void recover() {
        const Counters found = counted();
        Counters expected = shared_.durable;
        std::uint32_t steps = 0;
        while (found != expected && steps < shared_.count) {
            const Step& step = shared_.steps[steps++];
            expected[step.device] += static_cast<std::uint32_t>(step.change);
        }
        if (found != expected) fail("no number of operations leads to these counters");
        std::uint32_t sum = 0;
        for (const std::uint32_t each : found)
            sum += each;
        if (leases_->all().size() != sum) fail("a lease that is on no device, or a device of no lease");
        shared_.lost += shared_.count - steps;
        shared_.durable = counters_ = found;
        shared_.count = 0;
    }

    // All that was asked of the store is on the disk.
    void settle() {
        if (!run_to_end(store_->commit([](store::Transaction&) {}))) fail("a commit failed");
        shared_.durable = counters_;
        shared_.count = 0;
    }

    void note(std::size_t device, std::int32_t change) {
        shared_.steps[shared_.count] = {static_cast<std::uint32_t>(device), change};
        ++shared_.count;
        counters_[device] += static_cast<std::uint32_t>(change);
    }

    void request() {
        const auto least = std::min_element(counters_.begin(), counters_.end());
        auto granted = facade_->request(kNow);
        if (!granted) {
            ++shared_.refusals;
            if (*least < kFactor) fail("refused although a counter is below the factor");
            return;
        }
        const auto device = static_cast<std::size_t>(least - counters_.begin());
        if (*least >= kFactor) fail("given although all are at the factor");
        if (granted->row.devices.at(0).value != uuid_of(device)) fail("another device than the array's");
        ++shared_.grants;
        note(device, 1);
        store_->commit_later([row = granted->row](store::Transaction& t) { store::insert(t, row); });
        std::move(granted->claim).keep();
    }

    void release() {
        const std::size_t device = below(kDevices);
        auto ended = facade_->release(DeviceUuid(uuid_of(device)), kNow);
        if (!ended) fail("a known device is unknown");
        if (ended->empty() != (counters_[device] == 0)) fail("a release that is none, or none that is one");
        if (ended->empty()) return;
        note(device, -1);
        store_->commit_later([rows = ended->rows()](store::Transaction& t) {
            for (const auto& row : rows)
                store::end_lease(t, row);
        });
        facade_->apply(*ended);
    }

    Shared& shared_;
    std::mt19937_64 random_;
    Counters counters_{};
    config::GpuOptions options_;
    std::unique_ptr<store::Store> store_;
    std::optional<store::Ids> ids_;
    std::optional<Inventory> inventory_;
    std::optional<Leases> leases_;
    std::optional<AllocatorFacade> facade_;
};

// In memory where there is such a folder: a kill takes nothing from a file, whatever it lies on.
std::filesystem::path some_folder() {
    const std::filesystem::path memory("/dev/shm");
    const auto parent = ::access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
    return parent / ("berth-killed-" + random_hex(8));
}

int crashes_wanted() {
    const char* said = std::getenv("BERTH_STORE_CRASHES");
    if (said) return std::atoi(said);
#ifdef NDEBUG
    return 1'000;
#else
    return 40;
#endif
}

// BERTH_STORE_CRASHES=10000 ./test property: a million operations.
TEST(StoreProperty, KilledAnywhereNothingLeaksAndNothingIsGivenTwice) {
    void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    auto& shared = *new (memory) Shared();
    const int crashes = crashes_wanted();
    std::filesystem::path folder;
    for (int crash = 0; crash < crashes; ++crash) {
        if (crash % kCrashesOfOneFile == 0) {
            if (!folder.empty()) std::filesystem::remove_all(folder);
            folder = some_folder();
            shared.durable = {};
            shared.count = 0;
        }
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) Process(shared, folder.string(), static_cast<std::uint64_t>(crash)).run();
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_STREQ(shared.broken.data(), "") << "crash " << crash << " in " << folder;
        ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "crash " << crash;
    }
    std::filesystem::remove_all(folder);
    // The run must reach what it is about.
    EXPECT_GT(shared.operations, static_cast<std::uint64_t>(crashes) * 60);
    EXPECT_GT(shared.refusals, static_cast<std::uint64_t>(crashes));
    EXPECT_GT(shared.lost, static_cast<std::uint64_t>(crashes) / 10);
    std::cout << crashes << " kills, " << shared.operations << " operations, " << shared.grants << " grants, "
              << shared.refusals << " refusals, " << shared.lost
              << " operations lost before they were durable\n";
}

}  // namespace
}  // namespace berth::gpu
