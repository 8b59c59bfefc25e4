// Notices for browsers, also closed ones (Web Push, RFC 8030): who is subscribed, and one message to one of
// them. A browser's push service gets a text that only the browser can read, and is asked by https at public
// addresses alone, for people name it themselves. Hub strand only.
#pragma once

#include "hub/context.hpp"
#include "hub/notify_http.hpp"
#include "hub/web_push.hpp"

#include <optional>
#include <string>
#include <vector>

namespace berth::hub {

class Push {
public:
    static constexpr std::size_t kMost = 5;  // browsers of one person; a further one takes the oldest's place

    Push(Context& context, Outbound& outbound) : context_(context), outbound_(outbound) {}

    // What browsers subscribe with. Made at first use. Error: PushErrc::key_unusable.
    Result<std::string> public_key();
    // Errors: PushErrc::bad_key, NetErrc::malformed_address, StoreErrc.
    awaitable<Result<void>> subscribe(
        UserId user, std::string endpoint, std::string p256dh, std::string auth);
    awaitable<Result<void>> unsubscribe(UserId user, std::string endpoint);
    awaitable<Result<std::vector<store::PushRow>>> of(UserId user);
    // The push service's status. Errors: as Outbound::send(), PushErrc.
    awaitable<Result<unsigned>> send(store::PushRow to, std::string text, Deadline deadline);

    void reach(Reach where) { reach_ = where; }  // for tests, whose push service is on this machine

private:
    Result<void> open();

    Context& context_;
    Outbound& outbound_;
    std::optional<PushIdentity> identity_;
    Reach reach_ = Reach::outside;
};

}  // namespace berth::hub
