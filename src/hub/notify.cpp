#include "hub/notify.hpp"

#include "base/text.hpp"
#include "obs/log.hpp"
#include "obs/metrics.hpp"
#include "store/settings.hpp"

#include <algorithm>

namespace berth::hub {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostUnderWay = 256;
constexpr auto kTriedFor = 15min;
constexpr auto kOneTry = 20s;

obs::Family<obs::Counter>& notices_total() {
    static auto& family =
        obs::counter("berth_notices_total", "Notices to people by channel and what came of them");
    return family;
}

void count(std::string_view channel, const char* result) {
    notices_total().with({{"channel", std::string(channel)}, {"result", result}}).add();
}

// "Your server", "Your server train".
std::string label_of(const Server& server) {
    if (server.key.server.empty()) return "Your server";
    const auto& shown = server.row.display_name;
    return "Your server " + (shown.empty() ? server.key.server.value : shown);
}

// What an answer's status says of the notice (RFC 9110 §15).
Result<void> outcome_of(unsigned status, std::string_view who) {
    if (status >= 200 && status < 300) return {};
    const bool again = status >= 500 || status == 408 || status == 429;
    std::string why(who);
    why.append(" answered ").append(std::to_string(status)).append(".");
    return Error{again ? NoticeErrc::later : NoticeErrc::never, std::move(why)};
}

std::string setting_of(UserId user) {
    return "notices:" + std::to_string(number_of(user));
}

}  // namespace

std::string_view text_of(NoticeErrc reason) {
    switch (reason) {
        case NoticeErrc::later:
            return "not taken now";
        case NoticeErrc::never:
            return "refused";
        case NoticeErrc::gone:
            return "nobody takes it any more";
    }
    return "notice";
}

std::string_view name_of(NoticeKind kind) {
    switch (kind) {
        case NoticeKind::ready:
            return "ready";
        case NoticeKind::ending:
            return "ending";
        case NoticeKind::ended:
            return "ended";
        case NoticeKind::failed:
            return "failed";
        case NoticeKind::unused:
            return "unused";
    }
    return "unknown";
}

std::string_view Notices::name_of(Channel channel) {
    switch (channel) {
        case Channel::webhook:
            return "webhook";
        case Channel::mail:
            return "mail";
        case Channel::browser:
            return "browser";
    }
    return "unknown";
}

Notices::Notices(Context& context) : context_(context), outbound_(context.scope), push_(context, outbound_) {}

Notices::~Notices() {
    stop();  // else the pool would wait for a mail server
}

void Notices::ready(const Server& server) {
    tell(
        server,
        NoticeKind::ready,
        label_of(server) + " is ready",
        "It waited for a GPU, got one, and has started. It is yours now, so use it or stop it.");
}

void Notices::ending(const Server& server, seconds left) {
    std::string text = server.ending ? why_it_ends(server.ending->why) : std::string();
    if (server.ending && server.ending->extensions_left > 0)
        text += " You can keep it on the page Servers.";
    else if (server.ending)
        text.append(" ").append(server.ending->no_extension).append(" Save your work; your files stay.");
    tell(server, NoticeKind::ending, label_of(server) + " stops in " + in_words(left), std::move(text));
}

void Notices::ended(const Server& server, const std::string& why) {
    tell(server, NoticeKind::ended, label_of(server) + " has ended", why);
}

void Notices::failed(const Server& server, const std::string& why) {
    tell(server, NoticeKind::failed, label_of(server) + " could not be started", why);
}

void Notices::unused(const Server& server) {
    tell(server, NoticeKind::unused, label_of(server) + " does not use its GPU", server.hint);
}

std::string Notices::page_of(const Server& server, NoticeKind kind) const {
    const auto& options = context_.options;
    const auto origin = public_origin_of(options);
    const bool opens = kind == NoticeKind::ready;
    return origin + (opens ? server.prefix(options.base_path()) : options.base_path() + "hub/home");
}

void Notices::tell(const Server& server, NoticeKind kind, std::string title, std::string text) {
    const auto& options = context_.options.notify;
    auto notice = std::make_shared<const Notice>(Notice{
        kind,
        server.row.user,
        server.key,
        std::move(title),
        std::move(text),
        page_of(server, kind),
        now_utc()});
    if (!options.webhook.empty()) enqueue({Channel::webhook, notice});
    if (!options.mail.server.empty() && address_of(server.row.user)) enqueue({Channel::mail, notice});
    if (options.browser)
        context_.scope.spawn("notices of browsers", OnStop::cancel, enqueue_browsers(std::move(notice)));
}

awaitable<> Notices::enqueue_browsers(std::shared_ptr<const Notice> notice) {
    auto browsers = co_await push_.of(notice->user);
    if (!browsers) {
        log::warn("notice.dropped", {{"channel", "browser"}, {"why", browsers.error().message}});
        co_return;
    }
    for (auto& row : *browsers)
        enqueue({Channel::browser, notice, std::move(row)});
}

void Notices::enqueue(Delivery delivery) {
    const auto channel = name_of(delivery.channel);
    if (under_way_ >= kMostUnderWay) {
        count(channel, "dropped");
        log::warn(
            "notice.dropped",
            {{"channel", channel},
             {"server", delivery.notice->server.full_name()},
             {"event", hub::name_of(delivery.notice->kind)}});
        return;
    }
    ++under_way_;
    context_.scope.spawn("notice", OnStop::cancel, deliver(std::move(delivery)));
}

namespace {

struct Counted {
    std::size_t& count;
    ~Counted() { --count; }
};

}  // namespace

