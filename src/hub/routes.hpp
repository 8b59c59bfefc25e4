// What the proxy should route, and the work of making it so: every change is sent at once, and the whole
// table is compared at start, every 300 s, and whenever the proxy was not reachable (hub-protocol §15). Uses
// CHP's REST API, so a configurable-http-proxy in our proxy's place works too. Hub strand only.
#pragma once

#include "async/deadline.hpp"
#include "base/ids.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "http/client.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace berth::hub {

struct Route {
    std::string routespec;  // "/user/ann/": escaped, begins and ends with '/'
    std::string target;     // "http://10.0.3.7:8888", no path
    json::object data;      // {"user": …, "server_name": …} or {"hub": true}
};

// To a service that runs by itself: `prefix` is "/services/NAME/" below the base path.
Route service_route(std::string prefix, std::string_view url, const ServiceName& name);

class Routes {
public:
    Routes(net::Endpoint proxy_api, Secret token);

    // Wanted from now on; the next check() sees to it.
    void want(Route route) { wanted_.insert_or_assign(route.routespec, std::move(route)); }
    // Wanted from now on; true when the proxy has it. Unreachable: it is sent again by check().
    // A server's route to the same target goes first: its address was given to another.
    awaitable<Result<void>> put(Route route, Deadline deadline);
    // Not wanted from now on; the next check() sees to it.
    void forget(const std::string& routespec) { wanted_.erase(routespec); }
    // Not wanted from now on. Tries again until the proxy has it no more, or it was put again; an error when
    // the limit came first, then check() sees to it.
    awaitable<Result<void>> withdraw(std::string routespec, Deadline limit);
    // Compares and mends: adds what is missing or differs, deletes what is ours (data.jupyterhub) and
    // unwanted.
    awaitable<Result<void>> check(Deadline deadline);
    // What Lab asks for first, as the proxy saw it: paths below the route. Empty from a proxy that is not
    // ours.
    awaitable<Result<std::vector<std::string>>> first_files(std::string routespec, Deadline deadline);
    // Last activity by routespec, as the proxy saw it.
    awaitable<Result<std::map<std::string, Timestamp>>> activity(Deadline deadline);

    const std::map<std::string, Route>& wanted() const { return wanted_; }

private:
    awaitable<> withdraw_others(std::string routespec, std::string target, Deadline limit);
    awaitable<Result<void>> post(Route route, Deadline deadline);
    awaitable<Result<void>> del(std::string routespec, Deadline deadline);
    awaitable<Result<json::object>> fetch(Deadline deadline);
    http::Headers headers() const;

    http::Client client_;
    Secret token_;
    std::map<std::string, Route> wanted_;
};

}  // namespace berth::hub
