// Every option, declared once, in a plain struct a section; config/describe.hpp says each one's key,
// sentence, limits and JupyterHub name, and loading, checking, documenting and redacting are made from that.
// Defaults are safe for a public address. Each room gets its struct by constructor; none reads the
// environment.
#pragma once

#include "base/json.hpp"
#include "base/secret.hpp"
#include "base/units.hpp"
#include "config/gpu_options.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace berth::config {

struct DummyOptions {
    Secret password;  // empty: any password
};

struct AuthenticationOptions {
    std::string method = "password";  // password | dummy
    DummyOptions dummy;
    std::vector<std::string> admins;
    bool allow_all = true;  // password: whoever has an account; dummy: whoever knows the password
    std::vector<std::string> allowed_users;  // non-empty: only these (and admins)
    std::vector<std::string> blocked_users;
    std::uint32_t tries_before_delay = 5;  // per account and per address
    seconds cookie_max_age{14 * 86400};
    seconds oauth_token_max_age{14 * 86400};
    seconds token_max_age{0};  // the longest an API token may be asked for; 0: no limit
    bool oauth_require_pkce = false;
};

struct TlsOptions {
    std::string certificate;          // PEM, the chain; with `key` bind_url may be https
    std::string key;                  // PEM
    Secret key_passphrase;            // empty: the key has none
    std::string directory;            // certificates for other names; with or without `certificate`
    bool self_signed = false;         // makes one for a first try
    std::string acme_webroot;         // ACME tokens served at redirect_port; "": none
    std::uint32_t redirect_port = 0;  // answers http with the way to https; 0: nothing listens
    seconds hsts{0};                  // how long browsers shall insist on https; 0: not asked
};

struct VolumeMount {
    std::string source;  // volume name or absolute host path; may hold {username}, {servername}
    std::string target;  // absolute path in the container
    bool read_only = false;
};

// What a start may use; resolved on the server, the form only suggests.
struct Profile {
    std::string name;  // key: [a-z0-9-]
    std::string display_name;
    std::string description;
    std::string image;           // docker; "" = docker.image
    std::uint32_t gpus = 0;      // given when the request does not say
    std::uint32_t max_gpus = 0;  // the most a request may ask for; at least gpus
    bool gpu_exclusive = false;  // alone on its devices even when gpu.oversubscription lets them be shared
    std::string gpu_model;       // only GPUs of this name; "": any
    std::optional<Bytes> gpu_memory;  // only GPUs with at least so much
    std::string gpu_pool;             // "": the default one
    bool preemptible = false;         // its GPUs may be taken back for others while it works
    std::uint32_t priority = 0;       // its class in the queue for GPUs; higher goes first
    std::vector<std::string> gpu_capabilities = {"gpu", "compute", "utility"};
    std::optional<double> cpus;
    std::optional<Bytes> memory;
    std::optional<Bytes> shm_size;
    std::vector<VolumeMount> volumes;
    std::map<std::string, std::string> environment;
    std::vector<std::string> command;  // empty: the image's own
    std::vector<std::string> groups;   // who may use it; empty: everyone
    json::object docker_create;        // merged into the create request (RFC 7396)
};

struct DockerOptions {
    std::string host = "unix:///var/run/docker.sock";
    std::string image = "notebook:latest";  // for profiles that name none
    std::string network = "berth";          // Berth's own bridge network; made when missing
    std::uint16_t port = 8888;              // the single-user server's, inside
    std::string gpu_mode = "auto";          // auto | device_requests | devices | runtime
    std::vector<std::string> devices = {
        "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"};  // with gpu_mode devices
    // What every container is held to, unless its profile or docker.host_config says otherwise.
    std::optional<Bytes> memory = Bytes{16ULL << 30};
    std::uint32_t pids = 4096;  // 0: no limit
    std::optional<Bytes> shm_size = Bytes{1ULL << 30};
    std::optional<Bytes> log_size = Bytes{20ULL << 20};
    bool remove = true;  // containers are removed at stop
    bool pull = true;    // fetch a missing image at the first start
    std::string name_template = "berth-{username}--{servername}";
    std::vector<VolumeMount> volumes = {{"berth-home-{username}", "/home/jovyan", false}};
    json::object create;          // merged into every create request (RFC 7396)
    json::object host_config;     // merged into every HostConfig
    bool simulated_gpus = false;  // set by --stand-in-gpus: an engine without GPU support will do
    std::string hub_address;      // what containers call the hub by; "" = the network's gateway
};

struct LocalOptions {
    std::string command;  // "" = jupyterhub-singleuser found on PATH
    bool system_users =
        false;         // run as the system user of that name (root only); false: as the hub's own user
    std::string home;  // notebook directory for trials; "" = state_dir/homes/{username}
};

