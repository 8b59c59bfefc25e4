#include "spawn/spawners/docker/network.hpp"

#include "base/text.hpp"
#include "obs/log.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace berth::spawn::docker {
namespace {

constexpr std::string_view kIcc = "com.docker.network.bridge.enable_icc";
constexpr std::string_view kOurs = "berth.network";  // the label of those that Berth made

bool keeps_containers_apart(const json::object& network) {
    const auto* options = object_at(network, "Options");
    return options && string_at(*options, kIcc) == "false";
}

bool is_ours(const json::object& network) {
    const auto* labels = object_at(network, "Labels");
    return labels && string_at(*labels, kOurs) == "true";
}

bool has_containers(const json::object& network) {
    const auto* containers = object_at(network, "Containers");
    return containers && !containers->empty();
}

// The first IPv4 range: the hub listens on IPv4.
struct Range {
    std::string subnet;
    std::string gateway;
};
std::optional<Range> range_of(const json::object& network) {
    const auto* ipam = object_at(network, "IPAM");
    const auto* ranges = ipam ? array_at(*ipam, "Config") : nullptr;
    for (const auto& each : ranges ? *ranges : json::array{}) {
        const auto* range = each.if_object();
        const auto gateway = range ? string_at(*range, "Gateway").value_or("") : "";
        if (gateway.empty() || gateway.find(':') != std::string::npos) continue;
        return Range{string_at(*range, "Subnet").value_or(""), gateway.substr(0, gateway.find('/'))};
    }
    return std::nullopt;
}

// Sorts by age: the engine leaves out zeros at the end of the fraction.
std::string created(const json::object& network) {
    auto time = string_at(network, "Created").value_or("");
    if (time.ends_with('Z')) time.pop_back();
    return time;
}

}  // namespace

Result<void> Network::read(const json::value& document) {
    const auto* network = document.if_object();
    const auto range = network ? range_of(*network) : std::nullopt;
    gateway_ = range ? range->gateway : "";
    if (!range) {
        return Error{
            SpawnErrc::backend_failed,
            "The network '" + name_ +
                "' of the container engine has no gateway, so servers could not reach the hub. "
                "Set docker.network to a bridge network, or docker.hub_address."};
    }
    subnet_ = range->subnet;
    if (!keeps_containers_apart(*network)) {
        return Error{
            SpawnErrc::bad_request,
            "On the network '" + name_ +
                "' containers can reach each other, so one person's notebook could be attacked from "
                "another's. "
                "Remove it (docker network rm " +
                name_ + "), so that Berth makes it as it has to be, or name another one in docker.network.",
            "its option " + std::string(kIcc) + " is not false"};
    }
    return {};
}

json::object Network::request() const {
    json::object request{
        {"Name", name_},
        {"Driver", "bridge"},
        {"CheckDuplicate", true},
        {"Options", json::object{{kIcc, "false"}}},
        {"Labels", json::object{{kOurs, "true"}}},
    };
    if (!subnet_.empty()) {
        json::array ranges{json::object{{"Subnet", subnet_}, {"Gateway", gateway_}}};
        request["IPAM"] = json::object{{"Config", std::move(ranges)}};
    }
    return request;
}

awaitable<Result<void>> Network::ensure(Deadline deadline) {
    const std::string path = "/networks/" + quote(name_);
    BERTH_CO_TRY(const auto known, co_await engine_.get(path, deadline));
    if (known.ok()) co_return read(known.body);
    if (known.status != 404) co_return co_await choose(deadline);
    json::value body = request();
    BERTH_CO_TRY(const auto made, co_await engine_.post("/networks/create", std::move(body), deadline));
    // 409: another hub made it at the same moment.
    if (!made.ok() && made.status != 409) {
        co_return refused(
            SpawnErrc::backend_failed,
            "The container engine could not make the network '" + name_ +
                "' that servers sit on: " + made.said(),
            made);
    }
    BERTH_CO_TRY(const auto fresh, co_await engine_.get(path, deadline));
    if (fresh.status == 404) {
        co_return refused(SpawnErrc::backend_failed, "The network '" + name_ + "' is gone again.", fresh);
    }
    log::info("docker.network_made", {{"network", name_}});
    if (!fresh.ok()) co_return co_await choose(deadline);
    co_return read(fresh.body);
}

awaitable<Result<std::vector<json::object>>> Network::of_this_name(Deadline deadline) {
    const json::object filters{{"name", json::array{name_}}};  // those that contain it
    BERTH_CO_TRY(
        const auto listed,
        co_await engine_.get("/networks?filters=" + url_escape_query(json::serialize(filters)), deadline));
    const auto* list = listed.body.if_array();
    if (!listed.ok() || !list) {
        co_return refused(
            SpawnErrc::backend_failed,
            "The container engine does not say which networks are named '" + name_ + "'.",
            listed);
    }
    std::vector<json::object> networks;
    for (const auto& each : *list) {
        const auto* entry = each.if_object();
        if (!entry || string_at(*entry, "Name") != name_) continue;
        // The list leaves out which containers are on it.
        const auto id = string_at(*entry, "Id").value_or("");
        BERTH_CO_TRY(const auto whole, co_await engine_.get("/networks/" + quote(id), deadline));
        const auto* network = whole.body.if_object();
        if (whole.ok() && network) networks.push_back(*network);
    }
    std::ranges::sort(networks, {}, [](const auto& each) {
        return std::pair(created(each), string_at(each, "Id").value_or(""));
    });
    co_return networks;
}

// Everybody who chooses keeps the same one: two hubs that start at once may each have made one. The engine
// itself goes by the name when a container starts, also of one that was made with the network's id, so the
// others must go.
awaitable<Result<void>> Network::choose(Deadline deadline) {
    BERTH_CO_TRY(const auto networks, co_await of_this_name(deadline));
    const json::object* kept = nullptr;
    std::size_t staying = 0;
    std::string ids;
    for (const auto& network : networks) {
        const auto range = range_of(network);
        const bool in_use = has_containers(network) || (range && range->gateway == gateway_);
        ids += " " + string_at(network, "Id").value_or("").substr(0, 12);
        if (is_ours(network) && !in_use) continue;
        ++staying;
        kept = &network;
    }
    if (staying > 1) {
        co_return Error{
            SpawnErrc::bad_request,
            "The container engine has several networks named '" + name_ +
                "' and cannot tell them apart. Remove all but one (docker network rm, with one of the ids" +
                ids + "), or name another one in docker.network."};
    }
    if (kept == nullptr && !networks.empty()) kept = &networks.front();
    for (const auto& network : networks)
        if (&network != kept)
            BERTH_CO_CHECK(co_await remove(string_at(network, "Id").value_or(""), deadline));
    BERTH_CO_TRY(const auto left, co_await engine_.get("/networks/" + quote(name_), deadline));
    if (left.ok()) co_return read(left.body);
    co_return refused(
        SpawnErrc::backend_failed,
        "The container engine does not say what network '" + name_ + "' is.",
        left);
}

// The engine refuses while a container is on it.
awaitable<Result<void>> Network::remove(std::string id, Deadline deadline) {
    BERTH_CO_TRY(const auto removed, co_await engine_.del("/networks/" + quote(id), deadline));
    if (removed.ok())
        log::warn(
            "docker.network_removed", {{"network", name_}, {"id", id}, {"reason", "another has its name"}});
    co_return Result<void>{};
}

}  // namespace berth::spawn::docker
