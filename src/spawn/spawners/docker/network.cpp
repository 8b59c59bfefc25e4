#include "spawn/spawners/docker/network.hpp"

#include "base/text.hpp"
#include "obs/log.hpp"

namespace berth::spawn::docker {
namespace {

constexpr std::string_view kIcc = "com.docker.network.bridge.enable_icc";

bool keeps_containers_apart(const json::object& network) {
    const auto* options = object_at(network, "Options");
    return options && string_at(*options, kIcc) == "false";
}

}  // namespace

Result<void> Network::read(const json::value& document) {
    const auto* network = document.if_object();
    const auto* ipam = network ? object_at(*network, "IPAM") : nullptr;
    const auto* ranges = ipam ? array_at(*ipam, "Config") : nullptr;
    gateway_.clear();
    for (const auto& each : ranges ? *ranges : json::array{}) {
        const auto* range = each.if_object();
        const auto gateway = range ? string_at(*range, "Gateway").value_or("") : "";
        if (gateway.empty() || gateway.find(':') != std::string::npos) continue;  // the hub listens on IPv4
        gateway_ = gateway.substr(0, gateway.find('/'));
        subnet_ = string_at(*range, "Subnet").value_or("");
        break;
    }
    if (gateway_.empty()) {
        return Error{
            SpawnErrc::backend_failed,
            "The network '" + name_ +
                "' of the container engine has no gateway, so servers could not reach the hub. "
                "Set docker.network to a bridge network, or docker.hub_address."};
    }
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
        {"Labels", json::object{{"berth.network", "true"}}},
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
    if (!fresh.ok()) {
        co_return refused(SpawnErrc::backend_failed, "The network '" + name_ + "' is gone again.", fresh);
    }
    log::info("docker.network_made", {{"network", name_}});
    co_return read(fresh.body);
}

}  // namespace berth::spawn::docker
