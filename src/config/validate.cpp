// The rules between fields, and those a type cannot say.
#include "base/text.hpp"
#include "config/config.hpp"

#include <algorithm>
#include <set>

namespace berth::config {
namespace {

class Check {
public:
    explicit Check(std::vector<Problem>& problems) : problems_(problems) {}

    void fail(ConfigErrc reason, std::string key, std::string message) {
        problems_.push_back({reason, "", 0, 0, std::move(key), std::move(message)});
    }
    // Each name of a list is there once and looks as `is_valid` wants.
    template <class List, class NameOf, class IsValid>
    void names(
        const std::string& list,
        const List& items,
        NameOf name_of,
        const char* member,
        IsValid is_valid,
        const std::string& rule) {
        std::set<std::string> seen;
        for (std::size_t i = 0; i < items.size(); ++i) {
            const std::string key = list + "[" + std::to_string(i) + "]." + member;
            const std::string& name = name_of(items[i]);
            if (name.empty()) {
                fail(ConfigErrc::contradictory, key, "'" + key + "' is missing");
            } else if (!is_valid(name)) {
                fail(
                    ConfigErrc::out_of_range,
                    key,
                    "'" + key + "' is '" + ellipsized(name, 40) + "': " + rule);
            } else if (!seen.insert(name).second) {
                fail(
                    ConfigErrc::contradictory,
                    key,
                    "two of '" + list + "' are called '" + name + "'; rename or remove one");
            }
        }
    }

private:
    std::vector<Problem>& problems_;
};

bool all_of(std::string_view text, std::string_view allowed_besides_alphanumeric_lower) {
    return std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               allowed_besides_alphanumeric_lower.find(c) != std::string_view::npos;
    });
}

// http://host[:port][/path]; the host may be "*" or empty for all interfaces.
bool is_http_url(std::string_view url, bool allow_https) {
    const bool https = url.starts_with("https://");
    if (!url.starts_with("http://") && !(https && allow_https)) return false;
    url.remove_prefix(https ? 8 : 7);
    auto authority = url.substr(0, url.find('/'));
    if (const auto bracket = authority.rfind(']'); bracket != std::string_view::npos)
        authority.remove_prefix(bracket + 1);
    const auto colon = authority.rfind(':');
    if (colon == std::string_view::npos) return url.find_first_of("?# ") == std::string_view::npos;
    const auto port = authority.substr(colon + 1);
    return !port.empty() && port.size() <= 5 && url.find_first_of("?# ") == std::string_view::npos &&
           std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
           std::stoi(std::string(port)) <= 65535;
}

void check_tls(const Options& o, Check& check) {
    const bool https = o.bind_url.starts_with("https://");
    if (o.tls.certificate.empty() != o.tls.key.empty())
        check.fail(
            ConfigErrc::contradictory,
            "tls",
            "'tls.certificate' and 'tls.key' belong together; give both files or neither");
    else if (https && o.tls.certificate.empty() && o.tls.directory.empty() && !o.tls.self_signed)
        check.fail(
            ConfigErrc::contradictory,
            "bind_url",
            "'bind_url' is https, so 'tls.certificate' and 'tls.key' must name the files; where something in "
            "front speaks https, write http:// here and its address as public_url; for a first try set "
            "tls.self_signed: true");
    else if (o.tls.self_signed && !(o.tls.certificate.empty() && o.tls.directory.empty()))
        check.fail(
            ConfigErrc::contradictory,
            "tls.self_signed",
            "'tls.self_signed' makes a certificate, and another one is given; keep one of the two");
    else if (!https && !o.tls.certificate.empty())
        check.fail(
            ConfigErrc::contradictory,
            "bind_url",
            "'tls.certificate' is given, so 'bind_url' must be https://");
    if (!https && o.tls.redirect_port != 0)
        check.fail(
            ConfigErrc::contradictory,
            "tls.redirect_port",
            "'tls.redirect_port' leads to https, so 'bind_url' must be https://");
    if (!o.tls.acme_webroot.empty() && o.tls.redirect_port == 0)
        check.fail(
            ConfigErrc::contradictory,
            "tls.acme_webroot",
            "'tls.acme_webroot' is served at 'tls.redirect_port', which is not set; usually it is 80");
}

void check_addresses(const Options& o, Check& check) {
    if (!is_http_url(o.bind_url, true)) {
        check.fail(
            ConfigErrc::out_of_range,
            "bind_url",
            "'bind_url' must look like http://127.0.0.1:8000, http://*:8000/base/ or https://*:443/");
    }
    check_tls(o, check);
    if (!o.public_url.empty() && !is_http_url(o.public_url, true)) {
        check.fail(
            ConfigErrc::out_of_range, "public_url", "'public_url' must look like https://hub.example.org/");
    }
    if (o.hub_version.empty() || o.hub_version.find_first_not_of("0123456789.") != std::string::npos ||
        o.hub_version.front() == '.' || o.hub_version.back() == '.') {
        check.fail(
            ConfigErrc::out_of_range,
            "hub_version",
            "'hub_version' must be a plain version like 6.1.1; notebook servers crash on anything else");
    }
    for (std::size_t i = 0; i < o.trusted_proxies.size(); ++i) {
        const auto& address = o.trusted_proxies[i];
        if (address.empty() || address.find_first_not_of("0123456789abcdefABCDEF.:/") != std::string::npos) {
            const std::string key = "trusted_proxies[" + std::to_string(i) + "]";
            check.fail(
                ConfigErrc::out_of_range,
                key,
                "'" + key + "' must be a numeric address, not '" + ellipsized(address, 60) + "'");
        }
    }
    if (o.state_dir.empty())
        check.fail(ConfigErrc::out_of_range, "state_dir", "'state_dir' must not be empty");
}

