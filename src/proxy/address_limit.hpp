// How many connections one client address may have open, over all workers. An IPv6 client owns its whole /64,
// so that counts as one address. From any thread: a mutex guards the counts, taken only where a limit is set.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace berth::proxy {

class AddressLimit {
public:
    class Slot;
    using SlotPtr = std::shared_ptr<Slot>;  // the connection's right to be; null where nothing is counted

    explicit AddressLimit(std::size_t most) : most_(most) {}  // 0: no limit
    AddressLimit(const AddressLimit&) = delete;

    // None: the address has as many as it may. "" (a Unix socket) is not counted. Slots must end before this.
    std::optional<SlotPtr> take(std::string_view address);

private:
    void give_back(const std::string& client) noexcept;

    const std::size_t most_;
    std::mutex mutex_;
    std::unordered_map<std::string, std::size_t> open_;  // by client_of(), never 0
};

class AddressLimit::Slot {
public:
    Slot(AddressLimit& limit, std::string client) : limit_(limit), client_(std::move(client)) {}
    Slot(const Slot&) = delete;
    ~Slot() { limit_.give_back(client_); }

private:
    AddressLimit& limit_;
    const std::string client_;
};

}  // namespace berth::proxy
