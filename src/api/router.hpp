// From method and path to a row of the table. Segments are decoded one by one, so "%2F" never becomes a
// separator (hub-protocol §2.4). Pure; made once from the table.
#pragma once

#include "api/call.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::api {

class Router {
public:
    // `prefix` with both slashes, as it stands in URLs: "/hub/", "/@/space%20word/hub/".
    Router(std::span<const Row> rows, std::string_view prefix);

    struct Found {
        const Row* row = nullptr;   // none: no such path, or not with this method
        bool below_prefix = false;  // the path begins with the prefix
        bool known_path = false;    // some row has this path
        bool undecodable = false;   // a '%' that is no escape
        std::string_view rest;      // what follows the prefix, undecoded
        std::vector<std::string> arguments;
    };
    // HEAD finds the row of GET.
    Found find(http::Method method, std::string_view path) const;

private:
    struct Pattern {
        const Row* row;
        std::vector<std::string_view> segments;
        bool has_rest = false;
    };
    static bool matches(
        const Pattern& pattern,
        std::span<const std::string> segments,
        std::string_view path,
        std::vector<std::string>& arguments);

    std::vector<std::string> prefix_;              // decoded segments
    std::vector<std::vector<Pattern>> by_length_;  // rows without rest
    std::vector<Pattern> with_rest_;
};

}  // namespace berth::api
