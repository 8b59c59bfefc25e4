#include "hub/test_hub.hpp"

#include "store/queries.hpp"

namespace berth::hub::test {

awaitable<http::Response> answer_ok(http::Request request) {
    const bool route = request.path().starts_with("/api/routes");
    if (!route) co_return http::Response::empty(200);
    if (request.method == http::Method::post) co_return http::Response::empty(201);
    if (request.method == http::Method::del) co_return http::Response::empty(204);
    co_return http::Response::json(200, json::object());
}

config::Options options_with_gpus(std::vector<std::string> uuids) {
    config::Options options;
    options.spawn.start_timeout = 5s;
    options.spawn.http_timeout = 3s;
    options.gpu.agent = false;
    for (auto& uuid : uuids)
        options.gpu.devices.push_back({std::move(uuid), "", {}, ""});
    return options;
}

TestHub::TestHub(config::Options wanted, std::string folder)
    : options(std::move(wanted)),
      dir(folder.empty() ? (std::filesystem::temp_directory_path() / ("berth-hub-" + random_hex(8))).string()
                         : folder),
      scope(io.get_executor(), [](std::string_view task, std::exception_ptr) { ADD_FAILURE() << task; }) {}

TestHub::~TestHub() = default;

void TestHub::open(std::shared_ptr<spawn::Spawner> spawner_double) {
    spawner = std::move(spawner_double);
    auto opened = store::Store::open(dir);
    ASSERT_TRUE(opened) << opened.error().message;
    store = std::move(*opened);
    const auto snapshot = *store->load();
    ids.emplace(snapshot.next_id);
    directory.emplace(*store, *ids);
    directory->load(snapshot);
    inventory.emplace(options.gpu, snapshot.devices);
    auto rows = inventory->take_changed_rows();
    store->commit_later([rows](store::Transaction& t) {
        for (const auto& row : rows)
            store::upsert(t, row);
    });
    leases.emplace(options.gpu, [this](UserId id) { return directory->find(id)->name().value; });
    leases->sync(*inventory);
    leases->restore(snapshot);
    servers.emplace(io.get_executor());
    for (const auto& row : snapshot.servers) {
        auto& server = servers->add({directory->find(row.user)->name(), row.name}, row);
        if (const auto* lease = leases->of_server(row.id)) {
            server.lease = lease->id;
            server.devices = lease->devices;
        }
    }
    auto listener = net::Listener::open(io.get_executor(), net::Endpoint{"127.0.0.1", 0, ""});
    ASSERT_TRUE(listener);
    notebook.emplace(scope, std::move(*listener), "notebook", http::ServerLimits{}, false, answer_ok);
    notebook->start();
    routes.emplace(notebook->local(), Secret("token"));
    context.emplace(Context{
        scope,
        options,
        *store,
        *ids,
        *directory,
        *inventory,
        *leases,
        *spawner,
        *servers,
        *routes,
        "test",
        "http://hub/hub/api"});
    reaper.emplace(*context);
    gpus.emplace(*context);
    std::vector<store::UsageIntervalRow> usage;
    const auto since = now_utc() - GpuQueue::remembers(options.gpu);
    ASSERT_TRUE(run(store->read([&](store::Transaction& t) { usage = store::usage_intervals(t, since); })));
    gpus->restore(snapshot.queue, std::move(usage));
    reservations.emplace(*context, *gpus);
    drains.emplace(*context);
    context->drains = &*drains;
    ASSERT_TRUE(drains->restore());
    ASSERT_TRUE(run(reservations->restore()));
    start.emplace(*context, *reaper, *gpus);
    stop.emplace(*context, *reaper);
    reconcile.emplace(*context, *start, *reaper);
    scope.spawn("gpu queue", OnStop::cancel, gpus->run());
    start->open();
}

void TestHub::run_to_end(awaitable<> work) {
    bool done = false;
    asio::co_spawn(  // lint: coroutine-ok the test owns it
        io,
        std::move(work),
        [&](std::exception_ptr failure) {
            if (failure) std::rethrow_exception(failure);
            done = true;
        });
    while (!done)
        io.run_one();
}

void TestHub::close() {
    asio::co_spawn(  // lint: coroutine-ok the test owns it
        io,
        scope.stop(1ms),
        [](std::exception_ptr) {});
    io.restart();
    while (scope.live() > 0)
        io.run_one();
    io.run_for(5ms);
    store->close();
    store.reset();
}

UserId TestHub::add_user(const std::string& name) {
    if (const auto* there = directory->find(UserName(name))) return there->id();  // made by the configuration
    auto created = run(directory->create_user({UserName(name), false}, now_utc()));
    EXPECT_TRUE(created);
    return *created;
}

access::Permit TestHub::permit(const ServerKey& key) const {
    return access::AccessCheck::system("system:test", "servers", access::Target::of(key));
}

Result<void> TestHub::begin(const ServerKey& key, json::value user_options) {
    StartRequest request;
    if (!user_options.is_null()) request.user_options = std::move(user_options);
    return run(start->begin(permit(key), key, std::move(request)));
}

Result<bool> TestHub::wait_started(const ServerKey& key) {
    return run(start->wait(key, Deadline::in(4s)));
}

bool TestHub::wait_gone(const ServerKey& key) {
    return run(stop->wait(key, Deadline::in(4s)));
}

ThreePeople::~ThreePeople() {
    if (!hub) return;
    if (hub->store) hub->close();
    std::filesystem::remove_all(hub->dir);
}

void ThreePeople::open() {
    const std::string folder = hub ? hub->dir : "";
    spawner.reset();  // before the loop it waits on
    hub.emplace(options, folder);
    spawner = std::make_shared<spawn::doubles::MemorySpawner>(hub->io.get_executor());
    hub->open(spawner);
    spawner->url = hub->notebook_url();
    for (const auto& key : {kAnn, kBob, kEve})
        hub->add_user(key.user.value);
}

void ThreePeople::stop(const ServerKey& key) {
    ASSERT_TRUE(hub->run(hub->stop->begin(hub->permit(key), key)));
    ASSERT_TRUE(hub->wait_gone(key));
}

}  // namespace berth::hub::test
