// What the ledger says beside its choices (those are leases_property_test.cpp's): which rule refuses, how
// many devices are free, which device may be removed, with a factor for each device, under every policy.
// Random operations against a table that is counted by hand.
#include "gpu/ledger.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace berth::gpu {
namespace {

constexpr int kSeeds = 64;
constexpr int kStepsPerSeed = 2000;
constexpr std::array kPolicies{
    Policy::least_allocated,
    Policy::pack,
    Policy::spread,
    Policy::round_robin,
    Policy::lru,
    Policy::affinity,
    Policy::load,
    Policy::topology};

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
    std::vector<Device> table;  // in order
    std::map<std::int64_t, Lease> leases;
    Policy policy = Policy::least_allocated;
    std::uint32_t cursor = 0;
    std::int64_t releases = 0;
    std::map<std::string, std::int64_t> released;  // by uuid: the last of them; none for never

    std::uint32_t count(const DeviceUuid& uuid) const {
        const auto number = number_in(uuid);
        std::uint32_t sum = 0;
        for (const auto& [id, lease] : leases)
            sum += lease.devices[number] ? 1 : 0;
        return sum;
    }
    bool held_alone(const DeviceUuid& uuid) const {
        const auto number = number_in(uuid);
        return std::any_of(leases.begin(), leases.end(), [&](const auto& each) {
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
    std::uint32_t cursor = 0;  // where round-robin stands afterwards
};

struct InRange {
    std::uint32_t order;
    const Device* device;
};

// The devices a request ranges over, in tie order.
std::vector<InRange> range_of(Model& model, const DeviceRequest& request) {
    std::vector<InRange> range;
    for (std::uint32_t at = 0; at < model.table.size() && request.among.empty(); ++at) {
        const Device& device = model.table[at];
        if (device.eligible && !device.by_name_only) range.push_back({at, &device});
    }
    for (std::uint32_t at = 0; at < request.among.size(); ++at) {
        const Device* device = model.find(request.among[at]);
        if (!device || !device->eligible) continue;
        const auto named = [&](const InRange& each) { return each.device == device; };
        if (std::none_of(range.begin(), range.end(), named)) range.push_back({at, device});
    }
    return range;
}

// What the policy compares, the smallest first; ties go by order. The ledger knows neither time nor asker
// nor links, so what goes by those is least-allocated.
std::int64_t rank_of(const Model& model, const InRange& each) {
    switch (model.policy) {
        case Policy::pack:
            return -static_cast<std::int64_t>(model.count(each.device->uuid));
        case Policy::round_robin:
            return each.order < model.cursor ? 1 : 0;
        case Policy::lru: {
            const auto at = model.released.find(each.device->uuid.value);
            return at == model.released.end() ? 0 : at->second;
        }
        default:
            return model.count(each.device->uuid);
    }
}

Prediction predict(Model& model, const DeviceRequest& request) {
    if (request.count == 0) return {DeviceErrc::nothing_asked, {}};
    auto range = range_of(model, request);
    if (range.empty()) return {DeviceErrc::no_devices, {}};
    if (request.count > range.size()) return {DeviceErrc::more_than_exist, {}};
    const bool all_kept = std::all_of(range.begin(), range.end(), [&](const InRange& each) {
        return each.device->capacity > 1 && model.held_alone(each.device->uuid);
    });
    std::erase_if(range, [&](const InRange& each) { return !model.has_room(*each.device, request.sharing); });
    if (range.empty() && request.sharing == Sharing::shared && all_kept)
        return {DeviceErrc::not_shareable, {}};
    if (range.empty()) return {DeviceErrc::none_free, {}};
    if (request.count > range.size()) return {DeviceErrc::not_enough_free, {}};
    // I14 and its like: taken one by one, always the first of the smallest.
    std::vector<const Device*> chosen;
    std::optional<std::uint32_t> wrapped, ahead;  // the last place of each half of the walk around
    while (chosen.size() < request.count) {
        auto least = range.begin();
        for (auto each = range.begin(); each != range.end(); ++each) {
            if (rank_of(model, *each) < rank_of(model, *least)) least = each;
        }
        auto& last = least->order < model.cursor ? wrapped : ahead;
        last = std::max(last.value_or(0), least->order);
        chosen.push_back(least->device);
        range.erase(least);
    }
    std::sort(chosen.begin(), chosen.end());  // by place in the table: device order
    Prediction prediction;
    for (const Device* each : chosen)
        prediction.devices.push_back(each->uuid);
    prediction.cursor = (wrapped ? *wrapped : *ahead) + 1;
    return prediction;
}

class History {
public:
    explicit History(std::uint64_t seed) : random_(seed), names_(1 + below(random_, 12)) {
        model_.policy = kPolicies[seed % kPolicies.size()];
        ledger_.set_policy(model_.policy);
        for (std::uint32_t i = 0; i < names_; ++i)
            put(any_device());
    }

    void step() {
        switch (below(random_, 8)) {
            case 0:
            case 1:
            case 2:
            case 3:
                return acquire();
            case 4:
            case 5:
                return release();
            case 6:
                return release_what_is_not_there();
            default:
                return change_a_device();
        }
    }

    std::string violation() const { return violation_.empty() ? compare() : violation_; }
    std::uint64_t grants = 0;
    std::uint64_t refusals = 0;

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
        DeviceSet devices;
        for (const auto& uuid : *answer)
            devices.set(number_in(uuid));
        if (*answer != expected.devices) broken("another choice than the policy's, or another order");
        model_.leases.emplace(id, Model::Lease{request.sharing, devices});
        if (model_.policy == Policy::round_robin) model_.cursor = expected.cursor;
    }

    void release() {
        if (model_.leases.empty()) return;
        const auto count = static_cast<std::uint32_t>(model_.leases.size());
        const auto victim = std::next(model_.leases.begin(), below(random_, count));
        last_released_ = victim->first;
        ++model_.releases;
        for (const auto& device : model_.table) {
            if (victim->second.devices[number_in(device.uuid)])
                model_.released[device.uuid.value] = model_.releases;
        }
        model_.leases.erase(victim);
        if (!ledger_.release(LeaseId{last_released_})) broken("a live lease could not be released");
    }

    void release_what_is_not_there() {
        const auto id = one_in(random_, 2) ? last_released_ : next_id_ + 1000;
        if (ledger_.release(LeaseId{id})) broken("released twice, or what never was");
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
            model_.released.erase(uuid.value);
            model_.table.erase(model_.table.begin() + (known - model_.table.data()));
        } else if (known) {
            known->eligible = false;
        }
    }

    std::string compare() const {
        if (ledger_.live_leases() != model_.leases.size()) return "another number of live leases";
        const auto views = ledger_.devices();
        if (views.size() != model_.table.size()) return "another number of devices";
        std::uint32_t room[2] = {0, 0};
        for (std::size_t i = 0; i < views.size(); ++i) {
            const auto& device = model_.table[i];
            if (views[i].device.uuid != device.uuid) return "device order changed";
            if (views[i].leases != model_.count(device.uuid)) return "counter differs";
            if (views[i].exclusively_held != model_.held_alone(device.uuid)) return "mode differs";
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
    std::int64_t next_id_ = 1;
    std::int64_t last_released_ = 0;
    std::string violation_;
};

TEST(LedgerProperty, NamesTheRuleAndCountsWhatIsFree) {
    std::uint64_t grants = 0;
    std::uint64_t refusals = 0;
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        History run(seed);
        for (int step = 0; step < kStepsPerSeed; ++step) {
            run.step();
            ASSERT_EQ(run.violation(), "") << "seed " << seed << " step " << step;
        }
        grants += run.grants;
        refusals += run.refusals;
    }
    EXPECT_GT(grants, 10'000U);  // the run must reach what it is about
    EXPECT_GT(refusals, 5'000U);
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

}  // namespace
}  // namespace berth::gpu
