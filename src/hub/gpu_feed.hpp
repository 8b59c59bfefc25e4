// Tells whoever looks at a board that devices, leases or the queue have changed, so that nobody has to ask
// again and again. While nobody listens it costs nothing; while somebody does, what the board shows is looked
// at twice a second, so changes come at most twice a second however many there are. Hub strand only.
#pragma once

#include "async/notifier.hpp"
#include "hub/context.hpp"
#include "hub/gpu_queue.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace berth::hub {

class GpuFeed {
public:
    static constexpr std::size_t kMostListeners = 512;
    static constexpr std::size_t kMostOfOne = 8;  // of one account

    // How often each kind of thing has changed.
    struct Revisions {
        std::uint64_t devices = 0;
        std::uint64_t leases = 0;
        std::uint64_t queue = 0;
        bool operator==(const Revisions&) const = default;
    };

    GpuFeed(Context& context, const GpuQueue& queue);
    GpuFeed(const GpuFeed&) = delete;

    // Somebody listens for as long as this lives; the feed must outlive it.
    class Listener {
    public:
        Listener(GpuFeed& feed, std::string account) : feed_(&feed), account_(std::move(account)) {}
        Listener(Listener&& other) noexcept
            : feed_(std::exchange(other.feed_, nullptr)), account_(std::move(other.account_)) {}
        Listener& operator=(Listener&&) = delete;
        ~Listener() {
            if (feed_ != nullptr) feed_->leave(account_);
        }

    private:
        GpuFeed* feed_;
        std::string account_;
    };
    // Nothing when there are too many already.
    std::optional<Listener> join(const std::string& account);
    // The hub is stopping: whoever listens is to leave, and comes back to the next hub.
    void close();
    bool closed() const { return closed_; }

    Revisions revisions() const { return revisions_; }
    // After the next change, or at the deadline.
    awaitable<> wait(Deadline deadline);
    // Looks for ever.
    awaitable<> run();

private:
    struct Prints {
        std::size_t devices = 0;
        std::size_t leases = 0;
        std::size_t queue = 0;
    };
    void leave(const std::string& account) noexcept;
    bool look(bool queue_too);
    std::size_t print_of_devices() const;
    std::size_t print_of_leases() const;
    std::size_t print_of_queue() const;

    Context& context_;
    const GpuQueue& queue_;
    std::map<std::string, std::size_t> listeners_;  // by account
    std::size_t listening_ = 0;
    bool closed_ = false;
    Prints prints_;
    Revisions revisions_;
    Notifier joined_;
    Notifier changed_;
};

}  // namespace berth::hub
