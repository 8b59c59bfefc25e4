#include "spawn/spawners/docker/engine.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <charconv>

namespace berth::spawn::docker {
namespace {

constexpr std::size_t kMostBodyBytes = 64 * 1024 * 1024;

std::optional<int> number_in(std::string_view text) {
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

bool is_podman(const json::object& version) {
    const auto* components = array_at(version, "Components");
    if (!components) return false;
    for (const auto& component : *components) {
        const auto* each = component.if_object();
        if (each && string_at(*each, "Name").value_or("").find("Podman") != std::string::npos) return true;
    }
    return false;
}

}  // namespace

Result<net::Endpoint> parse_host(std::string_view host) {
    if (host.starts_with("unix:///")) {
        net::Endpoint endpoint;
        endpoint.path = std::string(host.substr(7));
        return endpoint;
    }
    if (host.starts_with("tcp://") || host.starts_with("http://")) {
        auto endpoint = net::parse_endpoint(host.substr(host.find("//") + 2));
        if (endpoint && endpoint->port != 0) return std::move(*endpoint);
    }
    return Error{
        SpawnErrc::bad_request,
        "docker.host '" + std::string(host) +
            "' is no address of an engine; write unix:///path/to/docker.sock or tcp://host:port."};
}

std::optional<ApiVersion> parse_version(std::string_view text) {
    const auto parts = split(text, '.');
    if (parts.size() != 2) return std::nullopt;
    const auto major = number_in(parts[0]);
    const auto minor = number_in(parts[1]);
    if (!major || !minor) return std::nullopt;
    return ApiVersion{*major, *minor};
}

std::string Answer::said() const {
    if (const auto* object = body.if_object()) {
        if (const auto message = string_at(*object, "message")) return *message;
    }
    return raw.empty() ? "status " + std::to_string(status) : ellipsized(raw, 400);
}

Error refused(SpawnErrc reason, std::string to_person, const Answer& answer) {
    std::string detail = "the engine answered " + std::to_string(answer.status) + ": " + answer.said();
    return Error{reason, std::move(to_person), std::move(detail)};
}

Engine::Engine(net::Endpoint at) : at_(std::move(at)), client_(at_, kMostBodyBytes) {}

Error Engine::translated(const Error& error) const {
    const std::string what = at_.to_string() + ": " + error.message + " " + error.detail;
    if (error.is(http::ClientErrc::timeout)) {
        return Error{
            SpawnErrc::backend_unreachable,
            "The container engine did not answer in time. Try again in a minute; the administrator should "
            "look at it "
            "(docker info).",
            what};
    }
    return Error{
        SpawnErrc::backend_unreachable,
        "The container engine cannot be reached. The administrator should start it, or correct docker.host.",
        what};
}

awaitable<Result<void>> Engine::negotiate(Deadline deadline) {
    if (version_) co_return Result<void>{};
    http::ClientRequest request;
    request.target = "/version";
    BERTH_CO_TRY(const auto answer, co_await send(std::move(request), deadline));
    const auto* object = answer.body.if_object();
    const auto newest = object ? parse_version(string_at(*object, "ApiVersion").value_or("")) : std::nullopt;
    if (!answer.ok() || !newest) {
        co_return refused(
            SpawnErrc::backend_failed,
            "What answers at docker.host is no Docker Engine; correct docker.host.",
            answer);
    }
    if (is_podman(*object)) {
        co_return Error{
            SpawnErrc::backend_failed,
            "This engine is Podman, whose Docker API leaves out GPUs without saying so. Set docker.host to a "
            "Docker "
            "Engine.",
            at_.to_string()};
    }
    if (*newest < kOldestApi) {
        co_return Error{
            SpawnErrc::backend_failed,
            "This Docker Engine is too old (API " + newest->to_string() +
                "); Docker 19.03 or newer is needed.",
            at_.to_string()};
    }
    newest_of_engine_ = *newest;
    version_ = std::min(*newest, kNewestApi);
    co_return Result<void>{};
}

awaitable<Result<Answer>> Engine::send(http::ClientRequest request, Deadline deadline) {
    auto response = co_await client_.send(std::move(request), deadline);
    if (!response) co_return translated(response.error());
    Answer answer;
    answer.status = response->status;
    answer.raw = std::move(response->body);
    if (auto body = parse_json(answer.raw)) answer.body = std::move(*body);
    co_return answer;
}

http::ClientRequest Engine::request_of(http::Method method, const std::string& path) const {
    http::ClientRequest request;
    request.method = method;
    request.target = "/v" + version().to_string() + path;
    return request;
}

awaitable<Result<Answer>> Engine::get(std::string path, Deadline deadline) {
    BERTH_CO_CHECK(co_await negotiate(deadline));
    auto request = request_of(http::Method::get, path);
    co_return co_await send(std::move(request), deadline);
}

awaitable<Result<Answer>> Engine::get_unread(std::string path, Deadline deadline) {
    BERTH_CO_CHECK(co_await negotiate(deadline));
    auto request = request_of(http::Method::get, path);
    auto response = co_await client_.send(std::move(request), deadline);
    if (!response) co_return translated(response.error());
    co_return Answer{.status = response->status, .body = {}, .raw = std::move(response->body)};
}

awaitable<Result<Answer>> Engine::post(std::string path, json::value body, Deadline deadline) {
    BERTH_CO_CHECK(co_await negotiate(deadline));
    auto request = request_of(http::Method::post, path);
    if (!body.is_null()) {
        request.headers.set("Content-Type", "application/json");
        request.body = json::serialize(body);
    }
    co_return co_await send(std::move(request), deadline);
}

awaitable<Result<Answer>> Engine::put_archive(std::string path, std::string archive, Deadline deadline) {
    BERTH_CO_CHECK(co_await negotiate(deadline));
    auto request = request_of(http::Method::put, path);
    request.headers.set("Content-Type", "application/x-tar");
    request.body = std::move(archive);
    co_return co_await send(std::move(request), deadline);
}

awaitable<Result<Answer>> Engine::del(std::string path, Deadline deadline) {
    BERTH_CO_CHECK(co_await negotiate(deadline));
    auto request = request_of(http::Method::del, path);
    co_return co_await send(std::move(request), deadline);
}

awaitable<Result<std::unique_ptr<http::ClientStream>>> Engine::open(
    http::Method method, std::string path, Deadline deadline) {
    BERTH_CO_CHECK(co_await negotiate(deadline));
    auto request = request_of(method, path);
    auto stream = co_await client_.open(std::move(request), deadline);
    if (!stream) co_return translated(stream.error());
    co_return std::move(*stream);
}

}  // namespace berth::spawn::docker
