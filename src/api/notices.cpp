// Where a person is told of their servers while no page is open, and what of it they want.
#include "api/body.hpp"
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "web/assets.hpp"

#include <algorithm>

namespace berth::api {
namespace {

awaitable<Result<http::Response>> notices_of(Dependencies& hub, const UserName& name) {
    const auto* user = hub.directory.find(name);
    if (user == nullptr || hub.notices == nullptr) co_return not_found();
    const auto id = user->id();
    BERTH_CO_TRY(const bool wanted, hub.notices->mail_wanted(id));
    json::object mail{{"possible", !hub.options.notify.mail.server.empty()}, {"wanted", wanted}};
    mail["address"] = or_null(hub.notices->address_of(id));
    json::object browsers{{"possible", hub.options.notify.browser}};
    if (hub.options.notify.browser) {
        BERTH_CO_TRY(browsers["key"], hub.notices->push().public_key());
        BERTH_CO_TRY(const auto rows, co_await hub.notices->push().of(id));
        json::array endpoints;
        for (const auto& row : rows)
            endpoints.emplace_back(row.endpoint);
        browsers["endpoints"] = std::move(endpoints);
    }
    co_return http::Response::json(
        200, json::object{{"mail", std::move(mail)}, {"browsers", std::move(browsers)}});
}

// A refusal by us of what somebody sent is theirs to put right.
Error refusal(const Error& error) {
    const bool theirs = error.is(hub::PushErrc::bad_key) || error.is(net::NetErrc::malformed_address);
    return theirs ? bad_request(error.message) : error;
}

}  // namespace

awaitable<Result<http::Response>> get_notices(Dependencies& hub, Call& call) {
    co_return co_await notices_of(hub, call.user());
}

// {"mail": false}
awaitable<Result<http::Response>> patch_notices(Dependencies& hub, Call& call) {
    static constexpr std::string_view kKeys[] = {"mail"};
    BERTH_CO_TRY(const auto body, object_body(call.request));
    BERTH_CO_CHECK(only_keys(body, kKeys));
    BERTH_CO_TRY(const auto mail, flag_member(body, "mail"));
    const auto* user = hub.directory.find(call.user());
    if (user == nullptr || hub.notices == nullptr) co_return not_found();
    if (mail) BERTH_CO_CHECK(co_await hub.notices->set_mail_wanted(user->id(), *mail));
    co_return co_await notices_of(hub, call.user());
}

// A PushSubscription as browsers write it: {"endpoint": …, "keys": {"p256dh": …, "auth": …}}.
awaitable<Result<http::Response>> post_browser(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto body, object_body(call.request));
    const auto* user = hub.directory.find(call.user());
    if (user == nullptr || hub.notices == nullptr || !hub.options.notify.browser) co_return not_found();
    const auto* keys = object_at(body, "keys");
    const auto endpoint = string_at(body, "endpoint");
    const auto p256dh = keys == nullptr ? std::nullopt : string_at(*keys, "p256dh");
    const auto auth = keys == nullptr ? std::nullopt : string_at(*keys, "auth");
    if (!endpoint || !p256dh || !auth)
        co_return bad_request("The body must be a browser's push subscription");
    const auto id = user->id();
    auto done = co_await hub.notices->push().subscribe(id, *endpoint, *p256dh, *auth);
    if (!done) co_return refusal(done.error());
    co_return co_await notices_of(hub, call.user());
}

// {"endpoint": …}; one that is not there is a success.
awaitable<Result<http::Response>> delete_browser(Dependencies& hub, Call& call) {
    static constexpr std::string_view kKeys[] = {"endpoint"};
    BERTH_CO_TRY(const auto body, object_body(call.request));
    BERTH_CO_CHECK(only_keys(body, kKeys));
    BERTH_CO_TRY(const auto endpoint, text_member(body, "endpoint"));
    const auto* user = hub.directory.find(call.user());
    if (user == nullptr || hub.notices == nullptr) co_return not_found();
    if (!endpoint) co_return bad_request("The body must be an object with 'endpoint'");
    BERTH_CO_CHECK(co_await hub.notices->push().unsubscribe(user->id(), *endpoint));
    co_return co_await notices_of(hub, call.user());
}

// The browser's part: it shows what a push service brings, and opens the page. Never cached for long: its
// address is what a browser knows it by.
awaitable<Result<http::Response>> get_notices_worker(Dependencies&, Call&) {
    http::Response response;
    const auto all = web::assets();
    const auto asset = std::find_if(
        all.begin(), all.end(), [](const auto& each) { return each.name == "notices_worker.js"; });
    if (asset == all.end()) co_return not_found();
    response.headers.add("Content-Type", std::string(asset->content_type));
    response.headers.add("Cache-Control", "no-cache");
    response.body.assign(asset->bytes.begin(), asset->bytes.end());
    co_return response;
}

}  // namespace berth::api
