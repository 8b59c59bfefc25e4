#include "async/shielded.hpp"
#include "base/text.hpp"
#include "obs/log.hpp"
#include "spawn/lab_notice.hpp"
#include "spawn/names.hpp"
#include "spawn/spawners/docker/adapter.hpp"
#include "spawn/spawners/docker/docker_spawner.hpp"

namespace berth::spawn {

namespace docker {
namespace {

using namespace std::chrono_literals;

// A create call that was begun is waited for so long even when nobody wants its answer (see create()).
constexpr auto kLongestCreate = 60s;

bool says_no_gpu_driver(std::string_view message) {
    return message.find("could not select device driver") != std::string_view::npos ||
           message.find("unknown or invalid runtime name: nvidia") != std::string_view::npos ||
           message.find("Unknown runtime specified nvidia") != std::string_view::npos;
}

Error no_gpu_support(const Answer& answer) {
    return refused(
        SpawnErrc::not_permitted,
        "The container engine cannot hand out GPUs. Ask the administrator to install NVIDIA's container "
        "toolkit, or to "
        "name the device nodes in gpu.devices[].path.",
        answer);
}

// What the engine said, without the part that only its makers understand.
std::string reason_in(const std::string& message) {
    for (const std::string_view noise :
         {"OCI runtime create failed: ", "container_linux.go", "failed to create shim task: "}) {
        if (message.find(noise) == std::string::npos) continue;
        for (const std::string_view known :
             {"executable file not found in $PATH", "no such file or directory", "permission denied"}) {
            if (message.find(known) != std::string::npos) return std::string(known);
        }
    }
    return ellipsized(message, 400);
}

Error refused_create(const StartPlan& plan, const Answer& answer) {
    if (answer.status < 500) {
        return refused(
            SpawnErrc::bad_request,
            "The container engine refused this profile: " + reason_in(answer.said()) +
                ". Ask the administrator to correct it.",
            answer);
    }
    return refused(
        SpawnErrc::backend_failed,
        "The container could not be made from the image '" + plan.profile.image +
            "': " + reason_in(answer.said()),
        answer);
}

std::string labelled(const StartPlan& plan) {
    return plan.instance + "/" + std::to_string(number_of(plan.server));
}

}  // namespace

DockerSpawner::DockerSpawner(
    net::Endpoint at, BlockingPool& pool, config::DockerOptions options, config::SpawnOptions spawn)
    : pool_(pool),
      options_(std::move(options)),
      spawn_(std::move(spawn)),
      engine_(std::move(at)),
      images_(engine_, options_.pull),
      image_reader_(engine_, pool_),
      network_(engine_, options_.network) {}

std::string DockerSpawner::hub_listen_address() const {
    return network_.gateway();
}

awaitable<Result<void>> DockerSpawner::check(Deadline deadline) {
    BERTH_CO_CHECK(co_await engine_.negotiate(deadline));
    BERTH_CO_TRY(const auto info, co_await engine_.get("/info", deadline));
    const auto* facts = info.body.if_object();
    if (!info.ok() || !facts) {
        co_return refused(SpawnErrc::backend_failed, "The container engine does not say what it is.", info);
    }
    if (string_at(*facts, "DefaultRuntime") == "nvidia") {
        log::warn(
            "docker.default_runtime_nvidia",
            {{"reason", "containers may choose GPUs by themselves there; make runc the default runtime"}});
    }
    const auto* runtimes = object_at(*facts, "Runtimes");
    if (options_.gpu_mode == "runtime" && !(runtimes && runtimes->contains("nvidia"))) {
        co_return Error{
            SpawnErrc::bad_request,
            "docker.gpu_mode is 'runtime', but the container engine has no runtime named nvidia. Install "
            "NVIDIA's "
            "container toolkit, or set docker.gpu_mode to auto."};
    }
    co_return co_await network_.ensure(deadline);
}

GpuMode DockerSpawner::mode_for(const StartPlan&) const {
    if (options_.gpu_mode == "devices") return GpuMode::devices;
    if (options_.gpu_mode == "runtime") return GpuMode::runtime;
    if (options_.gpu_mode == "auto" && fallen_back_) return *fallen_back_;
    return GpuMode::device_requests;
}

// An engine without NVIDIA's helper still hands out plain device nodes, when their paths are known.
bool DockerSpawner::fall_back(const StartPlan& plan) {
    if (options_.gpu_mode != "auto" || mode_for(plan) != GpuMode::device_requests) return false;
    bool have_paths = true;
    for (const auto& device : plan.devices) {
        const auto path = plan.device_paths.find(device.value);
        have_paths = have_paths && path != plan.device_paths.end() && !path->second.empty();
    }
    if (!have_paths && !options_.simulated_gpus) return false;
    fallen_back_ = options_.simulated_gpus ? GpuMode::environment : GpuMode::devices;
    const char* mode = options_.simulated_gpus ? "environment" : "devices";
    log::warn(
        "docker.gpu_mode_changed", {{"mode", mode}, {"reason", "the engine has no NVIDIA device driver"}});
    return true;
}

awaitable<Result<Endpoint>> DockerSpawner::start(StartPlan plan, Progress progress, Deadline deadline) {
    BERTH_CO_CHECK(co_await images_.ensure(plan.profile.image, progress, deadline));
    if (progress) progress(50, "Creating the container");
    auto created = co_await create_and_start(plan, progress, deadline);
    const bool no_driver = !created && says_no_gpu_driver(created.error().detail);
    if (no_driver && fall_back(plan)) {
        // What is there was made for the other way of handing out devices. It never ran, so there is nothing
        // in it to keep when docker.remove is off.
        BERTH_CO_TRY(const auto made, co_await find(plan, nullptr, deadline));
        if (made) {
            BERTH_CO_CHECK(co_await remove(made->id, deadline));
        }
        created = co_await create_and_start(plan, progress, deadline);
    }
    if (!created) co_return created.error();
    if (!created->running) co_return co_await why_it_ended(std::move(*created), deadline);
    if (created->address.empty()) {
        co_return Error{
            SpawnErrc::backend_failed,
            "The container has no address on the network '" + options_.network +
                "'. Ask the administrator to look at "
                "docker.network and docker.host_config.",
            created->name};
    }
    if (progress) progress(60, "The container runs; waiting for the notebook to answer");
    Endpoint endpoint{url_of(created->address, options_.port), created->state()};
    co_return endpoint;
}

awaitable<Result<Inspected>> DockerSpawner::create_and_start(
    StartPlan plan, Progress progress, Deadline deadline) {
    BERTH_CO_TRY(const auto id, co_await create(plan, progress, deadline));
    if (plan.lab_notice) co_await add_lab_notice(id, deadline);
    BERTH_CO_CHECK(co_await run(plan, id, deadline));
    BERTH_CO_TRY(auto container, co_await inspect(id, deadline));
    if (container) co_return std::move(*container);
    co_return Error{SpawnErrc::exited_early, "The container was removed while it started.", id};
}

// The id of a container made for this plan. The call that makes it is shielded: were it given up half-way,
// the engine might make the container after stop() has looked for it.
awaitable<Result<std::string>> DockerSpawner::create(StartPlan plan, Progress progress, Deadline deadline) {
    const std::string name = object_name(options_.name_template, plan.key);
    for (int tries = 0; tries < 4; ++tries) {
        BERTH_CO_TRY(auto request, create_request(plan, options_, mode_for(plan)));
        json::value body = std::move(request);
        const auto limit = deadline.earliest(Deadline::in(kLongestCreate));
        auto call = engine_.post("/containers/create?name=" + url_escape_query(name), std::move(body), limit);
        BERTH_CO_TRY(const auto answer, co_await shielded(std::move(call)));
        const auto* made = answer.body.if_object();
        if (answer.ok() && made) co_return string_at(*made, "Id").value_or(name);
        if (answer.status == 409) {
            BERTH_CO_TRY(auto existing, co_await settle_conflict(plan, name, deadline));
            if (existing) co_return std::move(*existing);
            continue;
        }
        if (says_no_gpu_driver(answer.said())) co_return no_gpu_support(answer);
        if (answer.status != 404) co_return refused_create(plan, answer);
        images_.forget(plan.profile.image);  // removed since it was last seen
        BERTH_CO_CHECK(co_await images_.ensure(plan.profile.image, progress, deadline));
    }
    co_return Error{
        SpawnErrc::backend_failed,
        "The container's name stays taken. Try again in a minute.",
        name + " for " + labelled(plan)};
}

// Something has the name already: this very start's container is adopted (its id is the answer), an older one
// of the same server is removed, and what is not ours stays.
awaitable<Result<std::optional<std::string>>> DockerSpawner::settle_conflict(
    StartPlan plan, std::string name, Deadline deadline) {
    using Settled = std::optional<std::string>;
    BERTH_CO_TRY(const auto existing, co_await inspect(name, deadline));
    if (!existing) {  // being removed just now
        co_await sleep_for(20ms);
        co_return Settled{};
    }
    const auto identity = identity_of(existing->labels);
    if (!identity || identity->instance != plan.instance || identity->key != plan.key) {
        co_return Error{
            SpawnErrc::bad_request,
            "A container named '" + name +
                "' exists that does not belong to this hub. Ask the administrator to remove "
                "it, or to change docker.name_template.",
            existing->id};
    }
    const bool same = identity->server == plan.server && identity->generation == plan.generation;
    const bool can_run = existing->running || !existing->exit_code;
    if (same && can_run) co_return Settled{existing->id};
    BERTH_CO_CHECK(co_await end(existing->id, deadline));
    // Kept until now when docker.remove is off; but the name is needed.
    if (!options_.remove) {
        BERTH_CO_CHECK(co_await remove(existing->id, deadline));
    }
    co_return Settled{};
}

// A container without it is as good as any other: its people are told on the home page alone.
awaitable<> DockerSpawner::add_lab_notice(std::string id, Deadline deadline) {
    auto answer = co_await engine_.put_archive(
        "/containers/" + id + "/archive?path=/", lab_notice_archive(kSystemDataFolder), deadline);
    if (answer && answer->ok()) co_return;
    const std::string why = answer ? answer->said() : answer.error().detail;
    log::warn("docker.lab_notice_missing", {{"container", id}, {"why", why}});
}

awaitable<Result<void>> DockerSpawner::run(StartPlan plan, std::string id, Deadline deadline) {
    BERTH_CO_TRY(const auto answer, co_await engine_.post("/containers/" + id + "/start", nullptr, deadline));
    if (answer.ok()) co_return Result<void>{};
    const std::string said = answer.said();
    if (says_no_gpu_driver(said)) co_return no_gpu_support(answer);
    const std::string network = "network " + options_.network;
    const bool removed = said.find(network + " not found") != std::string::npos;
    const bool several = said.find(network + " is ambiguous") != std::string::npos;
    if (removed || several) {
        // By hand, while no container was on it; or by another hub that started at the same moment.
        BERTH_CO_CHECK(co_await network_.ensure(deadline));
        BERTH_CO_TRY(
            const auto again, co_await engine_.post("/containers/" + id + "/start", nullptr, deadline));
        if (again.ok()) co_return Result<void>{};
    }
    if (answer.status == 404) {
        co_return refused(SpawnErrc::exited_early, "The container was removed while it started.", answer);
    }
    const bool no_program = said.find("executable file not found") != std::string::npos;
    if (answer.status < 500 || no_program) {
        co_return refused(
            SpawnErrc::bad_request,
            "The image '" + plan.profile.image + "' could not be run: " + reason_in(said) +
                ". Choose another image.",
            answer);
    }
    co_return refused(
        SpawnErrc::backend_failed, "The container could not be started: " + reason_in(said), answer);
}

awaitable<Error> DockerSpawner::why_it_ended(Inspected container, Deadline deadline) {
    if (container.out_of_memory) {
        co_return Error{
            SpawnErrc::out_of_memory,
            "The notebook used more memory than it may, and was ended. Choose a profile with more memory.",
            container.name};
    }
    const auto lines = co_await last_log_lines(container.id, deadline);
    const auto code = std::to_string(container.exit_code.value_or(-1));
    std::string message = "The container ended at once with exit code " + code + ".";
    message += lines.empty() ? " It wrote nothing." : " Its last lines:\n" + lines;
    co_return Error{SpawnErrc::exited_early, std::move(message), container.name};
}

}  // namespace docker

namespace {

// Stands in for an engine whose address cannot be used, so that check() can say so.
class UnusableSpawner final : public Spawner {
public:
    explicit UnusableSpawner(Error why) : why_(std::move(why)) {}
    std::string_view name() const override { return "docker"; }
    std::string hub_listen_address() const override { return "127.0.0.1"; }
    awaitable<Result<void>> check(Deadline) override { co_return why_; }
    awaitable<Result<Endpoint>> start(StartPlan, Progress, Deadline) override { co_return why_; }
    awaitable<Result<void>> verify(StartPlan, SpawnState, Deadline) override { co_return why_; }
    awaitable<Result<void>> stop(StartPlan, SpawnState, Deadline) override { co_return why_; }
    awaitable<Result<Status>> poll(StartPlan, SpawnState, Deadline) override { co_return why_; }
    awaitable<Result<std::string>> log(StartPlan, SpawnState, std::size_t, Deadline) override {
        co_return why_;
    }
    awaitable<Result<Listing>> list(std::string, ListOf, Deadline) override { co_return why_; }
    awaitable<Result<Secret>> token_of(StartPlan, SpawnState, Deadline) override { co_return why_; }
    awaitable<> watch(std::string, Watcher) override { co_await sleep_for(std::chrono::hours{24 * 365}); }

private:
    Error why_;
};

}  // namespace

std::unique_ptr<Spawner> make_docker_spawner(
    BlockingPool& pool, config::DockerOptions docker, config::SpawnOptions spawn) {
    auto at = docker::parse_host(docker.host);
    if (!at) return std::make_unique<UnusableSpawner>(at.error());
    return std::make_unique<docker::DockerSpawner>(std::move(*at), pool, std::move(docker), std::move(spawn));
}

}  // namespace berth::spawn
