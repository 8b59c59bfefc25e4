#include "gpu/plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace berth::gpu {
namespace {

using std::chrono::hours;

const Timestamp kNow(hours(24 * 365 * 50));

std::vector<ScheduledDevice> some_devices(std::uint32_t capacity) {
    std::vector<ScheduledDevice> list(12);
    for (std::size_t i = 0; i < list.size(); ++i) {
        list[i].uuid = DeviceUuid("GPU-" + std::to_string(i));
        list[i].model = i % 3 == 0 ? "A100" : "H200";
        list[i].capacity = capacity;
    }
    return list;
}

// Each device with the times from which its parts are free, looked at anew for every request.
struct Naive {
    std::vector<std::vector<Timestamp>> parts;

    Timestamp free_from(std::size_t at, Sharing sharing) const {
        const auto [least, most] = std::minmax_element(parts[at].begin(), parts[at].end());
        return sharing == Sharing::exclusive ? *most : *least;
    }
    Timestamp book(const Shape& shape, Duration length, Timestamp not_before) {
        std::vector<std::pair<Timestamp, std::size_t>> places;
        for (std::size_t at = 0; at < parts.size(); ++at) {
            if (!shape.usable.test(at)) continue;
            places.emplace_back(std::max(free_from(at, shape.wish.sharing), not_before), at);
        }
        if (places.size() < shape.wish.count) return kNever;
        std::sort(places.begin(), places.end());
        places.resize(shape.wish.count);
        const Timestamp start = places.back().first;
        for (const auto& [from, at] : places) {
            if (shape.wish.sharing == Sharing::shared) {
                auto& part = *std::min_element(parts[at].begin(), parts[at].end());
                part = std::max(part, start + length);
                continue;
            }
            for (auto& part : parts[at])
                part = std::max(part, start + length);
        }
        return start;
    }
};

Wish any_wish(std::mt19937& random) {
    Wish wish{.count = 1 + static_cast<std::uint32_t>(random() % 5)};
    if (random() % 3 == 0) wish.sharing = Sharing::shared;
    if (random() % 3 == 0) wish.model = random() % 2 == 0 ? "H200" : "A100";
    return wish;
}

TEST(Plan, PlacesAreThoseOfALookAtEveryDevice) {
    for (std::uint32_t seed = 0; seed < 50; ++seed) {
        std::mt19937 random(seed);
        const std::uint32_t capacity = 1 + seed % 3;
        SchedulerState state;
        state.set_devices(some_devices(capacity));
        Plan plan(state, kNow);
        Naive naive{{12, std::vector<Timestamp>(capacity, kNow)}};
        for (int i = 0; i < 200; ++i) {
            const auto shape = state.shape_of(any_wish(random));
            const Duration length = hours(1 + random() % 40);  // many ends fall together
            const Timestamp not_before = random() % 4 == 0 ? kNow + hours(random() % 200) : kNow;
            const Timestamp expected = naive.book(*shape, length, not_before);
            ASSERT_EQ(plan.book(*shape, Asker{}, length, not_before), expected) << seed << " " << i;
        }
    }
}

// What is asked for most has a way of its own.
TEST(Plan, OneLeastAllocatedDeviceIsWhatThePolicySays) {
    std::mt19937 random(3);
    for (int round = 0; round < 200; ++round) {
        SchedulerState state;
        auto devices = some_devices(4);
        for (auto& device : devices)
            device.external = static_cast<std::uint32_t>(random() % 3);
        state.set_devices(devices);
        DeviceSet candidates;
        std::vector<Candidate> list;
        for (std::uint32_t at = 0; at < devices.size(); ++at) {
            state.use[at].leases = static_cast<std::uint32_t>(random() % 4);
            if (random() % 3 == 0) continue;
            candidates.set(at);
            list.push_back({.order = at, .leases = state.use[at].leases + devices[at].external});
        }
        EXPECT_EQ(state.choose(Wish{}, UserId{1}, candidates, kNow), choose(Choice{}, list));
    }
}

}  // namespace
}  // namespace berth::gpu
