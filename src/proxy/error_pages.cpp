#include "proxy/error_pages.hpp"

#include "base/files.hpp"
#include "http/message.hpp"

namespace berth::proxy {
namespace {

struct Advice {
    std::string_view happened;
    std::string_view to_do;
};

Advice advice_for(unsigned status) {
    switch (status) {
        case 400:
            return {
                "The request could not be understood.",
                "If you followed a link, it may be broken; go back and try again."};
        case 404:
            return {
                "There is nothing at this address.",
                "Check the address, or go to the start page and open your server from there."};
        case 431:
            return {"The request's head is too large.", "Clear the cookies of this site and try again."};
        case 503:
            return {
                "The server behind this address does not answer.",
                "It may be starting or stopping: wait a moment and reload. If it stays like this, go to the "
                "start page and start your server again, or tell the administrator."};
        default:
            return {
                "Something went wrong while this request was handled.",
                "Reload the page. If it stays like this, tell the administrator."};
    }
}

std::string built_in(unsigned status) {
    const auto code = std::to_string(status);
    const std::string reason(http::reason_phrase(status));
    const auto [happened, to_do] = advice_for(status);
    std::string page;
    page.append(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>")
        .append(code)
        .append(": ")
        .append(reason)
        .append(
            "</title>\n<style>\n"
            ":root{color-scheme:light dark}\n"
            "body{font:16px/1.5 "
            "system-ui,sans-serif;margin:0;min-height:100vh;display:grid;place-items:center}\n"
            "main{max-width:34rem;padding:2rem}\nh1{font-size:1.4rem;margin:0 0 .5rem}\np{margin:.5rem 0}\n"
            "</style>\n</head>\n<body>\n<main>\n<h1>")
        .append(code)
        .append(": ")
        .append(reason)
        .append("</h1>\n<p>")
        .append(happened)
        .append("</p>\n<p>")
        .append(to_do)
        .append("</p>\n<p><a href=\"/\">Start page</a></p>\n</main>\n</body>\n</html>\n");
    return page;
}

}  // namespace

ErrorPage error_page(unsigned status, const ProxyOptions& options) {
    ErrorPage page{"text/html; charset=utf-8", {}, {}};
    if (!options.error_path.empty()) {
        auto file = contents_of(options.error_path + "/" + std::to_string(status) + ".html");
        if (!file) file = contents_of(options.error_path + "/error.html");
        if (file) {
            page.body = *std::move(file);
            return page;
        }
    }
    page.body = built_in(status);
    return page;
}

}  // namespace berth::proxy
