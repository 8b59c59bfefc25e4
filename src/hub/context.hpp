// What the use cases work with; app/ builds it and outlives them. All of it lives on the hub strand.
#pragma once

#include "async/task_scope.hpp"
#include "config/options.hpp"
#include "gpu/devices.hpp"
#include "gpu/leases.hpp"
#include "hub/routes.hpp"
#include "hub/servers.hpp"
#include "identity/directory.hpp"
#include "spawn/spawner.hpp"
#include "store/store.hpp"

#include <string>

namespace berth::hub {

class Drains;
class EdgeCache;
class Notices;

struct Context {
    TaskScope& scope;  // attempts, reaping, watching
    const config::Options& options;
    store::Store& store;
    store::Ids& ids;
    identity::Directory& directory;
    gpu::Inventory& inventory;
    gpu::Leases& leases;
    spawn::Spawner& spawner;
    Servers& servers;
    Routes& routes;
    std::string instance;        // names this hub's objects at the backend
    std::string api_url;         // the hub's API as servers reach it: "http://172.20.0.1:8081/hub/api"
    EdgeCache* edge = nullptr;   // none in tests of other things
    Notices* notices = nullptr;  // nor these
    const Drains* drains = nullptr;
};

}  // namespace berth::hub
