// Tells people what happens to their servers while no page of theirs is open: that a start which waited for a
// GPU is ready, that a server is about to end, that it ended and why, that a start failed. By webhook, by
// mail and by their browsers (config::NotifyOptions).
//
// Nothing here holds anybody up: a notice is taken at once, delivered beside, tried again with pauses for a
// quarter of an hour and then given up; when too many are under way, the newest are dropped, and the log says
// so. Those under way are lost with the hub. Secrets and addresses of people stand in no log. Hub strand
// only.
#pragma once

#include "async/blocking_pool.hpp"
#include "hub/context.hpp"
#include "hub/notify_http.hpp"
#include "hub/notify_mail.hpp"
#include "hub/notify_push.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace berth::hub {

enum class NoticeErrc {
    later = 1,  // it may be taken when it is sent again
    never,      // it will not be
    gone,       // nobody is there to take it, now or later
};
std::string_view text_of(NoticeErrc reason);
BERTH_ERROR_CATEGORY(NoticeErrc, "notice")

enum class NoticeKind { ready, ending, ended, failed, unused };
std::string_view name_of(NoticeKind kind);

struct Notice {
    NoticeKind kind = NoticeKind::ready;
    UserId user{};
    ServerKey server;
    std::string title;  // one line
    std::string text;   // sentences
    std::string url;    // what to open
    Timestamp at{};
};

class Notices {
public:
    explicit Notices(Context& context);
    Notices(const Notices&) = delete;
    ~Notices();
    // Mail under way ends soon, and nothing is sent any more. For the hub's end.
    void stop() { stopping_->store(true); }

    void ready(const Server& server);
    void ending(const Server& server, seconds left);
    void ended(const Server& server, const std::string& why);
    void failed(const Server& server, const std::string& why);
    void unused(const Server& server);

    // Where mail to this person goes: the address of their account, else name@notify.mail.domain, else
    // nowhere.
    std::optional<std::string> address_of(UserId user) const;
    // Whether they want mail; they do until they say otherwise. Errors: StoreErrc.
    Result<bool> mail_wanted(UserId user) const;
    awaitable<Result<void>> set_mail_wanted(UserId user, bool wanted);

    Push& push() { return push_; }
    std::size_t under_way() const { return under_way_; }

private:
    enum class Channel { webhook, mail, browser };
    struct Delivery {
        Channel channel;
        std::shared_ptr<const Notice> notice;
        std::optional<store::PushRow> browser{};
    };
    static std::string_view name_of(Channel channel);
    void tell(const Server& server, NoticeKind kind, std::string title, std::string text);
    void enqueue(Delivery delivery);
    awaitable<> enqueue_browsers(std::shared_ptr<const Notice> notice);
    awaitable<> deliver(Delivery delivery);
    awaitable<Result<void>> attempt(Delivery delivery);
    awaitable<Result<void>> by_webhook(std::shared_ptr<const Notice> notice);
    awaitable<Result<void>> by_mail(std::shared_ptr<const Notice> notice);
    awaitable<Result<void>> by_browser(std::shared_ptr<const Notice> notice, store::PushRow to);
    std::string page_of(const Server& server, NoticeKind kind) const;

    Context& context_;
    Outbound outbound_;
    Push push_;
    std::size_t under_way_ = 0;
    const std::shared_ptr<std::atomic<bool>> stopping_ = std::make_shared<std::atomic<bool>>(false);
    BlockingPool mail_pool_{1, 64};
};

}  // namespace berth::hub
