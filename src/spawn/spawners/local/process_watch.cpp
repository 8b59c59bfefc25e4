#include "spawn/spawners/local/process_watch.hpp"

#include <sys/syscall.h>
#include <unistd.h>

namespace berth::spawn::local {
namespace {

constexpr std::size_t kMostUnread = 10'000;

}  // namespace

ProcessWatch::ProcessWatch(asio::any_io_executor executor)
    : executor_(std::move(executor)), happened_(executor_) {}

void ProcessWatch::add(ProcessId process, Ended about) {
    if (processes_.contains(process.pid)) return;
    const auto fd = static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0));
    if (fd < 0) return;
    auto [it, fresh] = processes_.emplace(process.pid, asio::posix::stream_descriptor(executor_, fd));
    it->second.async_wait(
        asio::posix::stream_descriptor::wait_read,
        [weak = weak_from_this(), pid = process.pid, about = std::move(about)](error_code error) mutable {
            const auto self = weak.lock();
            if (self && !error) self->end(pid, std::move(about));
        });
}

std::optional<int> ProcessWatch::exit_code_of(pid_t pid) {
    if (const auto code = reap(pid)) exit_codes_[pid] = *code;
    const auto it = exit_codes_.find(pid);
    return it == exit_codes_.end() ? std::nullopt : std::optional(it->second);
}

awaitable<ProcessWatch::Ended> ProcessWatch::next() {
    while (ended_.empty())
        co_await happened_.wait();
    Ended ended = std::move(ended_.front());
    ended_.pop_front();
    co_return ended;
}

void ProcessWatch::end(pid_t pid, Ended about) {
    about.exit_code = exit_code_of(pid);
    processes_.erase(pid);
    ended_.push_back(std::move(about));
    if (ended_.size() > kMostUnread) ended_.pop_front();  // nobody watches
    happened_.notify_all();
}

}  // namespace berth::spawn::local
