// Slows failed sign-ins, per account and per address: the first tries are free, then each failure doubles the
// wait, up to 5 minutes; an hour without one forgets. Pure: time is passed in. Memory is bounded: beyond
// `max_keys` the oldest entries are forgotten first.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace berth::identity {

class Throttle {
public:
    using Clock = std::chrono::steady_clock;

    explicit Throttle(std::uint32_t free_tries, std::size_t max_keys = 20'000)
        : free_tries_(free_tries), max_keys_(max_keys) {}

    // How long to wait before a try counts; zero: go on. Rounded up to seconds. An address has ten times the
    // free tries of an account: a laboratory often shares one.
    std::chrono::seconds wait(
        std::string_view account, std::string_view address, Clock::time_point now) const;
    // A try counts as failed from its beginning, so that many at once do not slip through.
    void begin_try(std::string_view account, std::string_view address, Clock::time_point now);
    // It was right: the account begins anew, the address gets this try back.
    void succeeded(std::string_view account, std::string_view address);
    // It told nothing about the password (our own failure): both get it back.
    void take_back(std::string_view account, std::string_view address);
    std::size_t keys() const { return entries_.size(); }

private:
    struct Entry {
        std::string key;
        std::uint32_t failures = 0;
        Clock::time_point last{};
    };
    std::chrono::seconds wait_of(const std::string& key, std::uint32_t free, Clock::time_point now) const;
    void count(std::string key, Clock::time_point now);
    void forgive(const std::string& key);

    std::uint32_t free_tries_;
    std::size_t max_keys_;
    std::list<Entry> entries_;  // oldest failure first
    std::unordered_map<std::string, std::list<Entry>::iterator> index_;
};

}  // namespace berth::identity