struct SpawnOptions {
    std::string spawner = "auto";  // auto | docker | local
    seconds start_timeout{300};    // pull included
    seconds http_timeout{60};      // from the process running to its first answer
    seconds stop_timeout{30};
    seconds poll_interval{30};
    std::uint32_t concurrent_starts = 20;
    seconds turn_timeout{3600};             // a start waits so long for its turn
    std::uint32_t active_server_limit = 0;  // 0: none
    bool allow_named_servers = true;
    std::uint32_t named_server_limit_per_user = 0;
    std::string default_url = "/lab";
    std::map<std::string, std::string> environment;
};

struct ServiceOptions {
    std::string name;
    Secret api_token;
    std::string url;
    std::vector<std::string> scopes;
    bool admin = false;
    std::string oauth_redirect_uri;
    std::vector<std::string> oauth_client_allowed_scopes;
    bool oauth_no_confirm = false;
    bool display = true;
    json::object info;
};

struct RoleOptions {
    std::string name;
    std::string description;
    std::vector<std::string> scopes;
    std::vector<std::string> users;
    std::vector<std::string> groups;
    std::vector<std::string> services;
};

// What the rule says of a profile, a group, or both together; what it does not say comes from a wider rule.
struct CullRule {
    std::string profile;
    std::string group;
    std::optional<seconds> idle;
    std::optional<seconds> max_age;
    std::optional<seconds> warning;
    std::optional<seconds> extension;
    std::optional<std::uint32_t> max_extensions;
};

// When servers are ended without being asked to (hub/culling.hpp). Durations of 0: never.
struct CullOptions {
    seconds idle{0};
    seconds max_age{0};
    seconds warning{600};              // people see it coming for so long
    seconds extension{3600};           // what one "Keep running" gives
    std::uint32_t max_extensions = 3;  // of one start; 0: none
    bool count_open_pages = true;
    std::uint32_t gpu_busy_percent = 5;
    seconds interval{60};
    seconds grace{600};  // after the hub's start nobody is ended for so long
    bool notice_in_lab = true;
    std::vector<CullRule> rules;
};

// Static files of notebook images that the proxy answers in a server's place (hub/edge_cache.hpp).
struct EdgeCacheOptions {
    bool enabled = true;
    std::optional<Bytes> max_bytes = Bytes{128ULL << 20};  // of all images together, as compressed
};

// Mail, sent by SMTP.
struct MailOptions {
    std::string server;  // smtp://host[:port] or smtps://host[:port]; "": no mail
    std::string from;    // address of the sender
    std::string user;    // "": without signing in
    Secret password;
    std::string domain;     // name@domain for people whose account says no address; "": none for them
    bool start_tls = true;  // smtp:// goes on in TLS; false: in the clear
};

// Telling people what happens while no page of theirs is open (hub/notify.hpp).
struct NotifyOptions {
    MailOptions mail;
    std::string webhook;   // http(s) URL that gets every notice as JSON; "": none
    Secret webhook_token;  // sent as Authorization: Bearer
    bool browser = true;   // notices of the browser (web push), for those who switch them on
};

struct AdminOptions {
    std::string socket;  // of `berth user`, `berth server`, …; "" = state_dir/admin.sock
    std::string group;   // whose members may use it besides root and the hub's own account; "" = nobody
};

// What one account, or one address without an account, may ask of the hub.
struct RateLimitOptions {
    std::uint32_t requests_per_second = 50;  // 0: no limit
    std::uint32_t burst = 1000;
};

struct LogOptions {
    std::string level = "info";   // debug | info | warn | error
    std::string format = "text";  // text | json
};

struct Options {
    std::string bind_url = "http://127.0.0.1:8000";  // where browsers connect; a path is the base_url
    std::string public_url;  // what users type, when something stands in front; "" = bind_url
    std::string state_dir = "./state";
    std::string hub_bind = "127.0.0.1:0";      // the hub's own listener, behind the proxy
    std::vector<std::string> trusted_proxies;  // addresses in front whose X-Forwarded-* are believed
    std::string hub_version = "6.1.1";         // announced as X-JupyterHub-Version (hub-protocol §8.1)
    bool authenticate_metrics = true;
    TlsOptions tls;
    RateLimitOptions rate_limit;
    AuthenticationOptions authentication;
    SpawnOptions spawn;  // its `spawner` is the top-level key `spawner`, the rest section `spawn`
    DockerOptions docker;
    LocalOptions local;
    GpuOptions gpu;
    std::vector<Profile> profiles;  // empty: made from docker.image and the devices (hub/profiles.hpp)
    CullOptions cull;
    EdgeCacheOptions edge_cache;
    std::map<std::string, std::vector<std::string>> groups;  // group -> users, made at start
    std::vector<ServiceOptions> services;
    std::vector<RoleOptions> roles;
    NotifyOptions notify;
    AdminOptions admin;
    LogOptions log;

    // "/" or "/base/": the path of bind_url (or public_url), with both slashes.
    std::string base_path() const;
    std::string admin_socket() const;
};

}  // namespace berth::config
