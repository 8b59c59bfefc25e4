#include "api/test_api.hpp"

#include "store/queries.hpp"

#include <filesystem>

namespace berth::api::test {

config::Options dummy_options() {
    auto options = hub::test::options_with_gpus({"GPU-a", "GPU-b"});
    options.authentication.method = "dummy";
    options.authentication.dummy.password = Secret("pw");
    options.authentication.admins = {"root"};
    options.groups["ml"] = {"ann"};
    config::ServiceOptions service;
    service.name = "svc";
    service.api_token = Secret("0123456789abcdef");
    service.scopes = {"admin:users", "admin:servers", "list:users"};
    options.services.push_back(service);
    return options;
}

std::string Browser::header() const {
    std::string out;
    for (const auto& [name, value] : cookies)
        out += (out.empty() ? "" : "; ") + name + "=" + value;
    return out;
}

void Browser::keep(const http::Response& response) {
    for (const auto cookie : response.headers.all("Set-Cookie")) {
        const auto equals = cookie.find('=');
        const std::string name(cookie.substr(0, equals));
        const std::string value(cookie.substr(equals + 1, cookie.find(';') - equals - 1));
        if (cookie.find("Max-Age=0") != std::string_view::npos)
            cookies.erase(name);
        else
            cookies[name] = value;
    }
}

TestApi::TestApi(config::Options wanted) : TestHub(std::move(wanted)) {}

TestApi::~TestApi() {
    close();
    std::filesystem::remove_all(dir);
}

void TestApi::open_face() {
    auto applied = run(directory->apply_config(options, now_utc()));
    EXPECT_TRUE(applied) << applied.error().message;
    for (const auto* name : {"ann", "bob"}) {  // the configuration's groups have made some already
        if (directory->find(UserName(name)) == nullptr) add_user(name);
    }
    auto authenticator = identity::make_dummy_authenticator(options.authentication.dummy);
    sign_in.emplace(*directory, std::move(authenticator), options.authentication);
    oauth.emplace(*directory, options.authentication);
    gate.emplace(*directory, options, Secret(std::string(32, 'k')));
    records.emplace(*context);
    users.emplace(*context, *stop);
    activity.emplace(*context);
    culler.emplace(*context, *activity, *stop, *gpus);
    edge.emplace(*context, pool, Secret("token"));
    board.emplace(*context, *gpus);
    scope.spawn("gpu feed", OnStop::cancel, board->feed.run());
    facade.emplace(*inventory, *leases, *ids, std::chrono::seconds(60));
    dependencies.emplace(Dependencies{
        options,
        *store,
        *ids,
        pool,
        *directory,
        *sign_in,
        *oauth,
        *gate,
        *servers,
        *edge,
        *start,
        *stop,
        *records,
        *users,
        *activity,
        *culler,
        *routes,
        *inventory,
        *leases,
        *facade,
        *spawner,
        *board,
        *reservations,
        *drains,
        context->instance,
        gate::LocalAdministrators{},
        [this](ShutdownWish) { ++shut_downs; }});
    api.emplace(*dependencies);
    handle = api->handler();
}

http::Response TestApi::ask(
    http::Method method, std::string target, http::Headers headers, std::string body) {
    http::Request request;
    request.method = method;
    request.target = std::move(target);
    request.headers = std::move(headers);
    if (!request.headers.find("Host")) request.headers.add("Host", "hub.example");
    request.body = std::move(body);
    request.peer_address = "127.0.0.1";
    return send(std::move(request));
}

http::Response TestApi::post_form(const Browser& browser, std::string target, std::string form) {
    return ask(
        http::Method::post,
        std::move(target),
        {{"Cookie", browser.header()}, {"Content-Type", "application/x-www-form-urlencoded"}},
        std::move(form));
}

Browser TestApi::signed_in(const std::string& name) {
    Browser browser;
    browser.keep(get(browser, "/hub/login"));
    auto answer = post_form(
        browser, "/hub/login", "username=" + name + "&password=pw&_xsrf=" + browser.cookies["_xsrf"]);
    EXPECT_EQ(answer.status, 302U) << answer.body;
    browser.keep(answer);
    return browser;
}

std::string TestApi::token_of(const std::string& user, std::vector<std::string> scopes) {
    store::TokenRow row;
    row.id = ids->next<TokenId>();
    row.user = directory->find(UserName(user))->id();
    const std::string token = random_hex(16);
    row.hashed = sha256_hex(token);
    row.client_id = "jupyterhub";
    row.scopes = std::move(scopes);
    row.created = now_utc();
    auto committed = run(directory->commit(directory->prepare_token(row)));
    EXPECT_TRUE(committed);
    return token;
}

std::string TestApi::admin_token(std::vector<std::string> scopes) {
    if (directory->find(UserName("root")) == nullptr) {
        auto made = run(directory->create_user({UserName("root"), true}, now_utc()));
        EXPECT_TRUE(made);
    }
    return token_of("root", std::move(scopes));
}

http::Response TestApi::with_token(
    const std::string& token, http::Method method, std::string target, std::string body) {
    return ask(method, std::move(target), {{"Authorization", "token " + token}}, std::move(body));
}

http::Response TestApi::get(const Browser& browser, std::string target) {
    return ask(http::Method::get, std::move(target), {{"Cookie", browser.header()}});
}

http::Response TestApi::send(http::Request request) {
    return run(handle(std::move(request)));
}

}  // namespace berth::api::test
