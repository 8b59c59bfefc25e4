// The adapter to one kind of backend. Stateless (unlike JupyterHub's, which is one object a server):
// everything a call needs comes with it, everything to be remembered comes back as SpawnState, and the row in
// the store is the truth. Every operation is idempotent; those for one server are serialised by its lifecycle
// (hub/). Hub strand only.
#pragma once

#include "async/awaitable.hpp"
#include "async/deadline.hpp"
#include "base/ids.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "base/units.hpp"
#include "config/options.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace berth::spawn {

enum class SpawnErrc {
    image_not_found = 1,  // the person's: another image, or ask the administrator to fetch it
    image_pull_failed,
    not_permitted,  // backend policy refused the request
    bad_request,    // the backend refused what we sent: message says which part
    exited_early,   // message holds the last log lines
    start_timeout,
    backend_unreachable,  // the administrator's
    backend_failed,
    devices_differ,  // what is visible inside is not the lease
    no_such_user,    // local spawner: no system user of that name
    out_of_memory,
};
std::string_view text_of(SpawnErrc reason);
BERTH_ERROR_CATEGORY(SpawnErrc, "spawn")

// Opaque to all but the spawner that made it; kept in the server's row.
using SpawnState = json::value;

// The start as decided and committed. Names and labels derive from instance, server id and generation, so
// that after a crash the backend's objects can be matched to rows (gpu.md E.2).
struct StartPlan {
    std::string instance;  // this hub's id; objects of another instance are never touched
    ServerKey key;
    ServerId server{};
    std::int64_t generation = 0;
    config::Profile profile;  // resolved; image filled in
    std::optional<LeaseId> lease;
    std::vector<DeviceUuid> devices;                  // those of the lease, in device order
    std::map<std::string, std::string> device_paths;  // uuid -> /dev node, for gpu_mode devices
    std::map<std::string, std::string>
        environment;             // complete, hub-protocol §1; holds the API token: not stored
    std::string service_prefix;  // "/user/ann/": the path the server answers under
    bool lab_notice = false;     // give its JupyterLab the hub's notices (spawn/lab_notice.hpp); not stored

    std::string object_name() const;  // "berth-ann" / "berth-ann--gpu" after docker.name_template, escaped
    // Without environment and other secrets: what the row keeps, enough to find and remove the object.
    json::object to_stored() const;
    static StartPlan from_stored(const json::object& stored);
};

struct Endpoint {
    std::string url;  // "http://10.0.3.7:8888", no path
    SpawnState state;
};

enum class Liveness { running, gone };
struct Status {
    Liveness liveness = Liveness::gone;
    std::optional<int> exit_code;
    bool out_of_memory = false;
    std::optional<Timestamp> finished;  // when it ended, by the backend's clock, where it knows
    std::string last_log_lines;         // when gone; at most 4 KiB, for the person
};

// What the backend holds, by its labels; for reconciliation.
struct Found {
    ServerId server{};
    std::int64_t generation = 0;
    ServerKey key;
    Liveness liveness = Liveness::gone;
    std::vector<DeviceUuid> devices;
    std::string object_name;
    Endpoint endpoint;  // url empty when it is not running, or runs and has lost its network
    std::optional<Timestamp> created;
};

// Something that runs there, is not ours and was given GPUs: counted and shown, never touched.
struct Foreign {
    std::string name;
    // As it was asked for: a UUID, an index ("0"), a device node ("/dev/nvidia0"), or "*" for every device.
    std::vector<std::string> devices;
    std::string id = {};  // of the container, as processes in it show it
};

struct Listing {
    std::vector<Found> found;
    std::vector<Foreign> foreign;
};
enum class ListOf {
    ours,
    machine,  // and what is foreign
};

// Steps as they happen, for the progress stream: percent 1..90 and a sentence in plain text.
using Progress = std::function<void(int percent, std::string message)>;
// Somebody's container ended (or was killed); the server and generation from its labels.
using OnGone = std::function<void(ServerId server, std::int64_t generation, Status status)>;
// It runs on, and is reached somewhere else now. Url empty: nowhere, and its old address may be given to
// another.
using OnMoved = std::function<void(ServerId server, std::int64_t generation, std::string url)>;

// What watch() tells. All are set.
struct Watcher {
    OnGone gone;
    OnMoved moved;
    std::function<void()> gap;  // events may have been missed
};

class ImageFiles;

class Spawner {
public:
    virtual ~Spawner() = default;
    virtual std::string_view name() const = 0;
    // Where the files of images can be read without running them; null where servers have no images.
    virtual ImageFiles* image_files() { return nullptr; }

    // Is the backend usable? Error message names the option or what to install. Makes what is shared (the
    // network).
    virtual awaitable<Result<void>> check(Deadline deadline) = 0;
    // The address containers reach the hub's API listener at, known after check(): where the hub must listen
    // ("172.20.0.1" for a bridge gateway, "127.0.0.1" for local) and what goes into JUPYTERHUB_API_URL.
    virtual std::string hub_listen_address() const = 0;

    // Starts the server described by `plan`, or finds it if it already runs. Returns when the process runs
    // and has an address; readiness is the hub's to watch (hub/readiness). Errors: every SpawnErrc.
    // Cancellation and errors: the backend may hold a half-made object; the caller must give `plan` to the
    // reaper.
    virtual awaitable<Result<Endpoint>> start(StartPlan plan, Progress progress, Deadline deadline) = 0;
    // The devices visible inside are exactly plan.devices (gpu.md A.10). Error: devices_differ, with both
    // sets.
    virtual awaitable<Result<void>> verify(StartPlan plan, SpawnState state, Deadline deadline) = 0;
    // Ends it and removes it; success means that the backend itself said it is gone. Works from the plan
    // alone, when no state was ever returned. Errors: backend_unreachable, backend_failed, start_timeout:
    // then it may still be there.
    virtual awaitable<Result<void>> stop(StartPlan plan, SpawnState state, Deadline deadline) = 0;
    virtual awaitable<Result<Status>> poll(StartPlan plan, SpawnState state, Deadline deadline) = 0;
    // The last lines that the server wrote, oldest first, for its owner; "" when the backend has none any
    // more. Errors: backend_unreachable, backend_failed.
    virtual awaitable<Result<std::string>> log(
        StartPlan plan, SpawnState state, std::size_t lines, Deadline deadline) = 0;
    // Everything with our instance label, in one call. What is foreign is looked at closer, once each, as far
    // as there is time. Error: backend_unreachable.
    virtual awaitable<Result<Listing>> list(std::string instance, ListOf what, Deadline deadline) = 0;
    // The API token that the object was started with, for one that the store knows nothing of.
    virtual awaitable<Result<Secret>> token_of(StartPlan plan, SpawnState state, Deadline deadline) = 0;
    // Tells the watcher what happens, for ever; reconnects by itself. Ends only by cancellation.
    virtual awaitable<> watch(std::string instance, Watcher watcher) = 0;
};

}  // namespace berth::spawn
