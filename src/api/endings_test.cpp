// Who is told of a server's end, who may hold it off, and what the pages say afterwards.
#include "api/test_api.hpp"

#include <gtest/gtest.h>

namespace berth::api::test {
namespace {

using namespace std::chrono_literals;
using http::Method;

const std::string kEnding = "/hub/api/berth/users/ann/servers//ending";
const std::string kKeep = "/hub/api/berth/users/ann/servers//keep_running";

struct Endings : testing::Test {
    TestApi hub{[] {
        auto options = dummy_options();
        options.cull.idle = 60s;
        options.cull.grace = 0s;
        return options;
    }()};
    const ServerKey ann{UserName("ann"), ServerName("")};

    void SetUp() override {
        hub.open_all();
        ASSERT_TRUE(hub.begin(ann));
        ASSERT_TRUE(*hub.wait_started(ann));
    }
    void warn() {
        auto& row = hub.servers->find(ann)->row;
        row.started = now_utc() - 100s;
        row.last_activity = row.started;
        hub.run([](hub::Culler& culler) -> awaitable<bool> {
            co_await culler.look();
            co_return true;
        }(*hub.culler));
        ASSERT_TRUE(hub.servers->find(ann)->ending);
    }
};

TEST_F(Endings, AreToldInTheModelAndToWhoMayEnter) {
    const auto lab = hub.token_of("ann", {"access:servers!server=ann/"});
    auto before = hub.with_token(lab, Method::get, kEnding);
    EXPECT_EQ(before.status, 200U);
    EXPECT_TRUE(body_of(before).at("ending").is_null());
    EXPECT_EQ(body_of(before).at("ask_again_seconds"), 60);
    warn();
    const auto told = body_of(hub.with_token(lab, Method::get, kEnding));
    EXPECT_EQ(told.at("ending").at("because").as_string(), "idle");
    EXPECT_EQ(told.at("ending").at("seconds_left"), 600);
    const auto model = body_of(hub.with_token(hub.token_of("ann"), Method::get, "/hub/api/users/ann"));
    EXPECT_EQ(model.at("servers").at("").at("berth").at("ending").at("extensions_left"), 3);
    EXPECT_EQ(hub.with_token(hub.token_of("bob"), Method::get, kEnding).status, 404U);
    EXPECT_EQ(hub.ask(Method::get, kEnding).status, 403U);
}

TEST_F(Endings, AreHeldOffByWhoMayEnterOrStopTheServerAndNobodyElse) {
    warn();
    EXPECT_EQ(hub.with_token(hub.token_of("bob"), Method::post, kKeep).status, 404U);
    EXPECT_EQ(
        hub.with_token(hub.token_of("ann", {"read:servers!user=ann"}), Method::post, kKeep).status, 403U);
    EXPECT_TRUE(hub.servers->find(ann)->ending);
    const auto lab = hub.token_of("ann", {"access:servers!server=ann/"});
    const auto kept = hub.with_token(lab, Method::post, kKeep);
    EXPECT_EQ(kept.status, 200U) << kept.body;
    EXPECT_FALSE(hub.servers->find(ann)->ending);
    EXPECT_EQ(hub.with_token(lab, Method::post, kKeep).status, 409U);
}

TEST_F(Endings, TheModelOfAServerThatHangsInStoppingSaysWhy) {
    auto& spawner = dynamic_cast<spawn::doubles::MemorySpawner&>(*hub.spawner);
    spawner.set_removable(false);
    ASSERT_TRUE(hub.run(hub.stop->begin(hub.permit(ann), ann)));
    hub.settle(50ms);
    const auto token = hub.token_of("ann");
    auto of_ann = [&] {
        const auto url = "/hub/api/users/ann?include_stopped_servers=1";
        return body_of(hub.with_token(token, Method::get, url)).at("servers").at("");
    };
    const auto model = of_ann();
    EXPECT_EQ(model.at("pending").as_string(), "stop");
    EXPECT_NE(
        model.at("berth").at("stop_delayed").as_string().find("It did not go in time."), std::string::npos);
    spawner.set_removable(true);
    ASSERT_TRUE(hub.wait_gone(ann));
    EXPECT_FALSE(of_ann().at("berth").as_object().contains("stop_delayed"));
}

TEST_F(Endings, ThePageOfAStoppedServerSaysWhy) {
    const auto browser = hub.signed_in("ann");
    hub::StopWish wish;
    wish.end_reason = "idle";
    wish.sentence = "Stopped after 60 s without <activity>.";
    ASSERT_TRUE(hub.run(hub.stop->begin(hub.permit(ann), ann, wish)));
    ASSERT_TRUE(hub.wait_gone(ann));
    const auto page = hub.get(browser, "/hub/user/ann/lab");
    EXPECT_EQ(page.status, 424U);
    EXPECT_NE(page.body.find("Stopped after 60 s without &lt;activity&gt;."), std::string::npos);
    const auto model = body_of(
        hub.with_token(hub.token_of("ann"), Method::get, "/hub/api/users/ann?include_stopped_servers=1"));
    EXPECT_EQ(model.at("servers").at("").at("berth").at("stopped_because").as_string(), wish.sentence);
}

}  // namespace
}  // namespace berth::api::test
