#include "input.hpp"
#include "proxy/route_table.hpp"

#include <memory>
#include <string>

using namespace berth;

namespace {

// What find() promises, said the slow way: of all prefixes of whole components, the longest that is a route.
std::string longest_prefix(const proxy::RouteTable& table, std::string_view path) {
    std::string_view key = proxy::trim_slashes(path);
    for (;;) {
        if (table.find_exact(key)) return "/" + std::string(key);
        if (key.empty()) return {};
        const auto slash = key.rfind('/');
        key =
            slash == std::string_view::npos ? std::string_view{} : proxy::trim_slashes(key.substr(0, slash));
    }
}

}  // namespace

// Lines are routes; the last one is the path that is looked up, escaped as a client sends it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto text = fuzz::text_of(data, size);
    auto table = std::make_shared<const proxy::RouteTable>();
    for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
        const auto key = proxy::trim_slashes(text.substr(0, end));
        text.remove_prefix(end + 1);
        auto route = std::make_shared<proxy::Route>();
        route->key = key;
        route->depth = key.empty() ? 0 : 1;
        for (const char c : key)
            route->depth += c == '/' ? 1U : 0U;
        table = table->with(std::move(route));
        fuzz::check(table->find_exact(key) != nullptr, "a route that was added is there");
    }
    if (!text.starts_with('/')) return 0;  // split_target() gives no other path but "*", which routes nowhere
    std::string scratch;
    const auto path = proxy::decode_route_path(text, scratch);
    if (!path) return 0;
    const auto found = table->find(*path);
    const auto want = longest_prefix(*table, *path);
    fuzz::check((found ? "/" + found->key : std::string()) == want, "the longest prefix wins");
    if (found) {
        fuzz::check(proxy::strip_components(text, found->depth).starts_with('/'), "what is left is a path");
        table = table->without(found->key);
        fuzz::check(table->find_exact(found->key) == nullptr, "a route that was removed is gone");
    }
    return 0;
}
