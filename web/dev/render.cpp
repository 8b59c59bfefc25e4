// web_render PAGE < JSON: prints one page of src/web/ for dev/server.mjs. JSON: {context: {...}, model:
// {...}}, with the names of pages.hpp. Not part of the product.
#include "web/pages.hpp"

#include <iostream>
#include <iterator>

namespace {

namespace json = boost::json;
using namespace berth;
using namespace berth::web;

std::string text(const json::object& object, std::string_view key) {
    return string_at(object, key).value_or("");
}
bool flag(const json::object& object, std::string_view key) {
    return bool_at(object, key).value_or(false);
}

PageContext context_of(const json::object& given) {
    PageContext context;
    context.user = string_at(given, "user");
    context.admin = flag(given, "admin");
    context.gpus = flag(given, "gpus");
    context.xsrf = "dev-xsrf";
    context.nonce = "dev-nonce";
    context.version = "0.1.0";
    if (const auto* banners = array_at(given, "banners")) {
        for (const auto& banner : *banners) {
            context.banners.push_back({BannerKind::warning, std::string(banner.as_string())});
        }
    }
    return context;
}

std::string page_of(std::string_view name, const PageContext& context, const json::object& model) {
    if (name == "login") {
        return login_page(
            context,
            {.form_action = "/hub/login",
             .username = text(model, "username"),
             .error = text(model, "error"),
             .dummy = flag(model, "dummy")});
    }
    if (name == "invite") {
        return invite_page(
            context,
            {.form_action = "/hub/invite",
             .first_administrator = flag(model, "first_administrator"),
             .username = text(model, "username"),
             .error = text(model, "error")});
    }
    if (name == "authorize") {
        return authorize_page(
            context,
            {.client_description = "Server at /user/bob/",
             .redirect_host = "hub.example.org",
             .scopes = {
                 {"access:servers!server=bob/",
                  "Use bob’s default server as if you were sitting in front of it"},
                 {"read:users:name!user=ann", "Read your user name"}}});
    }
    if (name == "not-running") {
        return not_running_page(
            context,
            {.server_label = "Your server",
             .start_url = "/hub/spawn/ann",
             .failure = text(model, "failure")});
    }
    if (name == "error") {
        return error_page(
            context,
            {.status = static_cast<int>(int_at(model, "status").value_or(500)),
             .message = text(model, "message"),
             .error_id = text(model, "error_id")});
    }
    if (name == "signed-out") return signed_out_page(context);
    return app_page(context, name, model);
}

}  // namespace

int main(int argc, char** argv) {
    const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
    const auto given = parse_json(input);
    if (argc != 2 || !given || !given->is_object()) {
        std::cerr << "usage: web_render PAGE < JSON\n";
        return 64;
    }
    const json::object empty;
    const auto* context = object_at(given->get_object(), "context");
    const auto* model = object_at(given->get_object(), "model");
    std::cout << page_of(argv[1], context_of(context ? *context : empty), model ? *model : empty);
    return 0;
}
