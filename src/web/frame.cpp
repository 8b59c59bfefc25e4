#include "web/frame.hpp"

#include "web/assets.hpp"

namespace berth::web {

namespace {

// The mark: a berth seen from above, a vessel in it.
constexpr Markup kMark =
    R"(<svg class="mark" width="24" height="24" viewBox="0 0 24 24" aria-hidden="true">)"
    R"(<path d="M4 4v9.5a8 8 0 0 0 16 0V4" stroke="currentColor" stroke-width="2.4" stroke-linecap="round"/>)"
    R"(<path d="M12 2.5c2.3 2.6 3.4 5.2 3.4 8 0 2.3-.4 4-.9 5.4h-5c-.5-1.4-.9-3.1-.9-5.4 0-2.8 1.1-5.4 3.4-8z" fill="currentColor"/></svg>)";
constexpr Markup kWordmark =
    R"(<svg width="46" height="20" viewBox="0 0 46 20" role="img" aria-label="Berth"><g fill="none" stroke="currentColor" )"
    R"(stroke-width="2.3" stroke-linecap="round" stroke-linejoin="round"><path d="M2 2v14M2 11.5a4.2 4.5 0 1 1 0 .1"/>)"
    R"(<path d="M13.5 11.5h7.4a3.9 4.5 0 1 0-1.3 3.3M25.5 16V7.2M25.5 11a3.8 3.8 0 0 1 3.7-3.8)"
    R"(M32.8 3.5v10a2.4 2.4 0 0 0 2.4 2.5M30.8 7.2h4.6M38.8 2v14M38.8 11.3a2.7 4.1 0 0 1 5.4 0V16"/></g></svg>)";

constexpr Markup kThemeToggle =
    R"(<button type="button" class="btn btn-quiet btn-icon theme-toggle" aria-label="Change the theme" hidden>)"
    R"(<svg class="moon" width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5" )"
    R"(stroke-linejoin="round" aria-hidden="true"><path d="M13.5 9.6A5.8 5.8 0 0 1 6.4 2.5a5.8 5.8 0 1 0 7.1 7.1z"/></svg>)"
    R"(<svg class="sun" width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5" )"
    R"(stroke-linecap="round" aria-hidden="true"><circle cx="8" cy="8" r="3"/><path d="M8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1)"
    R"(M3.4 3.4l.7.7M11.9 11.9l.7.7M3.4 12.6l.7-.7M11.9 4.1l.7-.7"/></svg></button>)";

// Before the first paint, so that a chosen theme does not flash.
constexpr Markup kThemeScript =
    R"(try{const t=localStorage.getItem("berth-theme");if(t==="dark"||t==="light")document.documentElement.dataset.theme=t}catch{})";

std::string first_character(std::string_view name) {
    std::size_t length = name.empty() ? 0 : 1;
    while (length < name.size() && (static_cast<unsigned char>(name[length]) & 0xC0U) == 0x80U)
        ++length;
    return std::string(name.substr(0, length));
}

Html head(const PageContext& context, const Frame& frame) {
    Html html;
    html.raw("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>").text(frame.title);
    html.raw(
        " · Berth</title><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
        "<meta name=\"color-scheme\" content=\"light dark\"><meta name=\"robots\" content=\"noindex\">");
    if (!context.nonce.empty()) {
        html.raw("<script").attribute("nonce", context.nonce).raw(">").raw(kThemeScript).raw("</script>");
    }
    html.raw("<link rel=\"icon\" type=\"image/svg+xml\"");
    html.attribute("href", asset_url(context.hub_path, "favicon.svg")).raw("><link rel=\"stylesheet\"");
    html.attribute("href", asset_url(context.hub_path, "berth.css")).raw(">");
    const std::string scripts[] = {"page.js", frame.app ? "app.js" : ""};
    for (const auto& name : scripts) {
        const std::string url = name.empty() ? "" : asset_url(context.hub_path, name);
        if (url.empty()) continue;
        html.raw("<script defer").attribute("src", url);
        if (!context.nonce.empty()) html.attribute("nonce", context.nonce);
        html.raw("></script>");
    }
    return html.raw("</head>");
}

