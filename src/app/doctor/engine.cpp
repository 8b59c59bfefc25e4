// The container engine, the images, and the way from a container to the hub.
#include "app/doctor/checks.hpp"
#include "app/doctor/container.hpp"
#include "base/text.hpp"
#include "http/server.hpp"
#include "spawn/spawners/docker/network.hpp"

#include <unistd.h>

#include <cerrno>
#include <set>

namespace berth::app {
namespace {

using namespace std::chrono_literals;

// A shell line that runs the program in the interpreter of jupyterhub-singleuser, which is where its packages
// are.
std::string in_its_python(const std::string& program, const std::string& argument = {}) {
    std::string line =
        "p=$(command -v jupyterhub-singleuser) || exit 44; y=$(head -n 1 \"$p\" | cut -c 3-); ";
    line.append("exec \"$y\" -c '").append(program).append("' ").append(argument);
    return line;
}

std::set<std::string> images_of(const config::Options& options) {
    std::set<std::string> images;
    for (const auto& profile : options.profiles)
        images.insert(profile.image.empty() ? options.docker.image : profile.image);
    if (images.empty()) images.insert(options.docker.image);
    return images;
}

// "6.1.1" of the container's last line.
std::string last_line(const std::string& text) {
    const auto newline = text.rfind('\n');
    return std::string(trim(newline == std::string::npos ? text : text.substr(newline + 1)));
}

awaitable<> check_image(
    const config::Options& options,
    Facts& facts,
    spawn::docker::Engine& engine,
    std::string image,
    Report& report) {
    const auto check = "image " + image;
    const auto found = co_await engine.get("/images/" + image + "/json", Deadline::in(15s));
    if (!found || found->status == 404) {
        if (options.docker.pull)
            report.warn(
                check, "it is not here yet", "docker pull " + image + ", or wait for it at the first start.");
        else
            report.fail(
                check, "it is not here, and docker.pull is off", "docker pull " + image + ", or build it.");
        co_return;
    }
    const auto line = in_its_python("import jupyterhub; print(jupyterhub.__version__)");
    json::object request{{"Image", image}, {"NetworkDisabled", true}};
    const auto ran = co_await run_in_container(engine, std::move(request), line, Deadline::in(90s));
    const std::string advice = "Put pip install jupyterhub jupyterlab into the image, or choose another one.";
    if (!ran)
        report.fail(
            check,
            "no container of it runs: " + ran.error().message,
            "Try: docker run --rm " + image + " true");
    else if (ran->exit_code == 44)
        report.fail(check, "it has no jupyterhub-singleuser", advice);
    else if (ran->exit_code != 0)
        report.fail(
            check, "its jupyterhub-singleuser does not work: " + ellipsized(ran->output, 200), advice);
    else if (const auto version = last_line(ran->output);
             version.starts_with("0.") || version.starts_with("1."))
        report.warn(
            check, "JupyterHub " + version + " is in it", "Take JupyterHub 2 to 6; this one is untested.");
    else
        report.ok(check, "jupyterhub-singleuser of JupyterHub " + version + " is in it");
    if (ran && ran->exit_code == 0 && facts.sound_image.empty()) facts.sound_image = image;
}

void check_socket(const std::string& host, Report& report) {
    const auto path = host.substr(std::string_view("unix://").size());
    if (::access(path.c_str(), F_OK) != 0)
        report.fail(
            "engine",
            "there is no " + path,
            "Install and start Docker (systemctl start docker), correct docker.host, or set spawner: local.");
    else if (::access(path.c_str(), R_OK | W_OK) != 0)
        report.fail(
            "engine",
            "this account may not use " + path,
            "Put it into the group docker (usermod -aG docker berth) and start Berth again.");
    else
        report.fail(
            "engine",
            "nobody answers at " + path,
            "Start Docker: systemctl start docker; journalctl -u docker.");
}

}  // namespace

awaitable<bool> check_engine(const config::Options& options, spawn::docker::Engine& engine, Report& report) {
    const auto usable = co_await engine.negotiate(Deadline::in(10s));
    if (!usable) {
        const bool unreachable = usable.error().is(spawn::SpawnErrc::backend_unreachable);
        if (unreachable && options.docker.host.starts_with("unix://"))
            check_socket(options.docker.host, report);
        else
            report.fail("engine", usable.error().message, "Correct docker.host, or start the engine there.");
        co_return false;
    }
    const auto info = co_await engine.get("/info", Deadline::in(15s));
    const auto* object = info && info->ok() ? info->body.if_object() : nullptr;
    if (object == nullptr) {
        report.fail("engine", "it does not tell about itself", "Try: docker info");
        co_return false;
    }
    report.ok("engine", "Docker " + string_at(*object, "ServerVersion").value_or("") + " answers");
    const auto its_time = parse_rfc3339(string_at(*object, "SystemTime").value_or(""));
    if (its_time && std::chrono::abs(*its_time - now_utc()) > 30s)
        report.warn(
            "engine clock",
            "the engine's clock says " + format_rfc3339(*its_time) + ", ours " + format_rfc3339(now_utc()),
            "Keep both by a time service.");
    co_return true;
}

awaitable<> check_images(
    const config::Options& options, Facts& facts, spawn::docker::Engine& engine, Report& report) {
    for (const auto& image : images_of(options))
        co_await check_image(options, facts, engine, image, report);
}

namespace {

awaitable<http::Response> answer_anything(http::Request) {
    co_return http::Response::empty(200);
}

// From inside, as servers will: /hub/api at the address that they are given.
awaitable<Result<ContainerResult>> ask_from_inside(
    const config::Options& options,
    const std::string& image,
    spawn::docker::Engine& engine,
    std::string url) {
    const auto line = in_its_python(
        "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=8).status)", url);
    json::object request{
        {"Image", image}, {"HostConfig", json::object{{"NetworkMode", options.docker.network}}}};
    co_return co_await run_in_container(engine, std::move(request), line, Deadline::in(60s));
}

}  // namespace

awaitable<> check_reach(
    const config::Options& options, const Facts& facts, spawn::docker::Engine& engine, Report& report) {
    const char* check = "containers reach the hub";
    if (facts.sound_image.empty()) {
        report.note(check, "not tried: no image here works");
        co_return;
    }
    spawn::docker::Network network(engine, options.docker.network);
    if (const auto made = co_await network.ensure(Deadline::in(15s)); !made) {
        report.fail(check, made.error().message, "docker network inspect " + options.docker.network);
        co_return;
    }
    net::Endpoint at;
    at.host = options.docker.hub_address.empty() ? network.gateway() : options.docker.hub_address;
    at.port = facts.hub_port;
    // Where no hub runs, somebody answers in its place.
    const auto executor = co_await asio::this_coro::executor;
    TaskScope answering(executor, [](std::string_view, const std::exception_ptr&) {});
    std::optional<http::Server> stand_in;
    if (!facts.hub_runs) {
        auto listener = net::Listener::open(executor, at);
        if (!listener) {
            report.fail(check, listener.error().message, "Correct docker.hub_address or hub_bind.");
            co_return;
        }
        at = listener->local();
        stand_in.emplace(
            answering, std::move(*listener), "doctor", http::ServerLimits{}, false, answer_anything);
        stand_in->start();
    }
    const auto url = "http://" + at.to_string() + options.base_path() + "hub/api";
    const auto ran = co_await ask_from_inside(options, facts.sound_image, engine, url);
    co_await answering.stop(1s);
    if (!ran)
        report.fail(check, ran.error().message, "See the findings about engine and image first.");
    else if (ran->exit_code != 0)
        report.fail(
            check,
            url + " is not reached from network " + options.docker.network + ": " + last_line(ran->output),
            "Let the firewall pass it, e.g. ufw allow in on the bridge of docker network inspect " +
                options.docker.network + " to port " + std::to_string(at.port) + ".");
    else
        report.ok(check, "by " + url + (facts.hub_runs ? "" : " (tried with a stand-in)"));
}

}  // namespace berth::app
