// 10^6 random operations with random crash points, against a naive model that is checked after every step.
// A crash forgets the ledger; it is rebuilt by restore() from the rows that were committed, and whatever had
// not been committed by then is lost. Each check names its invariant of gpu.md E.13. (I19, the seed's array
// of counters, is allocator_facade_test.cpp's.)
#include "gpu/ledger.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bitset>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace berth::gpu {
namespace {

constexpr int kSeeds = 200;
constexpr int kStepsPerSeed = 5000;

using Random = std::mt19937_64;

std::uint32_t below(Random& random, std::uint32_t limit) {
    return static_cast<std::uint32_t>(random() % limit);
}

bool one_in(Random& random, std::uint32_t chances) {
    return below(random, chances) == 0;
}

constexpr std::uint32_t kNames = 24;
using DeviceSet = std::bitset<kNames>;

const DeviceUuid& name_of(std::uint32_t number) {
    static const std::vector<DeviceUuid> names = [] {
        std::vector<DeviceUuid> all;
        for (std::uint32_t i = 0; i < kNames; ++i) {
            DeviceUuid uuid("GPU-of-the-property-test-");
            uuid.value += std::to_string(10 + i);
            all.push_back(std::move(uuid));
        }
        return all;
    }();
    return names.at(number);
}

std::size_t number_in(const DeviceUuid& uuid) {
    const auto& text = uuid.value;
    return static_cast<std::size_t>((text[text.size() - 2] - '1') * 10 + (text.back() - '0'));
}

// What the ledger must do, written without looking at how it does it: a table, a set of leases, counting by
// hand.
struct Model {
    struct Lease {
        Sharing sharing;
        DeviceSet devices;
    };
    std::vector<Device> table;             // the committed device rows, in order
    std::map<std::int64_t, Lease> memory;  // what the running hub holds: rows, uncommitted grants, ended ones
                                           // that were not applied yet
    std::map<std::int64_t, Lease> committed;  // the live rows of the store

    std::uint32_t count(const DeviceUuid& uuid) const {
        const auto number = number_in(uuid);
        std::uint32_t sum = 0;
        for (const auto& [id, lease] : memory)
            sum += lease.devices[number] ? 1 : 0;
        return sum;
    }
    bool held_alone(const DeviceUuid& uuid) const {
        const auto number = number_in(uuid);
        return std::any_of(memory.begin(), memory.end(), [&](const auto& each) {
            return each.second.sharing == Sharing::exclusive && each.second.devices[number];
        });
    }
    bool has_room(const Device& device, Sharing sharing) const {
        if (!device.eligible) return false;
        if (sharing == Sharing::exclusive) return count(device.uuid) == 0;
        return !held_alone(device.uuid) && count(device.uuid) < device.capacity;
    }
    Device* find(const DeviceUuid& uuid) {
        const auto at =
            std::find_if(table.begin(), table.end(), [&](const Device& each) { return each.uuid == uuid; });
        return at == table.end() ? nullptr : &*at;
    }
};

struct Prediction {
    std::optional<DeviceErrc> refusal;
    std::vector<DeviceUuid> devices;
};

// The devices a request ranges over, in tie order.
std::vector<const Device*> range_of(Model& model, const DeviceRequest& request) {
    std::vector<const Device*> range;
    if (request.among.empty()) {
        for (const auto& device : model.table) {
            if (device.eligible && !device.by_name_only) range.push_back(&device);
        }
    }
    for (const auto& uuid : request.among) {
        const Device* device = model.find(uuid);
        if (!device || !device->eligible) continue;
        if (std::find(range.begin(), range.end(), device) == range.end()) range.push_back(device);
    }
    return range;
}

Prediction predict(Model& model, const DeviceRequest& request) {
    if (request.count == 0) return {DeviceErrc::nothing_asked, {}};
    auto range = range_of(model, request);
    if (range.empty()) return {DeviceErrc::no_devices, {}};
    if (request.count > range.size()) return {DeviceErrc::more_than_exist, {}};
    const bool all_kept = std::all_of(range.begin(), range.end(), [&](const Device* each) {
        return each->capacity > 1 && model.held_alone(each->uuid);
    });
    std::erase_if(range, [&](const Device* each) { return !model.has_room(*each, request.sharing); });
    if (range.empty() && request.sharing == Sharing::shared && all_kept)
        return {DeviceErrc::not_shareable, {}};
    if (range.empty()) return {DeviceErrc::none_free, {}};
    if (request.count > range.size()) return {DeviceErrc::not_enough_free, {}};
    // I14: fewest leases, first in order among equals: taken one by one, always the first of the least used.
    std::vector<const Device*> chosen;
    while (chosen.size() < request.count) {
        auto least = range.begin();
        for (auto each = range.begin(); each != range.end(); ++each) {
            if (model.count((*each)->uuid) < model.count((*least)->uuid)) least = each;
        }
        chosen.push_back(*least);
        range.erase(least);
    }
    std::sort(chosen.begin(), chosen.end());  // by place in the table: device order
    Prediction prediction;
    for (const Device* each : chosen)
        prediction.devices.push_back(each->uuid);
    return prediction;
}

class History {
public:
    explicit History(std::uint64_t seed) : random_(seed), names_(1 + below(random_, 12)) {
        for (std::uint32_t i = 0; i < names_; ++i)
            put(any_device());
    }

