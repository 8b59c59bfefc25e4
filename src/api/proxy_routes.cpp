// What the proxy should route (hub-protocol §11.1).
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "api/models.hpp"
#include "api/paging.hpp"

namespace berth::api {

awaitable<Result<http::Response>> get_proxy(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto page, requested_page(call.request));
    const auto& wanted = hub.routes.wanted();
    json::object routes;
    std::size_t at = 0;
    for (const auto& [spec, route] : wanted) {
        const bool on_page = at >= page.offset && at < page.offset + page.limit;
        ++at;
        if (!on_page) continue;
        routes[spec] = json::object{{"routespec", spec}, {"target", route.target}, {"data", route.data}};
    }
    if (!page.as_object) co_return http::Response::json(200, routes);
    std::string body = "{\"items\":" + json::serialize(routes);
    body += ",\"_pagination\":" + pagination_of(call.request, page, wanted.size()) + "}";
    co_return json_text(200, std::move(body));
}

awaitable<Result<http::Response>> post_proxy(Dependencies& hub, Call&) {
    BERTH_CO_CHECK(co_await hub.routes.check(Deadline::in(std::chrono::seconds(20))));
    co_return http::Response::empty(200);
}

}  // namespace berth::api
