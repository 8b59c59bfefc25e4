#include "spawn/spawners/local/local_spawner.hpp"

#include "obs/log.hpp"
#include "spawn/lab_notice.hpp"
#include "spawn/log_lines.hpp"
#include "spawn/spawners/local/ending.hpp"
#include "spawn/spawners/local/launch.hpp"
#include "spawn/spawners/local/ports.hpp"
#include "spawn/spawners/local/process_watch.hpp"
#include "spawn/spawners/local/records.hpp"
#include "spawn/stop_grace.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace berth::spawn {
namespace {

using namespace local;

std::string end_of(const std::string& path, std::int64_t most_bytes) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) return "";
    const auto size = static_cast<std::int64_t>(file.tellg());
    std::string text(static_cast<std::size_t>(std::min<std::int64_t>(size, most_bytes)), '\0');
    file.seekg(size - static_cast<std::int64_t>(text.size()));
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    return text;
}

std::string tail_of(const std::string& path) {
    return last_lines(end_of(path, 16 * 1024));
}

class LocalSpawner final : public Spawner {
public:
    LocalSpawner(
        asio::any_io_executor executor,
        BlockingPool& pool,
        config::LocalOptions options,
        const config::SpawnOptions& spawn,
        const std::string& state_dir)
        : pool_(pool),
          options_(std::move(options)),
          stop_timeout_(spawn.stop_timeout),
          places_{std::filesystem::absolute(state_dir).string()},
          watch_(std::make_shared<ProcessWatch>(std::move(executor))) {}

    std::string_view name() const override { return "local"; }
    std::string hub_listen_address() const override { return "127.0.0.1"; }

    awaitable<Result<void>> check(Deadline deadline) override;
    awaitable<Result<Endpoint>> start(StartPlan plan, Progress progress, Deadline deadline) override;
    awaitable<Result<void>> verify(StartPlan plan, SpawnState state, Deadline deadline) override;
    awaitable<Result<void>> stop(StartPlan plan, SpawnState state, Deadline deadline) override;
    awaitable<Result<Status>> poll(StartPlan plan, SpawnState state, Deadline deadline) override;
    awaitable<Result<std::string>> log(
        StartPlan plan, SpawnState state, std::size_t lines, Deadline deadline) override;
    awaitable<Result<Listing>> list(std::string instance, ListOf what, Deadline deadline) override;
    awaitable<Result<Secret>> token_of(StartPlan plan, SpawnState state, Deadline deadline) override;
    awaitable<> watch(std::string instance, Watcher watcher) override;

private:
    Endpoint endpoint_of(const Record& record) const {
        return {"http://127.0.0.1:" + std::to_string(record.port), record.state()};
    }
    void watch_over(const StartPlan& plan, ProcessId process) {
        watch_->add(
            process, {plan.instance, plan.server, plan.generation, std::nullopt, places_.log_of(plan)});
    }

    awaitable<Result<void>> end(const StartPlan& plan, ProcessId leader, Deadline deadline);