    void step() {
        switch (below(random_, 16)) {
            case 0:
            case 1:
            case 2:
            case 3:
            case 4:
                return acquire();
            case 5:
            case 6:
            case 7:
                return commit_a_grant();
            case 8:
                return drop_a_claim();
            case 9:
            case 10:
                return end_a_lease();
            case 11:
            case 12:
                return apply_an_end();
            case 13:
                return release_what_is_not_there();
            case 14:
                return change_a_device();
            default:
                if (one_in(random_, 6)) return crash();
                return acquire();
        }
    }

    std::string violation() const { return violation_.empty() ? compare() : violation_; }
    std::uint64_t grants = 0;
    std::uint64_t refusals = 0;
    std::uint64_t crashes = 0;

private:
    Device any_device() {
        return {
            .uuid = name_of(below(random_, names_ + 2)),
            .capacity = 1 + below(random_, 4),
            .eligible = !one_in(random_, 6),
            .by_name_only = one_in(random_, 10)};
    }
    DeviceRequest any_request() {
        DeviceRequest request{
            .count = one_in(random_, 3) ? below(random_, 5) : 1,
            .sharing = one_in(random_, 3) ? Sharing::exclusive : Sharing::shared};
        if (one_in(random_, 4)) {
            for (std::uint32_t i = 1 + below(random_, names_ + 2); i > 0; --i) {
                request.among.push_back(name_of(below(random_, names_ + 2)));
            }
        }
        return request;
    }
    void broken(const std::string& what) {
        if (violation_.empty()) violation_ = what;
    }

    void acquire() {
        const auto request = any_request();
        const auto expected = predict(model_, request);
        const auto id = next_id_++;
        const auto answer = ledger_.acquire(LeaseId{id}, request);
        if (!answer) {
            ++refusals;
            if (!expected.refusal) return broken("refused what fits: " + answer.error().message);
            if (!answer.error().is(*expected.refusal)) broken("wrong rule named: " + answer.error().message);
            return;
        }
        ++grants;
        if (expected.refusal) return broken("granted what does not fit");
        DeviceSet distinct;
        for (const auto& uuid : *answer)
            distinct.set(number_in(uuid));
        if (distinct.count() != request.count || answer->size() != request.count)
            broken("I8: not n distinct devices");
        if (*answer != expected.devices) broken("I13, I14: another choice than the policy's");
        for (const auto& uuid : *answer)
            check_granted(uuid, request);
        model_.memory.emplace(id, Model::Lease{request.sharing, distinct});
        uncommitted_.push_back(id);
    }

