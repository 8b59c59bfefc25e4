// How processes ended: waits on the pidfds of all that are added (pidfd_open(2)). Hub strand only.
#pragma once

#include "async/awaitable.hpp"
#include "async/notifier.hpp"
#include "base/ids.hpp"
#include "spawn/spawners/local/process.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace berth::spawn::local {

// Its waits hold it weakly, so the spawner can go.
class ProcessWatch : public std::enable_shared_from_this<ProcessWatch> {
public:
    struct Ended {
        std::string instance;
        ServerId server{};
        std::int64_t generation = 0;
        std::optional<int> exit_code;  // known when it was our child
        std::string log_file;
    };

    explicit ProcessWatch(asio::any_io_executor executor);

    // One that has ended already is not added: whoever looks at it next finds that out.
    void add(ProcessId process, Ended about);
    // How it ended, when it was our child and has been reaped; asks the kernel when the watch has not heard
    // yet.
    std::optional<int> exit_code_of(pid_t pid);
    void forget(pid_t pid) { exit_codes_.erase(pid); }
    awaitable<Ended> next();

private:
    void end(pid_t pid, Ended about);

    asio::any_io_executor executor_;
    std::map<pid_t, asio::posix::stream_descriptor> processes_;
    std::map<pid_t, int> exit_codes_;
    std::deque<Ended> ended_;
    Notifier happened_;
};

}  // namespace berth::spawn::local
