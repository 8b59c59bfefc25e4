#include "config/impl/items.hpp"

namespace berth::config {
namespace {

constexpr std::int64_t kDay = 86400;

void describe_volume(Visitor& v, VolumeMount& o) {
    v.field(
        {"source", "Volume name or absolute path on the host; may hold {username} and {servername}."},
        &o.source);
    v.field({"target", "Absolute path in the container."}, &o.target);
    v.field({"read_only", "Whether the notebook may only read it."}, &o.read_only);
}

}  // namespace

void describe_spawn(Visitor& v, SpawnOptions& o) {
    v.field(
        {.key = "start_timeout",
         .help = "Time from the start request until the backend reports the server as running; fetching the "
                 "image included.",
         .jupyterhub = "Spawner.start_timeout",
         .min = 1,
         .max = kDay},
        &o.start_timeout);
    v.field(
        {.key = "http_timeout",
         .help = "Time from the server running to its first answer.",
         .jupyterhub = "Spawner.http_timeout",
         .min = 1,
         .max = 3600},
        &o.http_timeout);
    v.field(
        {.key = "stop_timeout",
         .help = "Time a server has to end itself before it is killed.",
         .jupyterhub = "DockerSpawner.stop_timeout",
         .min = 1,
         .max = 3600},
        &o.stop_timeout);
    v.field(
        {.key = "poll_interval",
         .help = "How often running servers are looked at, beside the engine's own events.",
         .jupyterhub = "Spawner.poll_interval",
         .min = 1,
         .max = 3600},
        &o.poll_interval);
    v.field(
        {.key = "concurrent_starts",
         .help = "Starts under way at a time; further ones wait in a line, fair between users.",
         .jupyterhub = "JupyterHub.concurrent_spawn_limit",
         .min = 1,
         .max = 10'000},
        &o.concurrent_starts);
    v.field(
        {.key = "turn_timeout",
         .help = "Time a start waits in the line before it is given up.",
         .min = 1,
         .max = kDay},
        &o.turn_timeout);
    v.field(
        {.key = "active_server_limit",
         .help = "Servers that may run at once; 0 sets no limit.",
         .jupyterhub = "JupyterHub.active_server_limit",
         .max = 1'000'000},
        &o.active_server_limit);
    v.field(
        {"allow_named_servers",
         "Whether users may have more than their default server.",
         "JupyterHub.allow_named_servers"},
        &o.allow_named_servers);
    v.field(
        {.key = "named_server_limit_per_user",
         .help = "Named servers a user may have; 0 sets no limit.",
         .jupyterhub = "JupyterHub.named_server_limit_per_user",
         .max = 10'000},
        &o.named_server_limit_per_user);
    v.field(
        {"default_url", "The page a server opens with, below its own address.", "Spawner.default_url"},
        &o.default_url);
    v.field(
        {"environment", "Variables given to every server, over all others.", "Spawner.environment"},
        &o.environment);
}

void describe_docker(Visitor& v, DockerOptions& o) {
    v.field(
        {"host", "Where the Docker Engine answers: unix:///path or tcp://host:port.", "DOCKER_HOST"},
        &o.host);
    v.field({"image", "The notebook image; profiles may name another.", "DockerSpawner.image"}, &o.image);
    v.field(
        {"network",
         "Berth's own bridge network; made when it is missing. One that is there must keep containers apart "
         "(enable_icc=false).",
         "DockerSpawner.network_name"},
        &o.network);
    v.field(
        {.key = "port",
         .help = "The port the notebook server listens on inside its container.",
         .jupyterhub = "Spawner.port",
         .min = 1,
         .max = 65535},
        &o.port);
    v.field(
        {.key = "gpu_mode",
         .help =
             "How GPUs reach a container: device_requests (by UUID), devices (plain device nodes), runtime "
             "(runtime: nvidia) or auto.",
         .allowed = {"auto", "device_requests", "devices", "runtime"}},
        &o.gpu_mode);
    v.field({"devices", "Device nodes every GPU container gets with gpu_mode devices."}, &o.devices);
    v.field(
        {"memory",
         "Memory limit of containers whose profile sets none; null: no limit.",
         "DockerSpawner.mem_limit"},
        &o.memory);
    v.field(
        {.key = "pids",
         .help =
             "Processes and threads a container may have, so that a fork bomb ends there; 0 sets no limit.",
         .max = 4'000'000},
        &o.pids);
    v.field(
        {"shm_size", "Size of /dev/shm where the profile sets none; null: the engine's default."},
        &o.shm_size);
    v.field(
        {"log_size", "What the engine keeps of a container's output; null: as the engine is set up."},
        &o.log_size);
    v.field({"remove", "Remove the container when its server stops.", "DockerSpawner.remove"}, &o.remove);
    v.field({"pull", "Fetch a missing image at the first start.", "DockerSpawner.pull_policy"}, &o.pull);
    v.field(
        {"name_template",
         "Container names; must hold {username} and {servername}.",
         "DockerSpawner.name_template"},
        &o.name_template);
    list_of(
        v, {"volumes", "What every container mounts.", "DockerSpawner.volumes"}, o.volumes, describe_volume);
    v.field(
        {"create",
         "Merged into every create request of the Docker API (RFC 7396).",
         "DockerSpawner.extra_create_kwargs"},
        &o.create);
    v.field(
        {"host_config",
         "Merged into every HostConfig of the Docker API (RFC 7396).",
         "DockerSpawner.extra_host_config"},
        &o.host_config);
    v.field(
        {"hub_address",
         "The address containers reach the hub at; empty: the network's gateway.",
         "JupyterHub.hub_connect_ip"},
        &o.hub_address);
}

void describe_local(Visitor& v, LocalOptions& o) {
    v.field(
        {"command", "The notebook server's program; empty: jupyterhub-singleuser on PATH.", "Spawner.cmd"},
        &o.command);
    v.field(
        {"system_users",
         "Run each server as the system user of that name; needs root. Refused: root, accounts below "
         "UID_MIN and those without a login shell.",
         "LocalProcessSpawner"},
        &o.system_users);
    v.field(
        {"home", "Directory of the notebooks; empty: STATE_DIR/homes/{username}.", "Spawner.notebook_dir"},
        &o.home);
}

void describe_profile(Visitor& v, Profile& o) {
    v.field({"name", "Its key: lower-case letters, digits and '-'."}, &o.name);
    v.field({"display_name", "What the start form shows; empty: the name."}, &o.display_name);
    v.field({"description", "One sentence under it."}, &o.description);
    v.field({"image", "The image; empty: docker.image.", "DockerSpawner.image"}, &o.image);
    v.field({.key = "gpus", .help = "GPUs given when the request does not say.", .max = 1024}, &o.gpus);
    v.field(
        {.key = "max_gpus", .help = "The most a request may ask for; 0: as many as gpus.", .max = 1024},
        &o.max_gpus);
    v.field(
        {"gpu_exclusive", "Alone on its GPUs even when gpu.oversubscription lets them be shared."},
        &o.gpu_exclusive);
    v.field({"gpu_model", "Only GPUs of this name, as the board shows it; empty: any."}, &o.gpu_model);
    v.field({"gpu_memory", "Only GPUs with at least so much memory."}, &o.gpu_memory);
    v.field({"gpu_pool", "The pool its GPUs are of; empty: the default one."}, &o.gpu_pool);
    v.field(
        {"preemptible", "Its GPUs may be taken back for others while it works (gpu.preemption)."},
        &o.preemptible);
    v.field(
        {.key = "priority", .help = "Its class in the queue for GPUs; higher goes first.", .max = 1000},
        &o.priority);
    v.field({"gpu_capabilities", "Driver capabilities the container asks for."}, &o.gpu_capabilities);
    v.field({"cpus", "CPU limit; none when not given.", "Spawner.cpu_limit"}, &o.cpus);
    v.field({"memory", "Memory limit; docker.memory when not given.", "Spawner.mem_limit"}, &o.memory);
    v.field({"shm_size", "Size of /dev/shm; docker.shm_size when not given."}, &o.shm_size);
    list_of(
        v,
        {"volumes", "Mounted besides docker.volumes.", "DockerSpawner.volumes"},
        o.volumes,
        describe_volume);
    v.field({"environment", "Variables for servers of this profile.", "Spawner.environment"}, &o.environment);
    v.field({"command", "The container's command; empty: the image's own.", "Spawner.cmd"}, &o.command);
    v.field({"groups", "Who may use it; empty: everybody."}, &o.groups);
    v.field(
        {"docker_create",
         "Merged into the create request of the Docker API (RFC 7396), after docker.create."},
        &o.docker_create);
}

}  // namespace berth::config
