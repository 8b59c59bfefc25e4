#include "spawn/spawners/local/local_spawner.hpp"

#include "async/notifier.hpp"
#include "obs/log.hpp"
#include "spawn/log_lines.hpp"
#include "spawn/spawners/local/launch.hpp"
#include "spawn/spawners/local/records.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>

namespace berth::spawn {
namespace {

using namespace local;
using namespace std::chrono_literals;

constexpr auto kGrace = 10s;  // from SIGTERM to SIGKILL: Jupyter ends its kernels in that time

std::string tail_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) return "";
    const auto size = static_cast<std::int64_t>(file.tellg());
    std::string text(static_cast<std::size_t>(std::min<std::int64_t>(size, 16 * 1024)), '\0');
    file.seekg(size - static_cast<std::int64_t>(text.size()));
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    return last_lines(text);
}

// Work that has a Result of its own, without the pool's around it.
template <class Work, class T = std::invoke_result_t<Work>>
awaitable<T> run_on(BlockingPool& pool, Work work) {
    auto done = co_await pool.run(std::move(work));
    if (!done) co_return T(boost::system::in_place_error, done.error());
    co_return std::move(*done);
}

// Waits on the pidfds of all known processes and keeps how they ended. Its waits hold it weakly, so the
// spawner can go.
class Watch : public std::enable_shared_from_this<Watch> {
public:
    struct Ended {
        std::string instance;
        ServerId server{};
        std::int64_t generation = 0;
        std::optional<int> exit_code;
        std::string log_file;
    };

    explicit Watch(asio::any_io_executor executor) : executor_(std::move(executor)), happened_(executor_) {}

    void add(ProcessId process, Ended about) {
        if (processes_.contains(process.pid)) return;
        const auto fd = static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0));
        if (fd < 0) return;  // ended already: whoever looks at it next finds that out
        auto [it, fresh] = processes_.emplace(process.pid, asio::posix::stream_descriptor(executor_, fd));
        it->second.async_wait(
            asio::posix::stream_descriptor::wait_read,
            [weak = weak_from_this(), pid = process.pid, about = std::move(about)](error_code error) mutable {
                const auto self = weak.lock();
                if (self && !error) self->end(pid, std::move(about));
            });
    }
    // How it ended, when it was our child and has been reaped; asks the kernel when the watch has not heard
    // yet.
    std::optional<int> exit_code_of(pid_t pid) {
        if (const auto code = reap(pid)) exit_codes_[pid] = *code;
        const auto it = exit_codes_.find(pid);
        return it == exit_codes_.end() ? std::nullopt : std::optional(it->second);
    }
    void forget(pid_t pid) { exit_codes_.erase(pid); }

    awaitable<Ended> next() {
        while (ended_.empty())
            co_await happened_.wait();
        Ended ended = std::move(ended_.front());
        ended_.pop_front();
        co_return ended;
    }

private:
    void end(pid_t pid, Ended about) {
        about.exit_code = exit_code_of(pid);
        processes_.erase(pid);
        ended_.push_back(std::move(about));
        if (ended_.size() > 10'000) ended_.pop_front();  // nobody watches
        happened_.notify_all();
    }

    asio::any_io_executor executor_;
    std::map<pid_t, asio::posix::stream_descriptor> processes_;
    std::map<pid_t, int> exit_codes_;
    std::deque<Ended> ended_;
    Notifier happened_;
};

class LocalSpawner final : public Spawner {
public:
    LocalSpawner(
        asio::any_io_executor executor,
        BlockingPool& pool,
        config::LocalOptions options,
        std::string state_dir)
        : pool_(pool),
          options_(std::move(options)),
          places_{std::filesystem::absolute(state_dir).string()},
          watch_(std::make_shared<Watch>(std::move(executor))) {}

    std::string_view name() const override { return "local"; }
    std::string hub_listen_address() const override { return "127.0.0.1"; }

