#include "hub/gpu_feed.hpp"

#include <functional>

namespace berth::hub {

using namespace std::chrono_literals;

namespace {

constexpr auto kPause = 500ms;
constexpr int kQueueEvery = 4;  // its times take work to find out
constexpr std::uint64_t kMemoryStep = 64 << 20;

class Print {
public:
    template <class T>
    Print& add(const T& value) {
        sum_ ^= std::hash<T>{}(value) + 0x9e3779b97f4a7c15ULL + (sum_ << 6) + (sum_ >> 2);
        return *this;
    }
    std::size_t sum() const { return sum_; }

private:
    std::size_t sum_ = 0;
};

std::int64_t minute_of(const std::optional<Timestamp>& time) {
    return time ? std::chrono::floor<std::chrono::minutes>(*time).time_since_epoch().count() : -1;
}

}  // namespace

GpuFeed::GpuFeed(Context& context, const GpuQueue& queue)
    : context_(context),
      queue_(queue),
      joined_(context.scope.executor()),
      changed_(context.scope.executor()) {}

std::optional<GpuFeed::Listener> GpuFeed::join(const std::string& account) {
    if (listening_ >= kMostListeners) return std::nullopt;
    const auto known = listeners_.find(account);
    if (known != listeners_.end() && known->second >= kMostOfOne) return std::nullopt;
    ++listeners_[account];
    if (listening_++ == 0) {
        (void)look(true);
        joined_.notify_all();
    }
    return Listener(*this, account);
}

void GpuFeed::close() {
    closed_ = true;
    changed_.notify_all();
}

void GpuFeed::leave(const std::string& account) noexcept {
    --listening_;
    const auto known = listeners_.find(account);
    if (known != listeners_.end() && --known->second == 0) listeners_.erase(known);
}

awaitable<> GpuFeed::wait(Deadline deadline) {
    (void)co_await changed_.wait_until(deadline);
}

std::size_t GpuFeed::print_of_devices() const {
    Print print;
    print.add(context_.inventory.stale_since().has_value());
    for (const auto& device : context_.inventory.devices()) {
        print.add(device.row.uuid.value).add(static_cast<int>(device.health)).add(device.row.cordoned);
        if (!device.reading) continue;
        print.add(device.reading->utilisation_percent.value_or(0));
        print.add(device.reading->used_bytes.value_or(0) / kMemoryStep);
    }
    for (const auto& use : context_.inventory.external())
        print.add(use.name).add(use.devices.size());
    return print.sum();
}

std::size_t GpuFeed::print_of_leases() const {
    Print print;
    for (const auto& [id, lease] : context_.leases.all())
        print.add(number_of(id)).add(static_cast<int>(lease.state)).add(minute_of(lease.expires_at));
    return print.sum();
}

std::size_t GpuFeed::print_of_queue() const {
    Print print;
    for (const auto& standing : queue_.standings()) {
        print.add(number_of(standing.server)).add(standing.estimate.position);
        print.add(minute_of(standing.estimate.likely_start)).add(minute_of(standing.estimate.latest_start));
    }
    return print.sum();
}

bool GpuFeed::look(bool queue_too) {
    const auto before = revisions_;
    const auto take = [](std::size_t& known, std::size_t now, std::uint64_t& revision) {
        if (std::exchange(known, now) != now) ++revision;
    };
    take(prints_.devices, print_of_devices(), revisions_.devices);
    const auto leases = revisions_.leases;
    take(prints_.leases, print_of_leases(), revisions_.leases);
    // Whoever leaves the queue takes a lease.
    if (queue_too || leases != revisions_.leases) take(prints_.queue, print_of_queue(), revisions_.queue);
    return before != revisions_;
}

awaitable<> GpuFeed::run() {
    int turn = 0;
    for (;;) {
        if (listening_ == 0) {
            co_await joined_.wait();
            continue;
        }
        if (look(turn++ % kQueueEvery == 0)) changed_.notify_all();
        co_await sleep_for(kPause);
    }
}

}  // namespace berth::hub
