#include "web/assets.hpp"
#include "web/frame.hpp"
#include "web/pages.hpp"

namespace berth::web {

namespace {

std::string title_of(std::string_view name) {
    if (name == "home") return "Servers";
    if (name == "spawn") return "Start a server";
    if (name == "spawn-pending") return "Starting";
    if (name == "token") return "Tokens";
    if (name == "gpus") return "GPUs";
    if (name == "admin") return "Admin";
    return "Berth";
}

json::object page_data(const PageContext& context, std::string_view name, json::object data) {
    return {
        {"page", name},
        {"base", context.base_path},
        {"hub", context.hub_path},
        {"user", context.user ? json::value(*context.user) : json::value(nullptr)},
        {"admin", context.admin},
        {"xsrf", context.xsrf},
        {"version", context.version},
        {"board", asset_url(context.hub_path, "board.js")},
        {"data", std::move(data)}};
}

}  // namespace

std::string app_page(const PageContext& context, std::string_view name, json::object data) {
    const bool start_page = name == "spawn" || name == "spawn-pending";
    const json::object block = page_data(context, name, std::move(data));
    Html body;
    body.raw("<div id=\"app\"><noscript><p class=\"note note-warning\">This page needs JavaScript. ");
    body.raw("Allow it for this site and reload.</p></noscript></div>");
    body.raw("<script type=\"application/json\" id=\"berth-data\"")
        .attribute("nonce", context.nonce)
        .raw(">");
    body.script_data(json_for_script(block)).raw("</script>");
    const Frame frame{
        .title = title_of(name), .layout = Layout::full, .current = start_page ? "home" : name, .app = true};
    return render(context, frame, body);
}

}  // namespace berth::web
