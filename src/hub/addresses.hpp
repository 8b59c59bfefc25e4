// Where servers are reached, as the backend says now. A container that was taken off its network leaves an
// address that the engine gives to the next one, which may be somebody else's: nothing may lead there any
// more, not a visitor with their cookies and not the hub with a token (design.md §4.4). The server itself
// runs on, and is reached again as soon as it has an address. Hub strand only.
#pragma once

#include "hub/context.hpp"

#include <memory>
#include <string>

namespace berth::hub {

class Addresses {
public:
    explicit Addresses(Context& context) : context_(context) {}

    // The server runs, and is reached at `url` and nowhere else; "" is nowhere. From this call on no route is
    // wanted to another address; the proxy is told in the background. A start whose server cannot be reached
    // ends.
    void is_at(const std::shared_ptr<Server>& server, const std::string& url);

private:
    awaitable<> follow(std::shared_ptr<Server> server);
    awaitable<Result<void>> move(std::shared_ptr<Server> server, std::string url);

    Context& context_;
};

// Why a start ends whose container has no address.
Error cut_off_while_starting();

}  // namespace berth::hub
