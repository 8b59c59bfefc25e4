// Pages that only frame what the script draws, small redirects, and static files (hub-protocol §2.2, §2.7).
#include "api/body.hpp"
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "api/pages.hpp"
#include "base/text.hpp"
#include "obs/jupyterhub_metrics.hpp"
#include "obs/log.hpp"
#include "web/assets.hpp"

#include <charconv>

namespace berth::api {
namespace {

http::Response framed(const Dependencies& hub, const Call& call, std::string_view name, json::object data) {
    return html(200, web::app_page(page_context(hub, call), name, std::move(data)));
}

bool accepts_gzip(const http::Request& request) {
    return request.headers.find("Accept-Encoding").value_or("").find("gzip") != std::string_view::npos;
}

// What the GPU board, which two pages show, has to know of the configuration.
json::object board_data(const Dependencies& hub) {
    return {{"projects", !hub.options.gpu.projects.empty()}};
}

constexpr std::size_t kLoggedReport = 2048;

std::string text_of_bytes(std::span<const unsigned char> bytes) {
    return {bytes.begin(), bytes.end()};
}

}  // namespace

awaitable<Result<http::Response>> get_root(Dependencies& hub, Call& call) {
    if (!call.who().user) co_return redirect_to_login(hub, call);
    co_return http::Response::redirect(next_or(hub, call, landing_url(hub, UserName(call.who().name))));
}

awaitable<Result<http::Response>> get_home(Dependencies& hub, Call& call) {
    json::object data{{"named_servers_allowed", hub.options.spawn.allow_named_servers}};
    co_return framed(hub, call, "home", std::move(data));
}

awaitable<Result<http::Response>> get_token_page(Dependencies& hub, Call& call) {
    co_return framed(hub, call, "token", json::object{});
}

awaitable<Result<http::Response>> get_gpus_page(Dependencies& hub, Call& call) {
    co_return framed(hub, call, "gpus", board_data(hub));
}

awaitable<Result<http::Response>> get_admin(Dependencies& hub, Call& call) {
    co_return framed(hub, call, "admin", board_data(hub));
}

// The proxy fetches this for its visitors and puts the code into its own status (§14.6).
awaitable<Result<http::Response>> get_error_page(Dependencies& hub, Call& call) {
    unsigned code = 0;
    const std::string& text = call.arguments.at(0);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code);
    if (error != std::errc{} || end != text.data() + text.size() || code < 400 || code > 599)
        co_return not_found();
    std::string message;
    if (code == 503)
        message =
            "The server does not answer just now. It may be starting or stopping; try again in a moment.";
    if (code == 404) message = "Nothing is at this address.";
    auto response = status_as_page(hub, call, code, std::move(message));
    response.status = 200;
    co_return response;
}

awaitable<Result<http::Response>> get_user_redirect(Dependencies& hub, Call& call) {
    const std::string own = url_escape_path(call.who().name);
    std::string target = hub.options.base_path() + "user/" + own + call.arguments.at(0);
    if (!call.request.query().empty()) target.append("?").append(call.request.query());
    co_return http::Response::redirect(hub_path(hub) + "spawn/" + own + "?next=" + url_escape_query(target));
}

awaitable<Result<http::Response>> post_csp_report(Dependencies&, Call& call) {
    obs::jupyterhub::csp_reports().plain().add();
    // Addresses in it may carry one-time links and codes: their queries stay out of the log.
    std::string report = utf8_or_replaced(call.request.body.substr(0, kLoggedReport));
    for (auto at = report.find('?'); at != std::string::npos; at = report.find('?', at + 1))
        report.erase(at + 1, report.find_first_of("\" \\", at + 1) - (at + 1));
    log::warn("csp.reported", {{"user", call.who().name}, {"report", report}});
    co_return http::Response::empty(204);
}

// Names carry a hash of the content, so an answer is good for ever; a missing one must be asked for again,
// because during an upgrade a new page can meet an old hub.
awaitable<Result<http::Response>> get_static(Dependencies&, Call& call) {
    std::string_view path = call.arguments.at(0);
    if (path.starts_with('/')) path.remove_prefix(1);
    const auto* asset = web::find_asset(path);
    http::Response response;
    if (asset == nullptr) {
        response = http::Response::text(404, "Not Found");
        response.headers.set("Cache-Control", "no-store");
        co_return response;
    }
    const std::string tag = "\"" + std::string(asset->sha256) + "\"";
    response.headers.add("Cache-Control", "public, max-age=31536000, immutable");
    response.headers.add("ETag", tag);
    response.headers.add("Vary", "Accept-Encoding");
    if (call.request.headers.find("If-None-Match").value_or("") == tag) {
        response.status = 304;
        co_return response;
    }
    response.headers.add("Content-Type", std::string(asset->content_type));
    const bool zipped = !asset->gzip.empty() && accepts_gzip(call.request);
    if (zipped) response.headers.add("Content-Encoding", "gzip");
    response.body = text_of_bytes(zipped ? asset->gzip : asset->bytes);
    co_return response;
}

awaitable<Result<http::Response>> get_logo(Dependencies& hub, Call&) {
    std::string url = web::asset_url(hub_path(hub), "favicon.svg");
    if (url.empty()) co_return not_found();
    co_return http::Response::redirect(std::move(url));
}

}  // namespace berth::api
