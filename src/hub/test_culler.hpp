// A culler over a TestHub, for tests of what warns people and ends their servers.
#pragma once

#include "hub/cull.hpp"
#include "hub/test_hub.hpp"

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

namespace berth::hub::test {

// One look of the culler, to its end.
inline void look(TestHub& hub, Culler& culler) {
    ASSERT_TRUE(hub.run([](Culler& one) -> awaitable<Result<void>> {
        co_await one.look();
        co_return Result<void>{};
    }(culler)));
}

struct CullerFixture : testing::Test {
    std::optional<TestHub> hub;
    std::optional<Activity> activity;
    std::optional<Culler> culler;

    // With a folder: the hub of before, started again.
    void open_for(
        std::initializer_list<ServerKey> people, config::Options options, const std::string& folder) {
        culler.reset();
        activity.reset();
        hub.emplace(std::move(options), folder);
        auto spawner = std::make_shared<spawn::doubles::MemorySpawner>(hub->io.get_executor());
        hub->open(spawner);
        spawner->url = hub->notebook_url();
        for (const auto& key : people) {
            if (hub->directory->find(key.user) == nullptr) hub->add_user(key.user.value);
        }
        activity.emplace(*hub->context);
        culler.emplace(*hub->context, *activity, *hub->stop, *hub->gpus);
    }
    ~CullerFixture() override {
        if (!hub) return;
        if (hub->store) hub->close();
        std::filesystem::remove_all(hub->dir);
    }
    Server& server(const ServerKey& key = kAnn) { return *hub->servers->find(key); }
    void look() { test::look(*hub, *culler); }
};

}  // namespace berth::hub::test
