// Every room of the hub, built in the order of the members and destroyed backwards. Private to app/:
// hub_process.cpp opens and closes them, hub_background.cpp holds what goes on beside requests. Hub strand
// only.
#pragma once

#include "api/hub_api.hpp"
#include "app/hub_process.hpp"
#include "app/proxy_process.hpp"
#include "async/blocking_pool.hpp"
#include "gpu/agent_client.hpp"
#include "gpu/device_rows.hpp"
#include "hub/cull.hpp"
#include "hub/drains.hpp"
#include "hub/edge_cache.hpp"
#include "hub/gpu_board.hpp"
#include "hub/notify.hpp"
#include "hub/reconcile.hpp"
#include "hub/reservations.hpp"

#include <optional>

namespace berth::app {

void report_failure(std::string_view task, const std::exception_ptr& failure);

struct HubProcess::Rooms {
    Rooms(asio::io_context& io, config::Options configured)
        : executor(io.get_executor()),
          options(std::move(configured)),
          work(executor, report_failure),
          connections(executor, report_failure),
          shutdown(executor) {}

    asio::any_io_executor executor;
    config::Options options;
    BlockingPool pool{2, 256};
    TaskScope work;
    TaskScope connections;
    StopSource shutdown;
    api::ShutdownWish wish;

    std::unique_ptr<store::Store> store;
    std::optional<store::Ids> ids;
    std::optional<identity::Directory> directory;
    std::optional<identity::SignIn> sign_in;
    std::optional<identity::OAuthProvider> oauth;
    std::optional<gate::Gate> gate;
    std::optional<gpu::Inventory> inventory;
    std::optional<gpu::Leases> leases;
    std::optional<gpu::AllocatorFacade> facade;
    std::optional<gpu::AgentClient> agent;
    std::unique_ptr<spawn::Spawner> spawner;
    std::optional<hub::Servers> servers;
    std::optional<hub::Routes> routes;
    std::optional<hub::Context> context;
    std::optional<hub::EdgeCache> edge;
    std::optional<hub::Notices> notices;
    std::optional<hub::Reaper> reaper;
    std::optional<hub::GpuQueue> gpus;
    std::optional<hub::GpuBoard> board;
    std::optional<hub::Reservations> reservations;
    std::optional<hub::Drains> drains;
    std::optional<hub::StartServer> start;
    std::optional<hub::StopServer> stop;
    std::optional<hub::ServerRecords> records;
    std::optional<hub::UserRecords> users;
    std::optional<hub::Activity> activity;
    std::optional<hub::Culler> culler;
    std::optional<hub::Reconcile> reconcile;
    std::optional<api::Dependencies> dependencies;
    std::optional<api::HubApi> api;
    std::optional<ProxyProcess> proxy;
    std::optional<http::Server> behind_proxy;
    std::optional<http::Server> for_servers;
    std::optional<http::Server> for_administrators;
    gate::LocalAdministrators administrators;
    std::string instance;
    std::string first_admin_link;
    std::string proxy_token;

    awaitable<Result<void>> open_store();
    awaitable<Result<void>> open_identity(const store::Snapshot& snapshot);
    awaitable<Result<void>> open_gpus(const store::Snapshot& snapshot);
    awaitable<Result<void>> open_servers(const store::Snapshot& snapshot);
    awaitable<Result<void>> listen();
    awaitable<Result<void>> listen_for_administrators();
    awaitable<Result<void>> open_proxy();
    awaitable<Result<void>> make_first_admin_link();
    void build_use_cases();
    awaitable<Result<void>> restore_gpu_queue(const store::Snapshot& snapshot);
    void start_background();
    awaitable<> open_backend();
    void read_images();
    awaitable<> check_routes();
    awaitable<> housekeeping();
    awaitable<> follow_clock(std::chrono::microseconds moved);
    awaitable<> end_facade_leases();
    void on_agent_report(const gpu::AgentReport& report);
    awaitable<> write_devices();
    Result<http::ServerLimits> server_limits() const;
    awaitable<Result<void>> listen_for_servers();
    std::string hub_url(std::string_view path) const {
        return hub::origin_of(options.bind_url) + options.base_path() + std::string(path);
    }
};

}  // namespace berth::app
