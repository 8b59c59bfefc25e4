#include "proxy/routes.hpp"

#include "base/files.hpp"
#include "obs/log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

namespace berth::proxy {

std::string_view text_of(RoutesErrc reason) {
    switch (reason) {
        case RoutesErrc::missing_target:
            return "a route needs a target";
        case RoutesErrc::file_unusable:
            return "the routes file is not usable";
    }
    return "unknown";
}

std::int64_t unix_milliseconds() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

namespace {

bool write_all(int file, std::string_view text) {
    while (!text.empty()) {
        const auto written = ::write(file, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

Error unusable(const std::string& path) {
    return Error{
        RoutesErrc::file_unusable,
        "The routes file " + path + " cannot be written: " + std::strerror(errno) + "."};
}

json::object set_line(const Route& route) {
    return json::object{{"set", route.key}, {"data", route.data}};
}

}  // namespace

Routes::~Routes() {
    if (file_ >= 0) ::close(file_);
}

std::shared_ptr<const RouteTable> Routes::table() const {
    const std::lock_guard lock(mutex_);
    return table_;
}

void Routes::publish(std::shared_ptr<const RouteTable> table) {
    {
        const std::lock_guard lock(mutex_);
        table_ = std::move(table);
    }
    version_.fetch_add(1, std::memory_order_release);
}

Result<RoutePtr> Routes::make_route(std::string_view decoded_path, json::object data) {
    const auto url = string_at(data, "target");
    if (!url) return Error{RoutesErrc::missing_target, "Must specify 'target' as string."};
    BERTH_TRY(auto target, parse_target(*url));
    auto route = std::make_shared<Route>();
    route->key = trim_slashes(decoded_path);
    route->target = std::move(target);
    if (const auto folder = string_at(data, "edge")) route->edge = shelf_.get(*folder);
    route->data = std::move(data);
    route->depth = route->key.empty()
                       ? 0
                       : 1 + static_cast<std::size_t>(std::count(route->key.begin(), route->key.end(), '/'));
    route->touch(unix_milliseconds());
    return RoutePtr(std::move(route));
}

Result<void> Routes::put(std::string_view decoded_path, json::object data) {
    BERTH_TRY(auto route, make_route(decoded_path, std::move(data)));
    const auto change = set_line(*route);
    publish(table()->with(std::move(route)));
    record(change);
    return boost::system::in_place_value;
}

bool Routes::remove(std::string_view decoded_path) {
    const auto before = table();
    auto after = before->without(decoded_path);
    if (after->size() == before->size()) return false;
    publish(std::move(after));
    record(json::object{{"remove", trim_slashes(decoded_path)}});
    return true;
}

void Routes::apply_line(std::string_view line) {
    const auto value = parse_json(line);
    const auto* object = value ? value->if_object() : nullptr;
    if (object != nullptr) {
        if (const auto key = string_at(*object, "remove")) {
            publish(table()->without(*key));
            return;
        }
        const auto key = string_at(*object, "set");
        const auto* data = object_at(*object, "data");
        if (key && data != nullptr) {
            if (auto route = make_route(*key, *data)) {
                publish(table()->with(*std::move(route)));
                return;
            }
        }
    }
    log::warn("routes_file.line_dropped", {{"path", path_}, {"line", line}});
}

Result<void> Routes::open_file(std::string path) {
    path_ = std::move(path);
    if (const auto text = contents_of(path_)) {
        std::string_view rest = *text;
        for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
            if (end > 0) apply_line(rest.substr(0, end));
            rest.remove_prefix(end + 1);
        }
    }
    return rewrite_file();
}

void Routes::record(const json::object& change) {
    if (path_.empty()) return;
    const auto routes = table()->size();
    if (file_ >= 0 && lines_ < 2 * routes + 1000 && write_all(file_, json::serialize(change) + "\n")) {
        ++lines_;
        return;
    }
    if (auto done = rewrite_file(); !done)
        log::error("routes_file.write_failed", {{"why", done.error().message}});
}

Result<void> Routes::rewrite_file() {
    const auto temporary = path_ + ".new";
    const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0) return unusable(temporary);
    std::string text;
    std::size_t lines = 0;
    table()->for_each([&](const RoutePtr& route) {
        text.append(json::serialize(set_line(*route))).push_back('\n');
        ++lines;
    });
    if (!write_all(file, text) || std::rename(temporary.c_str(), path_.c_str()) != 0) {
        auto error = unusable(path_);
        ::close(file);
        return error;
    }
    if (file_ >= 0) ::close(file_);
    file_ = file;
    lines_ = lines;
    return boost::system::in_place_value;
}

}  // namespace berth::proxy
