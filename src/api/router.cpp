#include "api/router.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace berth::api {
namespace {

bool is_argument(std::string_view segment) {
    return segment.starts_with('{');
}
bool may_be_empty(std::string_view segment) {
    return segment.ends_with("?}");
}

// The part of `path` after its first `count` segments, with its leading slash ("" when there is none).
std::string_view after_segments(std::string_view path, std::size_t count) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < count; ++i) {
        at = path.find('/', at + (i == 0 ? 0 : 1));
        if (at == std::string_view::npos) return {};
    }
    return count == 0 ? path : path.substr(at);
}

}  // namespace

Router::Router(std::span<const Row> rows, std::string_view prefix) {
    for (auto segment : split(prefix.substr(1, prefix.size() - 2), '/')) {
        prefix_.push_back(percent_decode(segment).value_or(std::string(segment)));
    }
    for (const auto& row : rows) {
        Pattern pattern{&row, split(row.pattern, '/'), false};
        pattern.has_rest = pattern.segments.back() == "{rest...}";
        if (pattern.has_rest) {
            pattern.segments.pop_back();
            with_rest_.push_back(std::move(pattern));
        } else {
            if (by_length_.size() <= pattern.segments.size()) by_length_.resize(pattern.segments.size() + 1);
            by_length_[pattern.segments.size()].push_back(std::move(pattern));
        }
    }
}

bool Router::matches(
    const Pattern& pattern,
    std::span<const std::string> segments,
    std::string_view path,
    std::vector<std::string>& arguments) {
    if (segments.size() < pattern.segments.size()) return false;
    for (std::size_t i = 0; i < pattern.segments.size(); ++i) {
        const auto wanted = pattern.segments[i];
        if (!is_argument(wanted) ? segments[i] != wanted : segments[i].empty() && !may_be_empty(wanted))
            return false;
    }
    arguments.clear();
    for (std::size_t i = 0; i < pattern.segments.size(); ++i) {
        if (is_argument(pattern.segments[i])) arguments.push_back(segments[i]);
    }
    if (pattern.has_rest) arguments.emplace_back(after_segments(path, pattern.segments.size()));
    return true;
}

Router::Found Router::find(http::Method method, std::string_view path) const {
    Found found;
    std::vector<std::string> segments;
    segments.reserve(10);
    if (!path.starts_with('/')) return found;
    std::string_view left = path.substr(1);
    for (std::size_t depth = 0;; ++depth) {
        if (depth == prefix_.size()) {
            found.below_prefix = true;
            found.rest = left;
            break;
        }
        const auto slash = left.find('/');
        if (slash == std::string_view::npos || percent_decode(left.substr(0, slash)) != prefix_[depth])
            return found;
        left.remove_prefix(slash + 1);
    }
    for (auto segment : split(found.rest, '/')) {
        if (segment.find('%') == std::string_view::npos) {
            segments.emplace_back(segment);
        } else if (auto decoded = percent_decode(segment); decoded && is_valid_utf8(*decoded)) {
            segments.push_back(std::move(*decoded));
        } else {
            found.undecodable = true;
            return found;
        }
    }
    const auto wanted = method == http::Method::head ? http::Method::get : method;
    auto try_rows = [&](const std::vector<Pattern>& patterns) {
        for (const auto& pattern : patterns) {
            if (found.row != nullptr) return;
            if (found.known_path && pattern.row->method != wanted) continue;
            std::vector<std::string> arguments;
            if (!matches(pattern, segments, found.rest, arguments)) continue;
            found.known_path = true;
            if (pattern.row->method != wanted) continue;
            found.row = pattern.row;
            found.arguments = std::move(arguments);
        }
    };
    if (segments.size() < by_length_.size()) try_rows(by_length_[segments.size()]);
    if (found.row == nullptr && !found.known_path) try_rows(with_rest_);
    return found;
}

}  // namespace berth::api
