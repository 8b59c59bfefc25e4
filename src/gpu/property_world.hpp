// For the property test of Inventory, Leases and AllocatorFacade together (leases_property_test.cpp): a
// double of the store's rows, the commits that are under way, and random operations as the hub and the API
// make them. What the world expects is kept apart from the code under test, by counting.
//
// As with the real store, commits come true or fail in the order in which they were queued and are answered
// in that order, later; anything may happen between the three, a crash too. A crash forgets all but the rows.
#pragma once

#include "gpu/allocator_facade.hpp"

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace berth::gpu::property {

inline constexpr std::uint32_t kNames = 14;  // devices that may ever be named
inline constexpr std::chrono::seconds kTimeToLive{3600};

using Random = std::mt19937_64;
using Number = std::uint32_t;  // of a device, below kNames

const DeviceUuid& uuid_of(Number device);
Number number_in(const DeviceUuid& uuid);

// What plays the database.
struct Rows {
    std::map<LeaseId, store::LeaseRow> live;
    std::set<LeaseId> released;
    std::map<Number, store::DeviceRow> devices;
    std::int64_t highest_id = 0;
};

// A commit under way and what its answer sets going.
struct Pending {
    enum class Kind { grant, step, end, populate, cordon, device_rows };
    enum class Outcome { unknown, durable, failed };

    Kind kind{};
    Outcome outcome = Outcome::unknown;
    std::vector<store::LeaseRow> leases{};
    RowChanges devices{};
    DeviceLease claim{};
    EndingLeases ending{};
    std::vector<DeviceUuid> members{};

    bool ends() const { return kind == Kind::end; }
    bool concerns(LeaseId id) const;
};

struct DeviceTruth {
    bool configured = false;
    bool facade_only = false;
    bool seen = false;   // by NVML since the start
    bool shown = false;  // in the last report
    bool fault = false;  // in the last report
    bool cordoned = false;
    bool suspect = false;
    std::optional<Timestamp> last_failure{};
};

// The request of this step, and its answer.
struct Asked {
    LeaseId id{};
    DeviceRequest request{};
    bool by_facade = false;
    std::optional<std::vector<DeviceUuid>> granted{};
};

struct Tally {
    std::uint64_t grants = 0, refusals = 0, failed_commits = 0, crashes = 0, releases_at_once = 0;
    std::uint64_t populates = 0, expired = 0, cordons = 0, reports = 0;
};

struct World {
    explicit World(std::uint64_t seed);
    void step();

    std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random() % limit); }
    bool one_in(std::uint32_t chances) { return below(chances) == 0; }
    bool eligible(Number device) const;
    std::vector<Number> listed_now() const;  // the façade's list, as promised
    bool is_under_way(LeaseId id) const;

    Random random;
    std::uint32_t factor;
    bool with_notebooks;  // without, the façade is alone and its counters are the seed's
    Number nvml_devices;  // those below are what NVML may show
    config::GpuOptions options{};
    Timestamp now{std::chrono::seconds(1'700'000'000)};

    // Under test; anew after each crash.
    std::optional<store::Ids> ids{};
    std::optional<Inventory> inventory{};
    std::optional<Leases> leases{};
    std::optional<AllocatorFacade> facade{};

    Rows rows{};
    std::deque<Pending> queue{};  // after the three above: what is in it gives back to them

    // What must hold.
    std::map<LeaseId, std::uint32_t> wanted{};    // devices asked for, by lease
    std::map<LeaseId, store::LeaseState> told{};  // the leases somebody was told of, as they were told
    std::array<DeviceTruth, kNames> truth{};
    bool reported = false;                            // NVML, since the start
    std::optional<std::vector<Number>> listed{};      // nothing: every device
    std::array<std::int64_t, kNames> acknowledged{};  // the seed's counters: grants told minus releases told
    std::array<int, kNames> mode_before{};            // 0 free, 1 shared, 2 exclusive
    bool crashed = false;                             // in this step
    std::optional<Asked> asked{};                     // in this step
    std::string broken_release;                       // I19, in this step
    std::string broken_repeat;                        // I9, in this step
    std::string broken_commit;                        // I11, ever
    Tally tally{};

private:
    void start();
    void crash();
    void reserve();
    void request();
    void grant(Asked question, Result<Leases::Granted> answer);
    void release();
    void expire();
    void advance_a_lease();
    void end_a_lease();
    void repeat_an_end();
    void populate();
    void cordon();
    void report();
    void fail_a_verification();
    void write_changes();
    void store_works();
    void commit(const Pending& item);
    void answer_one();
    void answer(Pending item);
    void answer_ends(Pending item);
    void answer_populate(Pending item);
    void expire_suspicions();
    const store::LeaseRow* any_notebook_lease();
};

// All invariants of gpu.md E.13 that hold for one node without queue; "" or what is broken.
std::string violations(World& world);

}  // namespace berth::gpu::property
