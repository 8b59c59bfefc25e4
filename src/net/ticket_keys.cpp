#include "net/impl/ticket_keys.hpp"

#include <openssl/rand.h>

#include <stdexcept>

namespace berth::net {
namespace {

void fill(unsigned char* bytes, std::size_t count) {
    if (::RAND_priv_bytes(bytes, static_cast<int>(count)) != 1)
        throw std::runtime_error("OpenSSL has no random bytes");
}

TicketKey fresh_key() {
    TicketKey made;
    fill(made.name.data(), made.name.size());
    fill(made.cipher.data(), made.cipher.size());
    fill(made.mac.data(), made.mac.size());
    return made;
}

bool is_called(const TicketKey& key, std::string_view name) {
    return std::string_view(reinterpret_cast<const char*>(key.name.data()), key.name.size()) == name;
}

}  // namespace

void TicketKeys::rotate(Clock::time_point now) {
    if (has_current_ && now - since_ < kSeals) return;
    has_previous_ = has_current_ && now - since_ < 2 * kSeals;
    if (has_previous_) previous_ = current_;
    current_ = fresh_key();
    // A key that nobody asked for in time has been sealing for longer; what it opens ends when it should all
    // the same.
    since_ = has_previous_ ? since_ + kSeals : now;
    has_current_ = true;
}

TicketKey TicketKeys::to_seal(Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    rotate(now);
    return current_;
}

std::optional<TicketKeys::Found> TicketKeys::to_open(std::string_view name, Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    rotate(now);
    if (is_called(current_, name)) return Found{current_, false};
    if (has_previous_ && is_called(previous_, name)) return Found{previous_, true};
    return std::nullopt;
}

}  // namespace berth::net