void check_volumes(const std::string& prefix, const std::vector<VolumeMount>& volumes, Check& check) {
    for (std::size_t i = 0; i < volumes.size(); ++i) {
        const std::string key = prefix + "[" + std::to_string(i) + "]";
        if (volumes[i].source.empty())
            check.fail(ConfigErrc::contradictory, key, "'" + key + ".source' is missing");
        if (!volumes[i].target.starts_with('/')) {
            check.fail(
                ConfigErrc::out_of_range,
                key,
                "'" + key + ".target' must be an absolute path in the container");
        }
    }
}

void check_profiles(const Options& o, Check& check) {
    check.names(
        "profiles",
        o.profiles,
        [](const Profile& p) -> const std::string& { return p.name; },
        "name",
        [](const std::string& name) { return all_of(name, "-") && name.size() <= 63; },
        "use at most 63 lower-case letters, digits and '-'; display_name may be anything");
    for (std::size_t i = 0; i < o.profiles.size(); ++i) {
        const auto& profile = o.profiles[i];
        const std::string key = "profiles[" + std::to_string(i) + "]";
        if (profile.max_gpus != 0 && profile.max_gpus < profile.gpus) {
            check.fail(
                ConfigErrc::contradictory,
                key + ".max_gpus",
                "profile '" + profile.name + "' gives " + std::to_string(profile.gpus) +
                    " GPUs but allows only " + std::to_string(profile.max_gpus) +
                    "; raise max_gpus or lower gpus");
        }
        if (o.spawn.spawner == "docker" && profile.image.empty() && o.docker.image.empty()) {
            check.fail(
                ConfigErrc::contradictory,
                key + ".image",
                "profile '" + profile.name + "' names no image and docker.image is not set; set one of them");
        }
        check_volumes(key + ".volumes", profile.volumes, check);
    }
    if (o.spawn.spawner == "docker" && o.profiles.empty() && o.docker.image.empty()) {
        check.fail(
            ConfigErrc::contradictory,
            "docker.image",
            "spawner is docker but there is no image: set docker.image, or list profiles that name theirs");
    }
    check_volumes("docker.volumes", o.docker.volumes, check);
    if (o.docker.name_template.find("{username}") == std::string::npos ||
        o.docker.name_template.find("{servername}") == std::string::npos) {
        check.fail(
            ConfigErrc::contradictory,
            "docker.name_template",
            "'docker.name_template' must hold {username} and {servername}, or two servers get one name");
    }
}

void check_services(const Options& o, Check& check) {
    check.names(
        "services",
        o.services,
        [](const ServiceOptions& s) -> const std::string& { return s.name; },
        "name",
        [](const std::string& name) {
            return name.find_first_of("/% ") == std::string::npos &&
                   name.find_first_not_of('.') != std::string::npos;
        },
        "service names hold no '/', '%' or space and are not only dots");
    for (std::size_t i = 0; i < o.services.size(); ++i) {
        const auto& service = o.services[i];
        const auto size = service.api_token.reveal().size();
        const std::string key = "services[" + std::to_string(i) + "].api_token";
        if (size != 0 && (size < 8 || size > 64)) {
            check.fail(
                ConfigErrc::out_of_range,
                key,
                "the api_token of service '" + service.name + "' has " + std::to_string(size) +
                    " characters; it must have 8 to 64 (try: openssl rand -hex 32)");
        }
        for (std::size_t j = 0; j < i; ++j) {
            if (size != 0 && service.api_token.equals(o.services[j].api_token.reveal())) {
                check.fail(
                    ConfigErrc::contradictory,
                    key,
                    "services '" + o.services[j].name + "' and '" + service.name +
                        "' have the same api_token; give each its own");
            }
        }
    }
}

void check_roles(const Options& o, Check& check) {
    check.names(
        "roles",
        o.roles,
        [](const RoleOptions& r) -> const std::string& { return r.name; },
        "name",
        [](const std::string& name) {
            return name.size() >= 3 && name.size() <= 255 && all_of(name, "-_~.") && name.front() >= 'a' &&
                   name.back() != '-' && name.back() != '_' && name.back() != '~' && name.back() != '.';
        },
        "role names have 3 to 255 lower-case letters, digits and -_~., and begin with a letter");
}

