// A small world around a Scheduler for tests: names for users, a clock, and a hub that confirms every grant.
#pragma once

#include "gpu/scheduler.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace berth::gpu {

using std::chrono::hours;
using std::chrono::minutes;

struct SchedulerWorld {
    explicit SchedulerWorld(SchedulerOptions options = {}) : scheduler(std::move(options)) {}

    static ScheduledDevice device(std::string name, std::string model = "A", std::uint32_t capacity = 1) {
        ScheduledDevice device;
        device.uuid = DeviceUuid(std::move(name));
        device.model = std::move(model);
        device.capacity = capacity;
        return device;
    }
    void devices(std::size_t count, std::uint32_t capacity = 1) {
        list.clear();
        for (std::size_t i = 0; i < count; ++i)
            list.push_back(device(std::string(1, static_cast<char>('a' + i)), "A", capacity));
        take(DevicesChanged{list});
    }
    static QueueRequest request(
        std::int64_t id, std::int64_t user, std::uint32_t count = 1, Duration length = hours(8)) {
        QueueRequest request;
        request.id = EntryId{id};
        request.asker.user = UserId{user};
        request.asker.name = "user" + std::to_string(user);
        request.wish.count = count;
        request.length = length;
        return request;
    }
    // Confirms grants at once; a lease has the number of its entry plus 1000. Says what happened.
    std::vector<std::string> take(const Event& event) {
        std::vector<std::string> said;
        auto actions = scheduler.apply(event, now);
        for (std::size_t i = 0; i < actions.size(); ++i) {
            said.push_back(text_of(actions[i]));
            const auto* grant = std::get_if<GrantAction>(&actions[i]);
            if (!grant || !confirms) continue;
            const LeaseId lease{static_cast<std::int64_t>(grant->entry) + 1000};
            const auto more = scheduler.apply(GrantConfirmed{grant->entry, lease, grant->deadline}, now);
            actions.insert(actions.end(), more.begin(), more.end());
            const auto started = scheduler.apply(LeaseStarted{lease}, now);
            actions.insert(actions.end(), started.begin(), started.end());
        }
        return said;
    }
    std::vector<std::string> ask(QueueRequest request) {
        if (request.enqueued == Timestamp{}) request.enqueued = now;
        return take(Enqueue{std::move(request)});
    }
    std::vector<std::string> end(std::int64_t entry) { return take(LeaseEnded{LeaseId{entry + 1000}}); }

    static std::string text_of(const Action& action) {
        if (const auto* grant = std::get_if<GrantAction>(&action)) {
            std::string text = std::to_string(static_cast<std::int64_t>(grant->entry)) + ":";
            for (const auto& uuid : grant->devices)
                text.append(uuid.value);
            return text;
        }
        if (const auto* reclaim = std::get_if<ReclaimAction>(&action)) {
            std::string text(name_of(reclaim->reason));
            return text.append(" ").append(std::to_string(number_of(reclaim->lease) - 1000));
        }
        const auto& reject = std::get<RejectAction>(action);
        return "no " + std::to_string(static_cast<std::int64_t>(reject.entry)) + ": " + reject.text;
    }

    Scheduler scheduler;
    Timestamp now = Timestamp(hours(24 * 365 * 50));
    std::vector<ScheduledDevice> list;
    bool confirms = true;
};

using Said = std::vector<std::string>;

}  // namespace berth::gpu
