// A POST that a client sends again with the same Idempotency-Key is done once: the second is answered what
// the first was. Kept in memory for a day, a bounded number; a hub that starts knows none. Only successes are
// kept: what was refused may be asked for again. Hub strand only.
#pragma once

#include "http/message.hpp"

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

namespace berth::api {

class IdempotencyKeys {
public:
    using Clock = std::chrono::steady_clock;
    enum class State {
        fresh,      // do it, and call done()
        under_way,  // the first one is not answered yet
        other,      // the key was used for a request with another body
        repeated,   // answer what found() says
    };

    // `scope`: who asks for what (nobody meets another's keys); `body`: of the request.
    State begin(
        const std::string& scope, const std::string& key, const std::string& body, Clock::time_point now);
    const http::Response& found(const std::string& scope, const std::string& key) const;
    void done(const std::string& scope, const std::string& key, const http::Response& response);
    std::size_t size() const { return kept_.size(); }

private:
    struct Kept {
        std::size_t body = 0;  // its hash
        Clock::time_point at{};
        std::optional<http::Response> response;
    };
    static std::string name_of(const std::string& scope, const std::string& key) {
        return scope + '\n' + key;
    }
    void forget_old(Clock::time_point now);

    std::unordered_map<std::string, Kept> kept_;
    std::deque<std::pair<Clock::time_point, std::string>> order_;  // oldest first
};

}  // namespace berth::api