void check_gpus(const Options& o, Check& check) {
    check.names(
        "gpu.devices",
        o.gpu.devices,
        [](const GpuDeviceOptions& d) -> const std::string& { return d.uuid; },
        "uuid",
        [](const std::string& uuid) {
            return uuid.size() <= 128 && uuid.find_first_of(", \t") == std::string::npos;
        },
        "write it as `nvidia-smi -L` prints it");
}

void check_projects(const Options& o, Check& check) {
    check.names(
        "gpu.projects",
        o.gpu.projects,
        [](const GpuProject& p) -> const std::string& { return p.name; },
        "name",
        [](const std::string& name) { return all_of(name, "-") && name.size() <= 63; },
        "use at most 63 lower-case letters, digits and '-'");
    for (std::size_t i = 0; i < o.gpu.quotas.size(); ++i) {
        const auto& quota = o.gpu.quotas[i];
        const std::string key = "gpu.quotas[" + std::to_string(i) + "]";
        const int named = !quota.user.empty() + !quota.group.empty() + !quota.project.empty();
        if (named != 1)
            check.fail(
                ConfigErrc::contradictory,
                key,
                "'" + key + "' must name a user, a group or a project (\"*\" is each of them), and one only");
        const bool known =
            std::any_of(o.gpu.projects.begin(), o.gpu.projects.end(), [&](const auto& project) {
                return project.name == quota.project;
            });
        if (quota.project.empty() || quota.project == "*" || known) continue;
        check.fail(
            ConfigErrc::contradictory,
            key + ".project",
            "'" + key + ".project' is '" + ellipsized(quota.project, 40) +
                "', and gpu.projects has no such project; list it there with the users or groups who may "
                "hold GPUs for it");
    }
}

void check_pools(const Options& o, Check& check) {
    check.names(
        "gpu.pools",
        o.gpu.pools,
        [](const GpuPool& p) -> const std::string& { return p.name; },
        "name",
        [](const std::string& name) { return all_of(name, "-") && name.size() <= 63; },
        "use at most 63 lower-case letters, digits and '-'");
    const auto known = [&o](const std::string& name) {
        return name.empty() || std::any_of(o.gpu.pools.begin(), o.gpu.pools.end(), [&](const auto& pool) {
                   return pool.name == name;
               });
    };
    const auto check_pool = [&](const std::string& key, const std::string& pool) {
        if (known(pool)) return;
        check.fail(
            ConfigErrc::contradictory,
            key,
            "'" + key + "' is '" + ellipsized(pool, 40) + "', and gpu.pools has no such pool");
    };
    for (std::size_t i = 0; i < o.profiles.size(); ++i)
        check_pool("profiles[" + std::to_string(i) + "].gpu_pool", o.profiles[i].gpu_pool);
    for (std::size_t i = 0; i < o.gpu.quotas.size(); ++i)
        check_pool("gpu.quotas[" + std::to_string(i) + "].pool", o.gpu.quotas[i].pool);
}

void check_spawn(const Options& o, Check& check) {
    if (!o.spawn.default_url.empty() && !o.spawn.default_url.starts_with('/')) {
        check.fail(ConfigErrc::out_of_range, "spawn.default_url", "'spawn.default_url' must begin with '/'");
    }
}

void check_cull(const Options& o, Check& check) {
    for (std::size_t i = 0; i < o.cull.rules.size(); ++i) {
        const auto& rule = o.cull.rules[i];
        const std::string key = "cull.rules[" + std::to_string(i) + "]";
        const bool known = std::any_of(o.profiles.begin(), o.profiles.end(), [&](const auto& each) {
            return each.name == rule.profile;
        });
        if (rule.profile.empty() && rule.group.empty()) {
            check.fail(
                ConfigErrc::contradictory,
                key,
                "'" + key +
                    "' names neither a profile nor a group; what holds for everybody stands in 'cull'");
        } else if (!rule.profile.empty() && !known && !o.profiles.empty()) {
            check.fail(
                ConfigErrc::contradictory,
                key + ".profile",
                "'" + key + ".profile' is '" + ellipsized(rule.profile, 40) +
                    "', and there is no such profile");
        }
    }
}

}  // namespace

std::vector<Problem> validate(const Options& options) {
    std::vector<Problem> problems;
    Check check(problems);
    check_addresses(options, check);
    check_profiles(options, check);
    check_services(options, check);
    check_roles(options, check);
    check_gpus(options, check);
    check_projects(options, check);
    check_pools(options, check);
    check_spawn(options, check);
    check_cull(options, check);
    return problems;
}

std::string Options::admin_socket() const {
    return admin.socket.empty() ? state_dir + "/admin.sock" : admin.socket;
}

std::string Options::base_path() const {
    auto path_of = [](std::string_view url) {
        const auto host = url.find("://");
        const auto slash = host == std::string_view::npos ? host : url.find('/', host + 3);
        return slash == std::string_view::npos ? std::string("/") : std::string(url.substr(slash));
    };
    std::string path = path_of(bind_url);
    if (path == "/") path = path_of(public_url);
    if (path.back() != '/') path += '/';
    return path;
}

}  // namespace berth::config
