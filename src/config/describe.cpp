#include "config/describe.hpp"

#include "config/impl/items.hpp"

namespace berth::config {

std::string_view type_name(const Field& field) {
    constexpr std::string_view kNames[] = {
        "text",
        "true or false",
        "number",
        "number",
        "duration",
        "number",
        "number",
        "duration",
        "size",
        "secret",
        "list of texts",
        "map of texts",
        "map of lists",
        "object"};
    return kNames[field.index()];
}

namespace {

constexpr std::int64_t kDay = 86400;

void describe_tls(Visitor& v, TlsOptions& o) {
    v.field(
        {"certificate",
         "File with the certificate and its chain (PEM); read again when it changes.",
         "JupyterHub.ssl_cert"},
        &o.certificate);
    v.field({"key", "File with the certificate's key (PEM).", "JupyterHub.ssl_key"}, &o.key);
    v.field({"key_passphrase", "What the key file is encrypted with, if it is."}, &o.key_passphrase);
    v.field(
        {"directory",
         "Folder of certificates for several names: NAME.crt with NAME.key, or NAME/fullchain.pem with "
         "privkey.pem. "
         "Each is shown to who asks for one of its names; read again when one changes."},
        &o.directory);
    v.field(
        {"self_signed",
         "Make a certificate for a first try and keep it in state_dir; browsers warn of it, and the start "
         "says its "
         "fingerprint."},
        &o.self_signed);
    v.field(
        {"acme_webroot",
         "Folder that an ACME client writes to (certbot --webroot -w FOLDER); its "
         ".well-known/acme-challenge/ is "
         "served at redirect_port."},
        &o.acme_webroot);
    v.field(
        {.key = "redirect_port",
         .help = "Port where http is answered with the way to https, usually 80; 0: none.",
         .max = 65535},
        &o.redirect_port);
    v.field(
        {.key = "hsts",
         .help = "How long browsers shall insist on https for this host; 0: not asked.",
         .max = 730 * kDay},
        &o.hsts);
}

void describe_volume(Visitor& v, VolumeMount& o) {
    v.field(
        {"source", "Volume name or absolute path on the host; may hold {username} and {servername}."},
        &o.source);
    v.field({"target", "Absolute path in the container."}, &o.target);
    v.field({"read_only", "Whether the notebook may only read it."}, &o.read_only);
}

void describe_authentication(Visitor& v, AuthenticationOptions& o) {
    v.field(
        {.key = "method",
         .help = "How people prove who they are: password (Berth's own accounts) or dummy (trials only).",
         .jupyterhub = "JupyterHub.authenticator_class",
         .allowed = {"password", "dummy"}},
        &o.method);
    v.section(
        {"dummy", "For trials: any name with one shared password. Every page then says so."},
        [&o](Visitor& inner) {
            inner.field(
                {"password",
                 "The password everybody shares; empty accepts any.",
                 "DummyAuthenticator.password"},
                &o.dummy.password);
        });
    v.field(
        {"admins", "Users who are administrators from their first sign-in on.", "Authenticator.admin_users"},
        &o.admins);
    v.field(
        {"allow_all",
         "Let everybody in who can prove who they are, when allowed_users is empty.",
         "Authenticator.allow_all"},
        &o.allow_all);
    v.field(
        {"allowed_users",
         "When not empty, only these users and administrators may sign in.",
         "Authenticator.allowed_users"},
        &o.allowed_users);
    v.field(
        {"blocked_users",
         "Users who may not sign in, whatever else allows them.",
         "Authenticator.blocked_users"},
        &o.blocked_users);
    v.field(
        {.key = "tries_before_delay",
         .help = "Failed sign-ins per account and per address before further tries are slowed down.",
         .min = 1,
         .max = 1000},
        &o.tries_before_delay);
    v.field(
        {.key = "cookie_max_age",
         .help = "How long a sign-in lasts.",
         .jupyterhub = "JupyterHub.cookie_max_age_days",
         .min = 60,
         .max = 365 * kDay},
        &o.cookie_max_age);
    v.field(
        {.key = "oauth_token_max_age",
         .help = "How long a browser's access to a notebook server lasts before it is renewed.",
         .jupyterhub = "JupyterHub.oauth_token_expires_in",
         .min = 60,
         .max = 365 * kDay},
        &o.oauth_token_max_age);
    v.field(
        {.key = "token_max_age",
         .help =
             "The longest life an API token may be asked for, and that of tokens for which none is asked; "
             "0 sets no limit.",
         .jupyterhub = "JupyterHub.token_expires_in_max_seconds",
         .max = 365 * kDay},
        &o.token_max_age);
    v.field(
        {"oauth_require_pkce",
         "Refuse OAuth clients that send no code challenge. Locks out notebook images older than JupyterHub "
         "6.",
         "JupyterHub.oauth_require_pkce"},
        &o.oauth_require_pkce);
}

void describe_rate_limit(Visitor& v, RateLimitOptions& o) {
    v.field(
        {.key = "requests_per_second",
         .help = "Requests a second in the long run; 0 sets no limit.",
         .max = 1'000'000},
        &o.requests_per_second);
    v.field(
        {.key = "burst", .help = "Requests that may come at once.", .min = 1, .max = 10'000'000}, &o.burst);
}

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

void describe_service(Visitor& v, ServiceOptions& o) {
    v.field({"name", "Its name, and its path below /services/."}, &o.name);
    v.field(
        {"api_token", "Its token: 8 to 64 characters; give it as ${VARIABLE} or {file: PATH}."},
        &o.api_token);
    v.field({"url", "Where it answers, if it has pages of its own."}, &o.url);
    v.field({"scopes", "What its token may do.", "JupyterHub.load_roles"}, &o.scopes);
    v.field({"admin", "Give it every administrator right; scopes say less."}, &o.admin);
    v.field(
        {"oauth_redirect_uri", "Where sign-ins to it come back; empty: /services/NAME/oauth_callback."},
        &o.oauth_redirect_uri);
    v.field(
        {"oauth_client_allowed_scopes", "What it may ask of the people who sign in to it."},
        &o.oauth_client_allowed_scopes);
    v.field({"oauth_no_confirm", "Do not ask people before they are signed in to it."}, &o.oauth_no_confirm);
    v.field({"display", "Show it in the menu to those who may use it."}, &o.display);
    v.field({"info", "Shown in the API."}, &o.info);
}

void describe_role(Visitor& v, RoleOptions& o) {
    v.field({"name", "Its name: 3 to 255 lower-case letters, digits and -_~."}, &o.name);
    v.field({"description", "What it is for."}, &o.description);
    v.field({"scopes", "What its holders may do."}, &o.scopes);
    v.field({"users", "Users who hold it."}, &o.users);
    v.field({"groups", "Groups whose members hold it."}, &o.groups);
    v.field({"services", "Services that hold it."}, &o.services);
}

void describe_admin(Visitor& v, AdminOptions& o) {
    v.field(
        {"socket",
         "Unix socket of berth user, group, server, gpu, token, audit and logs; empty: admin.sock in "
         "state_dir."},
        &o.socket);
    v.field(
        {"group",
         "Group of this machine whose members may use it, besides root and the hub's own account; put the "
         "socket where they can reach it, e.g. /run/berth/admin.sock."},
        &o.group);
}

void describe_edge_cache(Visitor& v, EdgeCacheOptions& o) {
    v.field(
        {"enabled",
         "Take the files out of the notebook image, so that pages open faster, also while the container "
         "boots. For servers in containers only."},
        &o.enabled);
    v.field(
        {"max_bytes",
         "Most that the compressed files of all images may take, on disk and in the proxy's memory."},
        &o.max_bytes);
}

void describe_log(Visitor& v, LogOptions& o) {
    v.field(
        {.key = "level",
         .help = "The least that is written.",
         .jupyterhub = "Application.log_level",
         .allowed = {"debug", "info", "warn", "error"}},
        &o.level);
    v.field(
        {.key = "format", .help = "One line a record, as text or as JSON.", .allowed = {"text", "json"}},
        &o.format);
}

}  // namespace

void describe(Visitor& v, Options& o) {
    v.field(
        {"bind_url",
         "Where browsers connect; a path in it is the base of every address.",
         "JupyterHub.bind_url"},
        &o.bind_url);
    v.field(
        {"public_url",
         "What people type, when something stands in front; empty: bind_url.",
         "JupyterHub.public_url"},
        &o.public_url);
    v.field(
        {"state_dir",
         "Where the database and the homes of local servers are; relative to the working directory."},
        &o.state_dir);
    v.field(
        {"hub_bind",
         "The hub's own listener, behind the proxy; port 0 takes a free one.",
         "JupyterHub.hub_bind_url"},
        &o.hub_bind);
    v.field(
        {"trusted_proxies",
         "Addresses in front whose X-Forwarded-* fields are believed.",
         "JupyterHub.trusted_downstream_ips"},
        &o.trusted_proxies);
    v.field(
        {"hub_version", "Announced as X-JupyterHub-Version; clients compare it with their own."},
        &o.hub_version);
    v.field(
        {"authenticate_metrics",
         "Whether /hub/metrics asks for a token with read:metrics.",
         "JupyterHub.authenticate_prometheus"},
        &o.authenticate_metrics);
    v.section({"tls", "https towards browsers; bind_url then begins with https://."}, [&o](Visitor& i) {
        describe_tls(i, o.tls);
    });
    v.section(
        {"rate_limit",
         "What one account, or one address without an account, may ask of the hub; more gets 429. "
         "Services, notebooks and pages that anybody may see are not counted."},
        [&o](Visitor& i) { describe_rate_limit(i, o.rate_limit); });
    v.section({"authentication", "Who may sign in, and how."}, [&o](Visitor& i) {
        describe_authentication(i, o.authentication);
    });
    v.field(
        {.key = "spawner",
         .help = "Where servers run: docker, local (processes), or auto (docker when an engine answers).",
         .jupyterhub = "JupyterHub.spawner_class",
         .allowed = {"auto", "docker", "local"}},
        &o.spawn.spawner);
    v.section(
        {"spawn", "How servers are started and watched."}, [&o](Visitor& i) { describe_spawn(i, o.spawn); });
    v.section({"docker", "Servers in containers."}, [&o](Visitor& i) { describe_docker(i, o.docker); });
    v.section(
        {"local", "Servers as processes of this machine."}, [&o](Visitor& i) { describe_local(i, o.local); });
    v.section(
        {"gpu", "The machine's GPUs and how they are shared."}, [&o](Visitor& i) { describe_gpu(i, o.gpu); });
    list_of(
        v,
        {"profiles",
         "What a start may use; empty: one made from docker.image and the devices.",
         "KubeSpawner.profile_list"},
        o.profiles,
        describe_profile);
    v.section({"cull", "When servers that nobody works with are stopped."}, [&o](Visitor& i) {
        describe_cull(i, o.cull);
    });
    v.field(
        {"groups", "Groups made at start, and their members: {ml: [ann, bob]}.", "JupyterHub.load_groups"},
        &o.groups);
    list_of(
        v, {"services", "Programs that use the API.", "JupyterHub.services"}, o.services, describe_service);
    list_of(
        v,
        {"roles", "Named sets of scopes and who holds them.", "JupyterHub.load_roles"},
        o.roles,
        describe_role);
    v.section(
        {"edge_cache", "JupyterLab's own files, answered by the proxy in the notebook server's place."},
        [&o](Visitor& i) { describe_edge_cache(i, o.edge_cache); });
    v.section({"admin", "Administration on this machine, without a token."}, [&o](Visitor& i) {
        describe_admin(i, o.admin);
    });
    v.section({"log", "What the hub writes about itself."}, [&o](Visitor& i) { describe_log(i, o.log); });
}

}  // namespace berth::config
