// What the handlers work with; app/ builds all of it and outlives them. Hub strand only.
#pragma once

#include "access/permit.hpp"
#include "async/blocking_pool.hpp"
#include "config/options.hpp"
#include "gate/gate.hpp"
#include "gate/local_peer.hpp"
#include "gpu/allocator_facade.hpp"
#include "gpu/devices.hpp"
#include "gpu/leases.hpp"
#include "hub/activity.hpp"
#include "hub/cull.hpp"
#include "hub/drains.hpp"
#include "hub/edge_cache.hpp"
#include "hub/gpu_board.hpp"
#include "hub/notify.hpp"
#include "hub/reservations.hpp"
#include "hub/routes.hpp"
#include "hub/server_records.hpp"
#include "hub/servers.hpp"
#include "hub/start_server.hpp"
#include "hub/stop_server.hpp"
#include "hub/user_records.hpp"
#include "identity/directory.hpp"
#include "identity/oauth/provider.hpp"
#include "identity/sign_in.hpp"
#include "spawn/spawner.hpp"

#include <functional>
#include <string>

namespace berth::api {

struct ShutdownWish {
    bool proxy = true;     // take the proxy down too
    bool servers = false;  // stop the notebooks first
};

struct Dependencies {
    const config::Options& options;
    store::Store& store;
    store::Ids& ids;
    BlockingPool& pool;
    identity::Directory& directory;
    identity::SignIn& sign_in;
    identity::OAuthProvider& oauth;
    gate::Gate& gate;
    hub::Servers& servers;
    hub::EdgeCache& edge;
    hub::StartServer& start;
    hub::StopServer& stop;
    hub::ServerRecords& records;
    hub::UserRecords& users;
    hub::Activity& activity;
    hub::Culler& culler;
    hub::Routes& routes;
    gpu::Inventory& inventory;
    gpu::Leases& leases;
    gpu::AllocatorFacade& facade;
    spawn::Spawner& spawner;
    hub::GpuBoard& board;
    hub::Reservations& reservations;
    hub::Drains& drains;
    const std::string& instance;  // names this hub in addresses that outlive it
    gate::LocalAdministrators local_administrators;
    std::function<void(ShutdownWish)> shut_down;  // asks app/ to end the process; returns at once
    hub::Notices* notices = nullptr;              // none in tests of other things
};

}  // namespace berth::api