    awaitable<Result<void>> check(Deadline deadline) override;
    awaitable<Result<Endpoint>> start(StartPlan plan, Progress progress, Deadline deadline) override;
    awaitable<Result<void>> verify(StartPlan plan, SpawnState state, Deadline deadline) override;
    awaitable<Result<void>> stop(StartPlan plan, SpawnState state, Deadline deadline) override;
    awaitable<Result<Status>> poll(StartPlan plan, SpawnState state, Deadline deadline) override;
    awaitable<Result<std::vector<Found>>> list(std::string instance, Deadline deadline) override;
    awaitable<> watch(std::string instance, OnGone on_gone, std::function<void()> on_gap) override;

private:
    Endpoint endpoint_of(const Record& record) const {
        return {"http://127.0.0.1:" + std::to_string(record.port), record.state()};
    }
    void watch_over(const StartPlan& plan, ProcessId process) {
        watch_->add(
            process, {plan.instance, plan.server, plan.generation, std::nullopt, places_.log_of(plan)});
    }

    BlockingPool& pool_;
    config::LocalOptions options_;
    Places places_;
    std::shared_ptr<Watch> watch_;
};

Result<void> make_folders(const Places& places) {
    for (const auto& folder : {places.records(), places.logs()}) {
        std::error_code error;
        std::filesystem::create_directories(folder, error);
        if (!error && ::access(folder.c_str(), W_OK) != 0) error.assign(errno, std::generic_category());
        if (error) {
            return Error{
                SpawnErrc::backend_failed,
                "The state folder cannot be written to; make it writable or set state_dir.",
                folder + ": " + error.message()};
        }
    }
    return {};
}

Result<void> check_machine(const config::LocalOptions& options, const Places& places) {
    if (options.system_users && ::geteuid() != 0) {
        return Error{
            SpawnErrc::not_permitted,
            "local.system_users needs a hub that runs as root. Run it as root, or set local.system_users to "
            "false."};
    }
    BERTH_CHECK(make_folders(places));
    const char* path = std::getenv("PATH");
    auto command = resolve_command(options, {}, path ? path : "");
    if (!command) return command.error();
    return {};
}

awaitable<Result<void>> LocalSpawner::check(Deadline) {
    auto work = [options = options_, places = places_] { return check_machine(options, places); };
    co_return co_await run_on(pool_, std::move(work));
}

// What was there before under this server's name: the same generation is what is asked for, another one must
// go.
struct Launched {
    Record record;
    bool was_running = false;
};

Result<Launched> launch(
    const StartPlan& plan, const config::LocalOptions& options, const Places& places, Deadline deadline) {
    const Records records(places.records());
    BERTH_CHECK(make_folders(places));
    if (auto before = records.load(plan.instance, plan.server)) {
        const auto old = StartPlan::from_stored(before->plan);
        if (old.generation == plan.generation && runs(before->process))
            return Launched{std::move(*before), true};
        BERTH_CHECK(end_process(before->process, marker_of(plan.instance, plan.server), kGrace, deadline));
    }
    Record record;
    record.plan = plan.to_stored();
    BERTH_TRY(record.port, free_port());
    BERTH_TRY(const auto spec, make_spec(plan, options, places, record.port));
    const auto write_down = [&](ProcessId process) {
        record.process = process;
        return records.save(record);
    };
    auto started = start_process(spec, write_down);
    if (!started) {
        records.remove(plan.instance, plan.server);
        return started.error();
    }
    return Launched{std::move(record), false};
}

awaitable<Result<Endpoint>> LocalSpawner::start(StartPlan plan, Progress progress, Deadline deadline) {
    if (progress) progress(10, "Starting the notebook process");
    auto work = [plan, options = options_, places = places_, deadline] {
        return launch(plan, options, places, deadline);
    };
    BERTH_CO_TRY(const auto launched, co_await run_on(pool_, std::move(work)));
    watch_->forget(launched.record.process.pid);
    watch_over(plan, launched.record.process);
    if (progress) progress(50, "The notebook process runs; waiting for it to answer");
    co_return endpoint_of(launched.record);
}

Result<void> verify_devices(const StartPlan& plan, const SpawnState& state) {
    const auto record = from_state(state);
    if (!record || !runs(record->process)) {
        return Error{SpawnErrc::exited_early, "The notebook process has ended."};
    }
    const auto visible = environment_value(record->process.pid, "CUDA_VISIBLE_DEVICES");
    const std::string wanted = visible_devices(plan);
    if (visible == wanted) return {};
    return Error{
        SpawnErrc::devices_differ,
        "The notebook does not see the GPUs that it was given, so it was not started. Tell the "
        "administrator.",
        "lease: '" + wanted + "', visible: '" + visible.value_or("(every device)") + "'"};
}