    void check_granted(const DeviceUuid& uuid, const DeviceRequest& request) {
        const Device* device = model_.find(uuid);
        if (!device || !device->eligible) return broken("I6: granted a device that may not be given out");
        const auto count = model_.count(uuid) + 1;
        if (count > device->capacity) broken("I2: more leases than the factor allows");
        if (request.sharing == Sharing::exclusive && count != 1) broken("I2: exclusive, but not alone");
        for (const auto& [id, lease] : model_.memory) {
            if (lease.devices[number_in(uuid)] && lease.sharing != request.sharing)
                broken("I5: mode changed while held");
        }
    }

    void commit_a_grant() {
        if (uncommitted_.empty()) return;
        const auto id = uncommitted_.front();
        uncommitted_.erase(uncommitted_.begin());
        model_.committed.emplace(id, model_.memory.at(id));
    }

    void drop_a_claim() {  // its commit failed: the devices are free at once
        if (uncommitted_.empty()) return;
        const auto id = uncommitted_.back();
        uncommitted_.pop_back();
        forget(id);
    }

    void end_a_lease() {  // durable, not yet applied: the devices are still held
        if (model_.committed.empty()) return;
        const auto victim = std::next(
            model_.committed.begin(), below(random_, static_cast<std::uint32_t>(model_.committed.size())));
        ended_.push_back(victim->first);
        model_.committed.erase(victim);
    }

    void apply_an_end() {
        if (ended_.empty()) return;
        const auto id = ended_.back();
        ended_.pop_back();
        forget(id);
    }

    void forget(std::int64_t id) {
        model_.memory.erase(id);
        if (!ledger_.release(LeaseId{id})) broken("I9: a live lease could not be released");
        last_released_ = id;
    }

    void release_what_is_not_there() {
        const auto id = one_in(random_, 2) ? last_released_ : next_id_ + 1000;
        if (ledger_.release(LeaseId{id})) broken("I9: released twice, or what never was");
    }

    void put(const Device& device) {
        ledger_.put(device);
        if (Device* known = model_.find(device.uuid)) {
            *known = device;
        } else {
            model_.table.push_back(device);
        }
    }

    void change_a_device() {
        if (!one_in(random_, 4)) return put(any_device());
        const auto uuid = any_device().uuid;
        Device* known = model_.find(uuid);
        const bool removable = known && model_.count(uuid) == 0;
        if (ledger_.remove(uuid) != removable) return broken("removed a leased device, or kept a free one");
        if (removable) {
            model_.table.erase(model_.table.begin() + (known - model_.table.data()));
        } else if (known) {
            known->eligible = false;
        }
    }

    void crash() {
        ++crashes;
        ledger_ = Ledger();
        uncommitted_.clear();
        ended_.clear();
        model_.memory = model_.committed;
        for (const auto& device : model_.table)
            ledger_.put(device);
        for (const auto& [id, lease] : model_.committed) {
            std::vector<DeviceUuid> devices;
            for (std::uint32_t number = 0; number < kNames; ++number) {
                if (lease.devices[number]) devices.push_back(name_of(number));
            }
            if (!ledger_.restore(LeaseId{id}, lease.sharing, devices))
                broken("I11: a committed lease was lost");
        }
    }