    BlockingPool& pool_;
    config::LocalOptions options_;
    std::chrono::seconds stop_timeout_;  // from SIGTERM to SIGKILL: Jupyter ends its kernels in that time
    Places places_;
    std::shared_ptr<ProcessWatch> watch_;
    std::shared_ptr<Ports> ports_ = std::make_shared<Ports>();  // work on the pool may outlive us
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

// Once, before anything starts. Without them a server is as good as any other.
void write_lab_notice(const Places& places) {
    for (const auto& file : lab_notice_files()) {
        const std::filesystem::path path = places.lab() + "/" + std::string(file.path);
        std::error_code error;
        std::filesystem::create_directories(path.parent_path(), error);
        std::ofstream out(path, std::ios::binary | std::ios::trunc);
        out << file.text;
        if (error || !out.flush()) log::warn("local.lab_notice_missing", {{"file", path.string()}});
    }
}

Result<void> check_machine(const config::LocalOptions& options, const Places& places) {
    if (options.system_users && ::geteuid() != 0) {
        return Error{
            SpawnErrc::not_permitted,
            "local.system_users needs a hub that runs as root. Run it as root, or set local.system_users to "
            "false."};
    }
    BERTH_CHECK(make_folders(places));
    write_lab_notice(places);
    const char* path = std::getenv("PATH");
    auto command = resolve_command(options, {}, path ? path : "");
    if (!command) return command.error();
    return {};
}

awaitable<Result<void>> LocalSpawner::check(Deadline) {
    auto work = [options = options_, places = places_] { return check_machine(options, places); };
    co_return co_await run_on(pool_, std::move(work));
}

// What is there under this server's name: this very start's process is what is asked for, another one must
// go.
struct Before {
    std::optional<Record> record;
    bool is_wanted = false;
};

Result<Before> look_before(const StartPlan& plan, const Places& places) {
    BERTH_CHECK(make_folders(places));
    BERTH_TRY(auto record, Records(places.records()).load(plan.instance, plan.server));
    if (!record) return Before{};
    BERTH_TRY(const bool alive, runs(record->process));
    const bool is_wanted = alive && StartPlan::from_stored(record->plan).generation == plan.generation;
    return Before{std::move(record), is_wanted};
}

Result<Record> launch(
    const StartPlan& plan,
    const config::LocalOptions& options,
    const Places& places,
    Ports& ports,
    Deadline deadline) {
    const Records records(places.records());
    Record record;
    record.plan = plan.to_stored();
    BERTH_TRY(record.port, ports.take());
    BERTH_TRY(const auto spec, make_spec(plan, options, places, record.port));
    const auto write_down = [&](ProcessId process) {
        record.process = process;
        return records.save(record);
    };
    auto started = start_process(spec, write_down, deadline);
    if (started) return record;
    // One that hangs on its way may be there yet: then stop() finds it by its record.
    const auto left = runs(record.process);
    if (left && !*left) records.remove(plan.instance, plan.server);
    return started.error();
}

awaitable<Result<void>> LocalSpawner::end(const StartPlan& plan, ProcessId leader, Deadline deadline) {
    const auto grace = stop_grace(stop_timeout_, deadline.left());
    co_return co_await end_process(pool_, leader, marker_of(plan.instance, plan.server), grace, deadline);
}

awaitable<Result<Endpoint>> LocalSpawner::start(StartPlan plan, Progress progress, Deadline deadline) {
    if (progress) progress(10, "Starting the notebook process");
    auto look = [plan, places = places_] { return look_before(plan, places); };
    BERTH_CO_TRY(auto before, co_await run_on(pool_, std::move(look)));
    if (before.is_wanted) {
        watch_over(plan, before.record->process);
        co_return endpoint_of(*before.record);
    }
    if (before.record) {
        BERTH_CO_CHECK(co_await end(plan, before.record->process, deadline));
    }
    auto work = [plan, options = options_, places = places_, ports = ports_, deadline] {
        return launch(plan, options, places, *ports, deadline);
    };
    BERTH_CO_TRY(const auto record, co_await run_on(pool_, std::move(work)));
    watch_->forget(record.process.pid);
    watch_over(plan, record.process);
    if (progress) progress(50, "The notebook process runs; waiting for it to answer");
    co_return endpoint_of(record);
}

Result<void> verify_devices(const StartPlan& plan, const SpawnState& state) {
    const auto record = from_state(state);
    const auto process = record ? record->process : ProcessId{};
    const auto visible = environment_value(process.pid, "CUDA_VISIBLE_DEVICES");
    // Asked afterwards: the environment of one that ends meanwhile says nothing.
    BERTH_TRY(const bool alive, runs(process));
    if (!alive) return Error{SpawnErrc::exited_early, "The notebook process has ended."};
    BERTH_TRY(const auto devices, visible);
    const std::string wanted = visible_devices(plan);
    if (devices == wanted) return {};
    std::string detail = "lease: '";
    detail.append(wanted).append("', visible: '").append(devices.value_or("(every device)")).append("'");
    return Error{
        SpawnErrc::devices_differ,
        "The notebook does not see the GPUs that it was given, so it was not started. Tell the "
        "administrator.",
        std::move(detail)};
}

Error why_it_ended(const Status& ended) {
    std::string message = "The notebook process ended at once";
    if (ended.exit_code) message.append(" with exit code ").append(std::to_string(*ended.exit_code));
    if (ended.last_log_lines.empty())
        message.append(". It wrote nothing.");
    else
        message.append(". Its last lines:\n").append(ended.last_log_lines);
    return Error{SpawnErrc::exited_early, std::move(message)};
}

awaitable<Result<void>> LocalSpawner::verify(StartPlan plan, SpawnState state, Deadline deadline) {
    auto work = [plan, state] { return verify_devices(plan, state); };
    auto verified = co_await run_on(pool_, std::move(work));
    if (verified || !verified.error().is(SpawnErrc::exited_early)) co_return verified;
    BERTH_CO_TRY(const auto ended, co_await poll(std::move(plan), std::move(state), deadline));
    co_return why_it_ended(ended);
}

// What a stop has to end. A newer start's process is not this plan's to end.
struct Doomed {
    ProcessId process;  // pid 0: no record; then only the mark tells what is left
    bool is_newer = false;
};

Result<Doomed> find_doomed(const StartPlan& plan, const SpawnState& state, const Places& places) {
    BERTH_TRY(const auto stored, Records(places.records()).load(plan.instance, plan.server));
    if (stored && StartPlan::from_stored(stored->plan).generation > plan.generation) return Doomed{{}, true};
    const auto known = stored ? stored : from_state(state);
    return Doomed{known ? known->process : ProcessId{}};
}

awaitable<Result<void>> LocalSpawner::stop(StartPlan plan, SpawnState state, Deadline deadline) {
    auto find = [plan, state = std::move(state), places = places_] {
        return find_doomed(plan, state, places);
    };
    BERTH_CO_TRY(const auto doomed, co_await run_on(pool_, std::move(find)));
    if (doomed.is_newer) co_return Result<void>{};
    BERTH_CO_CHECK(co_await end(plan, doomed.process, deadline));
    auto forget = [plan, places = places_]() -> Result<void> {
        Records(places.records()).remove(plan.instance, plan.server);
        return {};
    };
    co_return co_await run_on(pool_, std::move(forget));
}

struct Known {
    ProcessId process;
    bool is_running = false;
};

Result<Known> look_for(const StartPlan& plan, const SpawnState& state, const Places& places) {
    BERTH_TRY(const auto stored, Records(places.records()).load(plan.instance, plan.server));
    const auto record = stored ? stored : from_state(state);
    Known known{record ? record->process : ProcessId{}};
    BERTH_TRY(known.is_running, runs(known.process));
    return known;
}

awaitable<Result<Status>> LocalSpawner::poll(StartPlan plan, SpawnState state, Deadline) {
    auto work = [plan, state = std::move(state), places = places_] { return look_for(plan, state, places); };
    BERTH_CO_TRY(const auto known, co_await run_on(pool_, std::move(work)));
    Status status;
    if (known.is_running) {
        status.liveness = Liveness::running;
        co_return status;
    }
    if (known.process.pid > 0) status.exit_code = watch_->exit_code_of(known.process.pid);
    auto read_log = [path = places_.log_of(plan)] { return tail_of(path); };
    auto log = co_await pool_.run(std::move(read_log));
    if (log) status.last_log_lines = std::move(*log);
    co_return status;
}

awaitable<Result<std::string>> LocalSpawner::log(StartPlan plan, SpawnState, std::size_t lines, Deadline) {
    auto read = [path = places_.log_of(plan), lines]() -> Result<std::string> {
        constexpr std::int64_t kLongestLine = 512;  // more are simply fewer lines
        const auto bytes = static_cast<std::int64_t>(lines) * kLongestLine;
        return last_lines(end_of(path, bytes), lines, static_cast<std::size_t>(bytes));
    };
    co_return co_await run_on(pool_, std::move(read));
}

struct Listed {
    Record record;
    bool is_running = false;
};

Result<std::vector<Listed>> list_records(const std::string& instance, const Places& places) {
    BERTH_TRY(auto records, Records(places.records()).all(instance));
    std::vector<Listed> all;
    for (auto& record : records) {
        BERTH_TRY(const bool is_running, runs(record.process));
        all.push_back({std::move(record), is_running});
    }
    return all;
}

awaitable<Result<Listing>> LocalSpawner::list(std::string instance, ListOf, Deadline) {
    auto work = [instance, places = places_] { return list_records(instance, places); };
    BERTH_CO_TRY(const auto listed, co_await run_on(pool_, std::move(work)));
    Listing listing;
    for (const auto& [record, is_running] : listed) {
        const auto plan = StartPlan::from_stored(record.plan);
        Found found{
            plan.server,
            plan.generation,
            plan.key,
            is_running ? Liveness::running : Liveness::gone,
            plan.devices,
            plan.object_name(),
            endpoint_of(record),
            std::nullopt};
        if (is_running)
            watch_over(plan, record.process);
        else
            found.endpoint.url.clear();
        listing.found.push_back(std::move(found));
    }
    co_return listing;
}

Result<Secret> read_token(const StartPlan& plan, const SpawnState& state, const Places& places) {
    BERTH_TRY(const auto known, look_for(plan, state, places));
    BERTH_TRY(const auto token, environment_value(known.process.pid, "JUPYTERHUB_API_TOKEN"));
    if (known.is_running && token) return Secret(*token);
    return Error{SpawnErrc::exited_early, "The process is gone, or it never had a token."};
}

awaitable<Result<Secret>> LocalSpawner::token_of(StartPlan plan, SpawnState state, Deadline) {
    auto work = [plan, state = std::move(state), places = places_] {
        return read_token(plan, state, places);
    };
    co_return co_await run_on(pool_, std::move(work));
}

// No gap: the kernel forgets no process; those of an earlier hub are watched from list() on.
awaitable<> LocalSpawner::watch(std::string instance, Watcher watcher) {
    for (;;) {
        auto ended = co_await watch_->next();
        if (ended.instance != instance) continue;
        Status status;
        status.exit_code = ended.exit_code;
        auto read_log = [path = ended.log_file] { return tail_of(path); };
        auto log = co_await pool_.run(std::move(read_log));
        if (log) status.last_log_lines = std::move(*log);
        watcher.gone(ended.server, ended.generation, std::move(status));
    }
}

}  // namespace

std::unique_ptr<Spawner> make_local_spawner(
    asio::any_io_executor executor,
    BlockingPool& pool,
    config::LocalOptions local,
    const config::SpawnOptions& spawn,
    const std::string& state_dir) {
    return std::make_unique<LocalSpawner>(std::move(executor), pool, std::move(local), spawn, state_dir);
}

}  // namespace berth::spawn
