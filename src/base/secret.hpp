// A value that must not reach a log, an error or a dump: it cannot be printed, only taken out on purpose.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace berth {

class Secret {
public:
    Secret() = default;
    explicit Secret(std::string value) : value_(std::move(value)) {}

    bool empty() const { return value_.empty(); }
    // The caller hands it to the one consumer that needs it and keeps no copy.
    const std::string& reveal() const { return value_; }
    // In constant time for equal lengths (sodium_memcmp).
    bool equals(std::string_view other) const;

private:
    std::string value_;
};

}  // namespace berth