    // I1, I5, I9, I11: the ledger's counters and marks are those of the leases held, recomputed.
    std::string compare() const {
        if (ledger_.live_leases() != model_.memory.size()) return "I11: another number of live leases";
        const auto views = ledger_.devices();
        if (views.size() != model_.table.size()) return "another number of devices";
        std::uint32_t room[2] = {0, 0};
        for (std::size_t i = 0; i < views.size(); ++i) {
            const auto& device = model_.table[i];
            if (views[i].device.uuid != device.uuid) return "device order changed";
            if (views[i].leases != model_.count(device.uuid))
                return "I1: counter differs from the leases held";
            if (views[i].exclusively_held != model_.held_alone(device.uuid)) return "I5: mode differs";
            if (device.by_name_only) continue;
            room[0] += model_.has_room(device, Sharing::exclusive) ? 1 : 0;
            room[1] += model_.has_room(device, Sharing::shared) ? 1 : 0;
        }
        if (ledger_.free_devices(Sharing::exclusive) != room[0]) return "free devices (exclusive) differ";
        if (ledger_.free_devices(Sharing::shared) != room[1]) return "free devices (shared) differ";
        return {};
    }

    Random random_;
    std::uint32_t names_;
    Ledger ledger_;
    Model model_;
    std::vector<std::int64_t> uncommitted_;
    std::vector<std::int64_t> ended_;
    std::int64_t next_id_ = 1;
    std::int64_t last_released_ = 0;
    std::string violation_;
};

TEST(LedgerProperty, AMillionOperationsWithCrashesKeepTheInvariants) {
    std::uint64_t grants = 0;
    std::uint64_t refusals = 0;
    std::uint64_t crashes = 0;
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        History run(seed);
        for (int step = 0; step < kStepsPerSeed; ++step) {
            run.step();
            ASSERT_EQ(run.violation(), "") << "seed " << seed << " step " << step;
        }
        grants += run.grants;
        refusals += run.refusals;
        crashes += run.crashes;
    }
    // The run must reach what it is about: plenty of both answers, and crashes in between.
    EXPECT_GT(grants, 100'000U);
    EXPECT_GT(refusals, 50'000U);
    EXPECT_GT(crashes, 8'000U);
    RecordProperty("grants", std::to_string(grants));
    RecordProperty("crashes", std::to_string(crashes));
}

TEST(LedgerProperty, RequestsOnlyStayWithinOneOfEachOther) {  // I14, second half
    Random random(7);
    for (int round = 0; round < 200; ++round) {
        Ledger ledger;
        const auto devices = 1 + below(random, 9);
        for (std::uint32_t i = 0; i < devices; ++i) {
            ledger.put({.uuid = DeviceUuid("GPU-" + std::to_string(i)), .capacity = 1000});
        }
        for (std::int64_t id = 1; id <= 100; ++id) {
            const DeviceRequest request{.count = 1 + below(random, devices), .sharing = Sharing::shared};
            ASSERT_TRUE(ledger.acquire(LeaseId{id}, request));
            const auto views = ledger.devices();
            const auto [least, most] = std::minmax_element(
                views.begin(), views.end(), [](const auto& a, const auto& b) { return a.leases < b.leases; });
            ASSERT_LE(most->leases - least->leases, 1U) << "round " << round << " lease " << id;
        }
    }
}

TEST(LedgerProperty, TheSameLogGivesTheSameChoices) {  // I13
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        Ledger first;
        Ledger second;
        for (std::uint32_t i = 0; i < 6; ++i) {
            first.put({.uuid = DeviceUuid("GPU-" + std::to_string(i)), .capacity = 3});
            second.put({.uuid = DeviceUuid("GPU-" + std::to_string(i)), .capacity = 3});
        }
        Random random(seed);
        for (std::int64_t id = 1; id <= 300; ++id) {
            const DeviceRequest request{.count = 1 + below(random, 3), .sharing = Sharing::shared};
            const auto a = first.acquire(LeaseId{id}, request);
            const auto b = second.acquire(LeaseId{id}, request);
            ASSERT_EQ(a.has_value(), b.has_value());
            if (a) {
                ASSERT_EQ(*a, *b);
            }
            const LeaseId victim{1 + static_cast<std::int64_t>(below(random, 300))};
            ASSERT_EQ(first.release(victim), second.release(victim));
        }
    }
}

}  // namespace
}  // namespace berth::gpu