Html navigation(const PageContext& context, std::string_view current) {
    struct Entry {
        std::string_view page, label;
        bool shown;
    };
    const Entry entries[] = {
        {"home", "Servers", true},
        {"gpus", "GPUs", context.gpus},
        {"token", "Tokens", true},
        {"admin", "Admin", context.admin}};
    Html html;
    html.raw("<nav class=\"nav\" aria-label=\"Main\">");
    for (const auto& entry : entries) {
        if (!entry.shown) continue;
        html.raw("<a").attribute("href", context.hub_path + std::string(entry.page));
        if (entry.page == current) html.raw(" aria-current=\"page\"");
        html.raw(">").text(entry.label).raw("</a>");
    }
    return html.raw("</nav>");
}

Html top_bar(const PageContext& context, std::string_view current) {
    Html html;
    html.raw("<header class=\"topbar\"><div class=\"topbar-in");
    if (!context.user) html.raw(" topbar-bare");
    html.raw("\"><a class=\"brand\"").attribute("href", context.hub_path + (context.user ? "home" : ""));
    html.raw(">").raw(kMark).raw(kWordmark).raw("</a>");
    if (context.user) html.add(navigation(context, current));
    html.raw("<div class=\"account\">").raw(kThemeToggle);
    if (context.user) {
        html.raw("<span class=\"account-name\"><span class=\"avatar\" aria-hidden=\"true\">");
        html.text(first_character(*context.user)).raw("</span><span").attribute("title", *context.user);
        html.raw(">").text(*context.user).raw("</span></span><a id=\"logout\" class=\"btn btn-quiet\"");
        html.attribute("href", context.hub_path + "logout").raw(">Sign out</a>");
    }
    return html.raw("</div></div></header>");
}

Html banners(const PageContext& context) {
    Html html;
    if (context.banners.empty()) return html;
    html.raw("<div class=\"banners\" role=\"region\" aria-label=\"Announcements\">");
    for (const auto& banner : context.banners) {
        switch (banner.kind) {
            case BannerKind::info:
                html.raw("<p class=\"banner banner-info\">");
                break;
            case BannerKind::warning:
                html.raw("<p class=\"banner banner-warning\">");
                break;
            case BannerKind::danger:
                html.raw("<p class=\"banner banner-danger\">");
                break;
        }
        html.text(banner.text).raw("</p>");
    }
    return html.raw("</div>");
}

}  // namespace

std::string render(const PageContext& context, const Frame& frame, const Html& body) {
    Html html = head(context, frame);
    html.raw("<body><a class=\"skip\" href=\"#main\">Skip to the content</a>");
    html.add(top_bar(context, frame.current)).add(banners(context));
    if (frame.layout == Layout::centred) {
        html.raw("<main id=\"main\" class=\"centred\">");
    } else {
        html.raw("<main id=\"main\" class=\"page\">");
    }
    html.add(body).raw("</main><footer class=\"footer\">Berth");
    if (!context.version.empty()) html.raw(" ").text(context.version);
    html.raw("</footer></body></html>\n");
    return std::move(html).take();
}

Html hidden_xsrf(const PageContext& context) {
    Html html;
    return html.raw("<input type=\"hidden\" name=\"_xsrf\"").attribute("value", context.xsrf).raw(">");
}

Html error_note(std::string_view message) {
    Html html;
    if (message.empty()) return html;
    html.raw("<div class=\"note note-danger\" role=\"alert\" id=\"form-error\">")
        .add(icon_alert())
        .raw("<span>");
    return html.text(message).raw("</span></div>");
}

Html icon_check() {
    Html html;
    return html.raw(
        R"(<svg width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.8" )"
        R"(stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="m3 8.5 3.2 3.2L13 5"/></svg>)");
}

Html icon_alert() {
    Html html;
    return html.raw(
        R"(<svg width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.6" )"
        R"(stroke-linecap="round" aria-hidden="true"><circle cx="8" cy="8" r="6.5"/><path d="M8 4.8v3.8M8 11v.2"/></svg>)");
}

std::string json_for_script(const json::object& data) {
    std::string out;
    for (const char c : json::serialize(data)) {
        switch (c) {
            case '<':
                out += "\\u003c";
                break;
            case '>':
                out += "\\u003e";
                break;
            case '&':
                out += "\\u0026";
                break;
            default:
                out += c;
        }
    }
    return out;
}

}  // namespace berth::web