awaitable<> Notices::deliver(Delivery delivery) {
    const Counted counted{under_way_};
    const auto channel = name_of(delivery.channel);
    const auto limit = Deadline::in(kTriedFor);
    std::chrono::milliseconds pause = 1s;
    for (;;) {
        auto done = co_await attempt(delivery);
        const bool again = !done && done.error().is(NoticeErrc::later) && !limit.passed();
        count(channel, done ? "delivered" : again ? "delayed" : "given_up");
        log::write(
            done ? log::Level::info : log::Level::warn,
            done    ? "notice.delivered"
            : again ? "notice.delayed"
                    : "notice.given_up",
            {{"channel", channel},
             {"server", delivery.notice->server.full_name()},
             {"event", hub::name_of(delivery.notice->kind)},
             {"why", done ? std::string() : done.error().message}});
        if (!again) co_return;
        co_await sleep_for(pause);
        pause = std::min<std::chrono::milliseconds>(pause * 3, 1min);
    }
}

awaitable<Result<void>> Notices::attempt(Delivery delivery) {
    switch (delivery.channel) {
        case Channel::webhook:
            co_return co_await by_webhook(std::move(delivery.notice));
        case Channel::mail:
            co_return co_await by_mail(std::move(delivery.notice));
        case Channel::browser:
            co_return co_await by_browser(std::move(delivery.notice), *std::move(delivery.browser));
    }
    co_return Result<void>{};
}

awaitable<Result<void>> Notices::by_webhook(std::shared_ptr<const Notice> notice) {
    const auto& options = context_.options.notify;
    json::object body{{"event", std::string(hub::name_of(notice->kind))}};
    body["user"] = notice->server.user.value;
    body["server"] = notice->server.server.value;
    body["title"] = notice->title;
    body["text"] = notice->text;
    body["url"] = notice->url;
    body["at"] = format_rfc3339(notice->at);
    Post post;
    post.url = options.webhook;
    post.headers.add("Content-Type", "application/json");
    if (!options.webhook_token.empty())
        post.headers.add("Authorization", "Bearer " + options.webhook_token.reveal());
    post.body = json::serialize(body);
    const auto status = co_await outbound_.send(std::move(post), Deadline::in(kOneTry));
    if (!status) co_return Error{NoticeErrc::later, status.error().message};
    co_return outcome_of(*status, "The webhook");
}

awaitable<Result<void>> Notices::by_mail(std::shared_ptr<const Notice> notice) {
    const auto wanted = mail_wanted(notice->user);
    if (!wanted) co_return Error{NoticeErrc::later, wanted.error().message};
    const auto to = address_of(notice->user);
    if (!*wanted || !to) co_return Result<void>{};
    Mail mail;
    mail.to = *to;
    mail.subject = notice->title;
    mail.text = notice->text + "\n\n" + notice->url +
                "\n\nWhether you get such mail, you can choose on the page Token.\n";
    mail.at = notice->at;
    auto work = [options = context_.options.notify.mail, mail = std::move(mail), stop = stopping_] {
        return send_mail(options, mail, kOneTry, *stop);
    };
    auto sent = co_await mail_pool_.run(std::move(work));
    if (!sent) co_return Error{NoticeErrc::later, sent.error().message};
    if (sent->outcome == MailResult::taken) co_return Result<void>{};
    co_return Error{
        sent->outcome == MailResult::later ? NoticeErrc::later : NoticeErrc::never, std::move(sent->why)};
}

// A browser that is gone is forgotten (RFC 8030 §7.3); who was told by it may be subscribed anew.
awaitable<Result<void>> Notices::by_browser(std::shared_ptr<const Notice> notice, store::PushRow to) {
    json::object body{{"title", notice->title}, {"url", notice->url}};
    body["text"] = ellipsized(notice->text, 1000);
    body["event"] = std::string(hub::name_of(notice->kind));
    auto status = co_await push_.send(to, json::serialize(body), Deadline::in(kOneTry));
    if (!status) {
        const bool ours = status.error().is(PushErrc::key_unusable) || status.error().is(PushErrc::bad_key);
        co_return Error{ours ? NoticeErrc::never : NoticeErrc::later, status.error().message};
    }
    auto outcome = outcome_of(*status, "The push service");
    if (*status == 404 || *status == 410) {
        (void)co_await push_.unsubscribe(to.user, to.endpoint);
        co_return Error{NoticeErrc::gone, outcome.error().message};
    }
    co_return outcome;
}

std::optional<std::string> Notices::address_of(UserId id) const {
    const auto* user = context_.directory.find(id);
    if (user == nullptr) return std::nullopt;
    const auto* facts = user->row.user_info.if_object();
    const auto said = facts == nullptr ? std::nullopt : string_at(*facts, "email");
    if (said && is_mail_address(*said)) return said;
    const auto& domain = context_.options.notify.mail.domain;
    const auto made = user->name().value + "@" + domain;
    if (domain.empty() || !is_mail_address(made)) return std::nullopt;
    return made;
}

Result<bool> Notices::mail_wanted(UserId user) const {
    BERTH_TRY(const auto kept, context_.store.setting(setting_of(user)));
    const auto parsed = kept ? parse_json(*kept) : std::nullopt;
    const auto* object = parsed ? parsed->if_object() : nullptr;
    const auto* mail = object == nullptr ? nullptr : object->if_contains("mail");
    return mail == nullptr || !mail->is_bool() || mail->get_bool();
}

awaitable<Result<void>> Notices::set_mail_wanted(UserId user, bool wanted) {
    const auto text = json::serialize(json::object{{"mail", wanted}});
    store::Change change = [key = setting_of(user), text](store::Transaction& t) {
        store::put_setting(t, key, text);
    };
    co_return co_await context_.store.commit(std::move(change));
}

}  // namespace berth::hub
