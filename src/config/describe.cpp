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

void describe_notify(Visitor& v, NotifyOptions& o) {
    v.section({"mail", "Mail by SMTP."}, [&o](Visitor& i) {
        i.field({"server", "smtp://host[:port] or smtps://host[:port]; empty: no mail."}, &o.mail.server);
        i.field({"from", "The sender's address."}, &o.mail.from);
        i.field({"user", "Whom to sign in as; empty: nobody."}, &o.mail.user);
        i.field({"password", "Their password."}, &o.mail.password);
        i.field(
            {"domain", "name@domain is the address of people whose account says none; empty: they get none."},
            &o.mail.domain);
        i.field({"start_tls", "smtp:// goes on in TLS; false: in the clear."}, &o.mail.start_tls);
    });
    v.field({"webhook", "http or https URL that gets every notice as JSON; empty: none."}, &o.webhook);
    v.field({"webhook_token", "Sent to it as Authorization: Bearer."}, &o.webhook_token);
    v.field({"browser", "Notices of the browser, for those who switch them on."}, &o.browser);
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
    v.section(
        {"notify", "Telling people what happens to their servers while no page of theirs is open."},
        [&o](Visitor& i) { describe_notify(i, o.notify); });
    v.section({"admin", "Administration on this machine, without a token."}, [&o](Visitor& i) {
        describe_admin(i, o.admin);
    });
    v.section({"log", "What the hub writes about itself."}, [&o](Visitor& i) { describe_log(i, o.log); });
}

}  // namespace berth::config
