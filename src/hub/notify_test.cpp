// What a mail may say, and who is told of what.
#include "hub/notify.hpp"

#include "hub/test_hub.hpp"

namespace berth::hub {
namespace {

using namespace std::chrono_literals;

TEST(Mail, AddressesThatCouldSaySomethingElseAreNone) {
    for (const auto* good : {"ann@example.org", "a.b+c@x"})
        EXPECT_TRUE(is_mail_address(good)) << good;
    for (const auto* bad :
         {"",
          "ann",
          "@x",
          "ann@",
          "a@b@c",
          "a@b\r\nRCPT TO:<eve@x>",
          "a b@c",
          "a@b>",
          "<a@b",
          "a@b, c@d",
          "-oQ@b",
          "\xC3\xA4@b"})
        EXPECT_FALSE(is_mail_address(bad)) << bad;
    EXPECT_FALSE(is_mail_address(std::string(250, 'a') + "@b.de"));
}

TEST(Mail, NothingInItBecomesAHeader) {
    Mail mail{"ann@x", "Ready\r\nBcc: eve@x\r\n\r\nbody", "first\nBcc: eve@x\n", Timestamp{}};
    const auto text = message_of("berth@x", mail, "id");
    const auto head = text.substr(0, text.find("\r\n\r\n"));
    EXPECT_EQ(head.find("Bcc"), std::string::npos) << head;
    EXPECT_NE(head.find("Subject: =?UTF-8?B?"), std::string::npos);
    EXPECT_NE(head.find("Date: Thu, 01 Jan 1970 00:00:00 +0000"), std::string::npos);
    EXPECT_NE(text.find("\r\n\r\nfirst\r\nBcc: eve@x\r\n"), std::string::npos) << "in the body it is text";
}

TEST(Mail, WhatIsNotAsciiIsEncoded) {
    Mail mail{"ann@x", "Dein Server läuft", "Schön\n", Timestamp{}};
    const auto text = message_of("berth@x", mail, "id");
    for (const char c : text)
        EXPECT_GT(c, 0) << "no byte beyond ASCII";
    EXPECT_NE(text.find("Subject: =?UTF-8?B?RGVpbiBTZXJ2ZXIgbMOkdWZ0?="), std::string::npos) << text;
    EXPECT_NE(text.find("Content-Transfer-Encoding: base64\r\n"), std::string::npos);
    EXPECT_NE(text.find("\r\n\r\nU2Now7ZuCg==\r\n"), std::string::npos) << text;
}

TEST(Mail, AServerThatHangsIsLeft) {
    asio::io_context io;
    asio::ip::tcp::acceptor silent(io, {asio::ip::make_address("127.0.0.1"), 0});
    config::MailOptions options;
    options.server = "smtp://127.0.0.1:" + std::to_string(silent.local_endpoint().port());
    options.from = "berth@x";
    options.start_tls = false;
    const Mail mail{"ann@x", "Ready", "text", Timestamp{}};
    std::atomic<bool> stop = false;
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(send_mail(options, mail, 300ms, stop).outcome, MailResult::later);
    stop = true;
    EXPECT_EQ(send_mail(options, mail, 60s, stop).outcome, MailResult::later);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

// What the hub sent to a web server of the test.
struct Told {
    std::vector<json::object> bodies;
    std::vector<http::Request> pushed;
    unsigned status = 204;

    awaitable<http::Response> answer(http::Request request) {
        if (request.headers.find("Content-Encoding")) {
            pushed.push_back(std::move(request));
            co_return http::Response::empty(status);
        }
        bodies.push_back(parse_json(request.body).value_or(json::object()).as_object());
        co_return http::Response::empty(status);
    }
};

struct NoticesTest : testing::Test {
    Told told;
    std::optional<test::TestHub> hub;
    std::optional<http::Server> receiver;
    std::optional<Notices> notices;
    const ServerKey ann{UserName("ann"), ServerName("")};

    void open() {
        hub.emplace(test::options_with_gpus({"GPU-a"}));
        auto spawner = std::make_shared<spawn::doubles::MemorySpawner>(hub->io.get_executor());
        hub->open(spawner);
        spawner->url = hub->notebook_url();
        hub->add_user("ann");
        auto listener = net::Listener::open(hub->io.get_executor(), net::Endpoint{"127.0.0.1", 0, ""});
        ASSERT_TRUE(listener);
        receiver.emplace(
            hub->scope,
            std::move(*listener),
            "receiver",
            http::ServerLimits{},
            false,
            [this](http::Request request) { return told.answer(std::move(request)); });
        receiver->start();
        hub->options.notify.webhook = "http://" + receiver->local().to_string() + "/x";
        notices.emplace(*hub->context);
        hub->context->notices = &*notices;
    }
    ~NoticesTest() override {
        if (!hub) return;
        if (hub->store) hub->close();
        std::filesystem::remove_all(hub->dir);
    }
    Server& server() { return *hub->servers->find(ann); }
    void settle_until_told(std::size_t count) {
        for (int i = 0; i < 100 && told.bodies.size() < count; ++i)
            hub->settle(20ms);
        ASSERT_EQ(told.bodies.size(), count);
    }
};

TEST_F(NoticesTest, AnEndThatNobodyAskedForIsToldAndNoOther) {
    open();
    ASSERT_TRUE(hub->begin(ann));
    ASSERT_TRUE(*hub->wait_started(ann));
    hub->settle(50ms);
    EXPECT_TRUE(told.bodies.empty()) << "a start that did not wait is no news";
    ASSERT_TRUE(hub->run(hub->stop->begin(hub->permit(ann), ann)));
    ASSERT_TRUE(hub->wait_gone(ann));
    hub->settle(50ms);
    EXPECT_TRUE(told.bodies.empty());
    ASSERT_TRUE(hub->begin(ann));
    ASSERT_TRUE(*hub->wait_started(ann));
    StopWish wish;
    wish.end_reason = "idle";
    wish.sentence = "Stopped after 60 s without activity.";
    ASSERT_TRUE(hub->run(hub->stop->begin(hub->permit(ann), ann, wish)));
    settle_until_told(1);
    EXPECT_EQ(told.bodies[0].at("event").as_string(), "ended");
    EXPECT_EQ(told.bodies[0].at("text").as_string(), wish.sentence);
    EXPECT_EQ(told.bodies[0].at("user").as_string(), "ann");
}

TEST_F(NoticesTest, OneThatIsRefusedForGoodIsNotSentAgain) {
    open();
    ASSERT_TRUE(hub->begin(ann));
    told.status = 404;
    notices->failed(server(), "no such image");
    settle_until_told(1);
    hub->settle(1500ms);
    EXPECT_EQ(told.bodies.size(), 1U);
    EXPECT_EQ(notices->under_way(), 0U);
    told.status = 503;
    notices->failed(server(), "no such image");
    settle_until_told(2);
    told.status = 204;
    settle_until_told(3);
    hub->settle(100ms);
    EXPECT_EQ(notices->under_way(), 0U);
}

TEST_F(NoticesTest, TooManyAreDropped) {
    open();
    ASSERT_TRUE(hub->begin(ann));
    for (int i = 0; i < 300; ++i)
        notices->failed(server(), "again");
    EXPECT_EQ(notices->under_way(), 256U);
}

TEST_F(NoticesTest, AddressesComeFromTheAccountThenFromTheDomain) {
    open();
    const auto id = hub->directory->find(ann.user)->id();
    EXPECT_FALSE(notices->address_of(id));
    hub->options.notify.mail.domain = "example.org";
    EXPECT_EQ(notices->address_of(id), "ann@example.org");
    EXPECT_TRUE(*notices->mail_wanted(id));
    ASSERT_TRUE(hub->run(notices->set_mail_wanted(id, false)));
    EXPECT_FALSE(*notices->mail_wanted(id));
}

// A browser as RFC 8291's example has it; its push service is the receiver of the test.
struct BrowserNotices : NoticesTest {
    UserId id() const { return hub->directory->find(ann.user)->id(); }
    const std::string key =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const std::string auth = "BTBZMqHH6r4Tts7J_aSIgg";

    Result<void> subscribe(const std::string& endpoint) {
        return hub->run(notices->push().subscribe(id(), endpoint, key, auth));
    }
    std::size_t browsers() { return hub->run(notices->push().of(id()))->size(); }
};

TEST_F(BrowserNotices, AreSentEncryptedAndSignedAndAGoneOneIsForgotten) {
    open();
    ASSERT_TRUE(hub->begin(ann));
    store::PushRow row{number_of(hub->ids->next<LeaseId>()), id(), "", key, auth, now_utc()};
    row.endpoint = "http://" + receiver->local().to_string() + "/push/1";
    ASSERT_TRUE(hub->run(hub->store->commit([row](store::Transaction& t) { store::insert(t, row); })));
    hub->options.notify.webhook.clear();
    hub->options.state_dir = hub->dir;
    notices->push().reach(Reach::anywhere);
    notices->failed(server(), "no such image");
    for (int i = 0; i < 100 && told.pushed.empty(); ++i)
        hub->settle(20ms);
    ASSERT_EQ(told.pushed.size(), 1U);
    const auto& request = told.pushed[0];
    EXPECT_EQ(request.headers.find("Content-Encoding"), "aes128gcm");
    EXPECT_TRUE(request.headers.find("Authorization")->starts_with("vapid t="));
    EXPECT_GT(request.body.size(), 16U + 4 + 1 + 65 + 16);
    EXPECT_EQ(request.body.find("no such image"), std::string::npos);
    told.status = 410;
    notices->failed(server(), "no such image");
    for (int i = 0; i < 100 && browsers() > 0; ++i)
        hub->settle(20ms);
    EXPECT_EQ(browsers(), 0U);
}

TEST_F(BrowserNotices, ABrowserLeadsTheHubNowhereInside) {
    open();
    ASSERT_TRUE(hub->begin(ann));
    hub->options.notify.webhook.clear();
    hub->options.state_dir = hub->dir;
    EXPECT_FALSE(subscribe("http://push.example/1"));
    const auto port = std::to_string(receiver->local().port);
    for (const auto* host : {"127.0.0.1", "localhost", "[::1]"}) {
        Outbound outbound(hub->scope);
        Post post;
        post.url = std::string("https://").append(host).append(":").append(port).append("/x");
        post.reach = Reach::outside;
        const auto sent = hub->run(outbound.send(std::move(post), Deadline::in(2s)));
        ASSERT_FALSE(sent);
        EXPECT_NE(
            (sent.error().message + sent.error().detail).find("nowhere that the hub may send to"),
            std::string::npos)
            << sent.error().message;
    }
    EXPECT_TRUE(told.pushed.empty());
}

TEST_F(BrowserNotices, FiveOfOnePersonAndKeysThatAreKeys) {
    open();
    for (int i = 0; i < 7; ++i)
        ASSERT_TRUE(subscribe("https://push.example/" + std::to_string(i)));
    ASSERT_TRUE(subscribe("https://push.example/6"));
    EXPECT_EQ(browsers(), 5U);
    EXPECT_TRUE(hub->run(notices->push().subscribe(id(), "https://push.example/x", "BCVx", auth))
                    .error()
                    .is(PushErrc::bad_key));
    ASSERT_TRUE(hub->run(notices->push().unsubscribe(id(), "https://push.example/6")));
    EXPECT_EQ(browsers(), 4U);
}

}  // namespace
}  // namespace berth::hub