awaitable<Result<void>> LocalSpawner::verify(StartPlan plan, SpawnState state, Deadline) {
    auto work = [plan = std::move(plan), state = std::move(state)] { return verify_devices(plan, state); };
    co_return co_await run_on(pool_, std::move(work));
}

Result<void> end_server(
    const StartPlan& plan, const SpawnState& state, const Places& places, Deadline deadline) {
    const Records records(places.records());
    const auto stored = records.load(plan.instance, plan.server);
    // A newer start's process is not this plan's to end.
    if (stored && StartPlan::from_stored(stored->plan).generation > plan.generation) return {};
    auto known = stored ? stored : from_state(state);
    const ProcessId process = known ? known->process : ProcessId{};
    BERTH_CHECK(end_process(process, marker_of(plan.instance, plan.server), kGrace, deadline));
    records.remove(plan.instance, plan.server);
    return {};
}

awaitable<Result<void>> LocalSpawner::stop(StartPlan plan, SpawnState state, Deadline deadline) {
    auto work = [plan = std::move(plan), state = std::move(state), places = places_, deadline] {
        return end_server(plan, state, places, deadline);
    };
    co_return co_await run_on(pool_, std::move(work));
}

awaitable<Result<Status>> LocalSpawner::poll(StartPlan plan, SpawnState state, Deadline) {
    auto work = [plan, state = std::move(state), places = places_]() -> std::optional<ProcessId> {
        const auto stored = Records(places.records()).load(plan.instance, plan.server);
        const auto known = stored ? stored : from_state(state);
        return known ? std::optional(known->process) : std::nullopt;
    };
    auto found = co_await pool_.run(std::move(work));
    if (!found) co_return found.error();
    Status status;
    if (*found && runs(**found)) {
        status.liveness = Liveness::running;
        co_return status;
    }
    if (*found) status.exit_code = watch_->exit_code_of((*found)->pid);
    auto read_log = [path = places_.log_of(plan)] { return tail_of(path); };
    auto log = co_await pool_.run(std::move(read_log));
    if (log) status.last_log_lines = std::move(*log);
    co_return status;
}

awaitable<Result<std::vector<Found>>> LocalSpawner::list(std::string instance, Deadline) {
    auto work = [instance, places = places_] { return Records(places.records()).all(instance); };
    auto records = co_await pool_.run(std::move(work));
    if (!records) co_return records.error();
    std::vector<Found> all;
    for (const auto& record : *records) {
        const auto plan = StartPlan::from_stored(record.plan);
        const bool alive = runs(record.process);
        Found found{
            plan.server,
            plan.generation,
            plan.key,
            alive ? Liveness::running : Liveness::gone,
            plan.devices,
            plan.object_name(),
            endpoint_of(record)};
        if (alive)
            watch_over(plan, record.process);
        else
            found.endpoint.url.clear();
        all.push_back(std::move(found));
    }
    co_return all;
}

awaitable<> LocalSpawner::watch(std::string instance, OnGone on_gone, std::function<void()> on_gap) {
    (void)on_gap;  // the kernel forgets no process; those of an earlier hub are watched from list() on
    for (;;) {
        auto ended = co_await watch_->next();
        if (ended.instance != instance) continue;
        Status status;
        status.exit_code = ended.exit_code;
        auto read_log = [path = ended.log_file] { return tail_of(path); };
        auto log = co_await pool_.run(std::move(read_log));
        if (log) status.last_log_lines = std::move(*log);
        on_gone(ended.server, ended.generation, std::move(status));
    }
}

}  // namespace

std::unique_ptr<Spawner> make_local_spawner(
    asio::any_io_executor executor,
    BlockingPool& pool,
    config::LocalOptions local,
    config::SpawnOptions spawn,
    std::string state_dir) {
    (void)spawn;
    return std::make_unique<LocalSpawner>(std::move(executor), pool, std::move(local), std::move(state_dir));
}

}  // namespace berth::spawn
