// Allocator decisions in memory, and grants that a kill -9 would not forget: the store's group commit under
// many concurrent starts. Beside it the rate at which this disk syncs, since that is what bounds one grant at
// a time.
//
// berth_bench_allocator [DIRECTORY]: the database is made below DIRECTORY, the temporary one if none is
// named. Prints one JSON object.
#include "async/awaitable.hpp"
#include "base/json.hpp"
#include "base/random.hpp"
#include "gpu/leases.hpp"
#include "gpu/ledger.hpp"
#include "store/queries.hpp"
#include "store/store.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

namespace berth {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::duration;

constexpr int kDevices = 8;
constexpr std::int64_t kConcurrentStarts = 512;

double seconds_since(Clock::time_point start) {
    return duration<double>(Clock::now() - start).count();
}

[[noreturn]] void give_up(const Error& error) {
    std::cerr << error.message << " " << error.detail << "\n";
    std::exit(1);
}

DeviceUuid device(int number) {
    DeviceUuid uuid("GPU-3d8f0a52-6c1b-4e97-8f20-0000000000");
    uuid.value += std::to_string(10 + number);
    return uuid;
}

// Of this thread alone: what one core does, whoever else uses the machine.
double cpu_seconds() {
    timespec spent{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) * 1e-9;
}

// Grants and releases alternate around a ledger that is half full, as a busy group's is; each grant is a
// decision.
double decisions_per_second() {
    gpu::Ledger ledger;
    for (int i = 0; i < kDevices; ++i)
        ledger.put({.uuid = device(i), .capacity = 4});
    const gpu::DeviceRequest one{.sharing = gpu::Sharing::shared};
    std::int64_t next = 1;
    while (next <= kDevices * 2)
        (void)ledger.acquire(LeaseId{next++}, one);
    std::int64_t oldest = 1;
    std::int64_t decisions = 0;
    const double start = cpu_seconds();
    while (cpu_seconds() - start < 1) {
        for (int i = 0; i < 10'000; ++i) {
            if (!ledger.acquire(LeaseId{next++}, one)) std::abort();
            if (!ledger.release(LeaseId{oldest++})) std::abort();
        }
        decisions += 10'000;
    }
    return static_cast<double>(decisions) / (cpu_seconds() - start);
}

// One decision at a time, by the clock, which costs some 30 ns of each.
double decision_us_p99() {
    gpu::Ledger ledger;
    for (int i = 0; i < kDevices; ++i)
        ledger.put({.uuid = device(i), .capacity = 4});
    const gpu::DeviceRequest one{.sharing = gpu::Sharing::shared};
    std::int64_t next = 1, oldest = 1;
    while (next <= kDevices * 2)
        (void)ledger.acquire(LeaseId{next++}, one);
    std::vector<double> seconds(200'000);
    for (double& each : seconds) {
        const auto start = Clock::now();
        if (!ledger.acquire(LeaseId{next++}, one)) std::abort();
        each = seconds_since(start);
        if (!ledger.release(LeaseId{oldest++})) std::abort();
    }
    const auto at = seconds.begin() + std::ssize(seconds) * 99 / 100;
    std::nth_element(seconds.begin(), at, seconds.end());
    return *at * 1e6;
}

double syncs_per_second(const std::filesystem::path& directory) {
    const int file = ::open((directory / "sync-probe").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    const std::string page(4096, 'x');
    int syncs = 0;
    const auto start = Clock::now();
    while (file >= 0 && seconds_since(start) < 1) {
        if (::write(file, page.data(), page.size()) < 0 || ::fdatasync(file) != 0) break;
        ++syncs;
    }
    const double rate = syncs / seconds_since(start);
    ::close(file);
    return rate;
}

struct Bench {
    store::Store& store;
    gpu::Leases& leases;
    store::Ids& ids;
    std::vector<double> milliseconds{};  // of each grant, from the request to the durable answer
};

awaitable<> grant_some(Bench& bench, int count) {
    const gpu::DeviceRequest one{.sharing = bench.leases.sharing(false)};
    for (int i = 0; i < count; ++i) {
        const auto start = Clock::now();
        const auto id = bench.ids.next<LeaseId>();
        auto granted = bench.leases.reserve_anonymous(id, one, now_utc(), now_utc());
        if (!granted) give_up(granted.error());
        store::Change change = [row = granted->row](store::Transaction& tx) { store::insert(tx, row); };
        auto done = co_await bench.store.commit(std::move(change));
        if (!done) give_up(done.error());
        std::move(granted->claim).keep();
        bench.milliseconds.push_back(seconds_since(start) * 1e3);
    }
}

awaitable<> release_all(Bench& bench) {
    const auto held = bench.leases.expired(now_utc());
    std::vector<store::LeaseRow> rows;
    for (const auto id : held)
        rows.push_back(*bench.leases.release(id, now_utc(), "bench"));
    store::Change change = [rows](store::Transaction& tx) {
        for (const auto& row : rows)
            store::update(tx, row);
    };
    auto done = co_await bench.store.commit(std::move(change));
    if (!done) give_up(done.error());
    for (const auto& row : rows)
        bench.leases.apply(row);
}

awaitable<> commit_devices(Bench& bench, std::vector<store::DeviceRow> rows) {
    store::Change change = [rows](store::Transaction& tx) {
        for (const auto& row : rows)
            store::upsert(tx, row);
    };
    auto done = co_await bench.store.commit(std::move(change));
    if (!done) give_up(done.error());
}

void run_all(asio::io_context& context) {
    context.run();
    context.restart();
}

void start(asio::io_context& context, awaitable<> work) {
    asio::co_spawn(context, std::move(work), [](std::exception_ptr failure) {
        if (failure) std::rethrow_exception(failure);
    });
}

json::object durable_grants(const std::filesystem::path& directory) {
    auto opened = store::Store::open(directory.string());
    if (!opened) give_up(opened.error());
    auto& store = **opened;
    auto loaded = store.load();
    if (!loaded) give_up(loaded.error());
    store::Ids ids(loaded->next_id);
    config::GpuOptions options;
    options.oversubscription = 4096;
    for (int i = 0; i < kDevices; ++i)
        options.devices.emplace_back().uuid = device(i).value;
    gpu::Inventory inventory(options, {});
    gpu::Leases leases(options, [](UserId) { return std::string("ann"); });
    leases.sync(inventory);
    Bench bench{.store = store, .leases = leases, .ids = ids};
    asio::io_context context;
    start(context, commit_devices(bench, inventory.take_changed_rows()));
    run_all(context);

    constexpr int kRounds = 5;
    constexpr int kGrantsEach = 16;
    double spent = 0;
    for (int round = 0; round < kRounds; ++round) {
        const auto begin = Clock::now();
        for (std::int64_t i = 0; i < kConcurrentStarts; ++i)
            start(context, grant_some(bench, kGrantsEach));
        run_all(context);
        spent += seconds_since(begin);
        start(context, release_all(bench));
        run_all(context);
    }
    store.close();
    auto& times = bench.milliseconds;
    std::sort(times.begin(), times.end());
    return {
        {"grants_per_second", static_cast<double>(times.size()) / spent},
        {"concurrent_starts", kConcurrentStarts},
        {"grant_ms_median", times[times.size() / 2]},
        {"grant_ms_p99", times[times.size() * 99 / 100]}};
}

int run(const std::filesystem::path& parent) {
    const auto directory = parent / ("berth-bench-" + random_hex(6));
    std::filesystem::create_directories(directory);
    json::object result = durable_grants(directory);
    result["decisions_per_second"] = decisions_per_second();
    result["decision_us_p99"] = decision_us_p99();
    result["devices"] = kDevices;
    result["disk_syncs_per_second"] = syncs_per_second(directory);
    std::filesystem::remove_all(directory);
    std::cout << json::serialize(result) << "\n";
    return 0;
}

}  // namespace
}  // namespace berth

int main(int argc, char** argv) {
    return berth::run(argc > 1 ? std::filesystem::path(argv[1]) : std::filesystem::temp_directory_path());
}
