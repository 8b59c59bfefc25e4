#include "proxy/address_limit.hpp"

#include <boost/asio/ip/address.hpp>

#include <algorithm>

namespace berth::proxy {
namespace {

std::string client_of(std::string_view address) {
    boost::system::error_code no_address;
    const auto parsed = boost::asio::ip::make_address(address, no_address);
    if (no_address || parsed.is_v4()) return std::string(address);
    auto bytes = parsed.to_v6().to_bytes();
    std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
    return boost::asio::ip::address_v6(bytes).to_string();
}

}  // namespace

std::optional<AddressLimit::SlotPtr> AddressLimit::take(std::string_view address) {
    if (most_ == 0 || address.empty()) return SlotPtr();
    auto client = client_of(address);
    {
        const std::lock_guard lock(mutex_);
        auto& open = open_[client];
        if (open >= most_) return std::nullopt;
        ++open;
    }
    return std::make_shared<Slot>(*this, std::move(client));
}

void AddressLimit::give_back(const std::string& client) noexcept {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(client);
    if (--found->second == 0) open_.erase(found);
}

}  // namespace berth::proxy
