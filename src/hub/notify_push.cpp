#include "hub/notify_push.hpp"

#include "base/random.hpp"
#include "obs/log.hpp"
#include "store/queries.hpp"

#include <utility>

namespace berth::hub {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostEndpoint = 1024;

std::optional<PushTarget> target_of(const std::string& p256dh, const std::string& auth) {
    const auto point = from_base64url(p256dh);
    const auto secret = from_base64url(auth);
    if (!point || !secret) return std::nullopt;
    return PushTarget{*point, *secret};
}

}  // namespace

Result<void> Push::open() {
    if (identity_) return {};
    BERTH_TRY(auto identity, PushIdentity::open(context_.options.state_dir + "/web_push_key.pem"));
    identity_ = std::move(identity);
    return {};
}

Result<std::string> Push::public_key() {
    BERTH_CHECK(open());
    return identity_->public_key();
}

awaitable<Result<void>> Push::subscribe(
    UserId user, std::string endpoint, std::string p256dh, std::string auth) {
    BERTH_CO_TRY(const auto url, net::parse_http_url(endpoint));
    if (url.scheme != "https" || endpoint.size() > kMostEndpoint)
        co_return Error{
            net::NetErrc::malformed_address,
            "The address of a push service begins with https:// and is short."};
    const auto target = target_of(p256dh, auth);
    if (!target) co_return Error{PushErrc::bad_key, "The browser's keys must be base64url."};
    BERTH_CO_CHECK(encrypt_push("", *target));
    store::PushRow row;
    row.id = number_of(context_.ids.next<LeaseId>());
    row.user = user;
    row.endpoint = std::move(endpoint);
    row.p256dh = std::move(p256dh);
    row.auth = std::move(auth);
    row.created = now_utc();
    store::Change change = [row](store::Transaction& t) {
        store::insert(t, row);
        const auto all = store::push_of_user(t, row.user);
        for (std::size_t at = 0; at + kMost < all.size(); ++at)
            store::remove_push(t, row.user, all[at].endpoint);
    };
    co_return co_await context_.store.commit(std::move(change));
}

awaitable<Result<void>> Push::unsubscribe(UserId user, std::string endpoint) {
    store::Change change = [user, endpoint](store::Transaction& t) { store::remove_push(t, user, endpoint); };
    co_return co_await context_.store.commit(std::move(change));
}

awaitable<Result<std::vector<store::PushRow>>> Push::of(UserId user) {
    std::vector<store::PushRow> rows;
    store::Change query = [&rows, user](store::Transaction& t) { rows = store::push_of_user(t, user); };
    BERTH_CO_CHECK(co_await context_.store.read(std::move(query)));
    co_return rows;
}

awaitable<Result<unsigned>> Push::send(store::PushRow to, std::string text, Deadline deadline) {
    BERTH_CO_CHECK(open());
    const auto target = target_of(to.p256dh, to.auth);
    if (!target) co_return Error{PushErrc::bad_key, "The browser's keys cannot be used."};
    const auto& options = context_.options;
    const auto& from = options.notify.mail.from;
    const auto home = public_origin_of(options);
    Post post;
    post.reach = reach_;
    BERTH_CO_TRY(post.body, encrypt_push(text, *target));
    BERTH_CO_TRY(
        auto authorization,
        identity_->authorization(
            origin_of(to.endpoint), from.empty() ? home : "mailto:" + from, now_utc() + 12h));
    post.headers.add("Authorization", std::move(authorization));
    post.headers.add("Content-Encoding", "aes128gcm");
    post.headers.add("Content-Type", "application/octet-stream");
    post.headers.add("TTL", "14400");
    post.headers.add("Urgency", "high");
    post.url = std::move(to.endpoint);
    co_return co_await outbound_.send(std::move(post), deadline);
}

}  // namespace berth::hub
