#include "web/pages.hpp"

#include "web/assets.hpp"
#include "web/frame.hpp"

namespace berth::web {

namespace {

Html submit_button(Markup id, Markup label) {
    Html html;
    html.raw("<button type=\"submit\" class=\"btn btn-primary btn-wide\" id=\"").raw(id).raw("\">");
    return html.raw(label).raw("</button>");
}

Html link_button(std::string_view url, std::string_view label) {
    Html html;
    html.raw("<a class=\"btn btn-primary btn-wide\"").attribute("href", url).raw(">");
    return html.text(label).raw("</a>");
}

Html mark_invalid(bool invalid) {
    Html html;
    return invalid ? html.raw(" aria-invalid=\"true\" aria-describedby=\"form-error\"") : html;
}

Html login_fields(const LoginModel& model) {
    const Html invalid = mark_invalid(!model.error.empty());
    Html html;
    html.raw("<div class=\"field\"><label for=\"username_input\">User name</label>");
    html.raw(
        "<input class=\"input input-big\" id=\"username_input\" name=\"username\" "
        "autocomplete=\"username\" ");
    html.raw("autocapitalize=\"off\" autocorrect=\"off\" spellcheck=\"false\" required");
    html.attribute("value", model.username).add(invalid);
    if (model.username.empty()) html.raw(" autofocus");
    html.raw("></div><div class=\"field\"><label for=\"password_input\">Password</label>");
    html.raw("<input class=\"input input-big\" id=\"password_input\" name=\"password\" type=\"password\" ");
    html.raw("autocomplete=\"current-password\"").add(invalid);
    if (!model.username.empty()) html.raw(" autofocus");
    return html.raw("></div>");
}

Html new_password_fields(const InviteModel& model) {
    const std::string minimum = std::to_string(model.minimum_password_length);
    Html html;
    html.raw("<div class=\"field\"><label for=\"password_input\">Password</label>");
    html.raw("<input class=\"input input-big\" id=\"password_input\" name=\"password\" type=\"password\" ");
    html.raw("autocomplete=\"new-password\" required aria-describedby=\"password-hint\"");
    html.attribute("minlength", minimum);
    if (!model.first_administrator) html.raw(" autofocus");
    html.raw("><p class=\"hint\" id=\"password-hint\">At least ").text(minimum).raw(" characters.</p></div>");
    html.raw("<div class=\"field\"><label for=\"password_repeat_input\">Password again</label>");
    html.raw("<input class=\"input input-big\" id=\"password_repeat_input\" name=\"password_repeat\" ");
    html.raw("type=\"password\" autocomplete=\"new-password\" required").attribute("minlength", minimum);
    return html.raw("></div>");
}

Html user_name_field(const InviteModel& model) {
    Html html;
    html.raw("<div class=\"field\"><label for=\"username_input\">User name</label>");
    html.raw(
        "<input class=\"input input-big\" id=\"username_input\" name=\"username\" "
        "autocomplete=\"username\" ");
    html.raw("autocapitalize=\"off\" autocorrect=\"off\" spellcheck=\"false\"");
    html.attribute("value", model.username);
    html.add(Html().raw(model.first_administrator ? Markup(" required autofocus") : Markup(" readonly")));
    return html.raw("></div>");
}

// A failure's sentence, and below it the lines of the server's log that the hub put after it.
Html failure_note(std::string_view failure) {
    constexpr std::string_view kLead = " Its last words:";
    const auto end = failure.find('\n');
    std::string_view sentence = failure.substr(0, end);
    if (sentence.ends_with(kLead)) sentence.remove_suffix(kLead.size());
    Html html = error_note(sentence);
    if (end == std::string_view::npos) return html;
    html.raw("<div class=\"stack-s\"><h2 id=\"log-title\">Last lines of its log</h2>");
    html.raw("<pre class=\"log\" tabindex=\"0\" aria-labelledby=\"log-title\">")
        .text(failure.substr(end + 1));
    return html.raw("</pre></div>");
}

std::string_view default_title(int status) {
    switch (status) {
        case 400:
            return "This request cannot be answered";
        case 401:
            return "Sign in first";
        case 403:
            return "You may not see this";
        case 404:
            return "There is no such page";
        case 405:
            return "That does not work here";
        case 413:
            return "Too much was sent";
        case 429:
            return "Too many requests";
        case 502:
            return "The server does not answer";
        case 503:
            return "Not available now";
        case 504:
            return "The server takes too long";
        default:
            return status >= 500 ? "Something went wrong" : "This did not work";
    }
}

}  // namespace

std::string login_page(const PageContext& context, const LoginModel& model) {
    Html body;
    body.raw("<div class=\"card\"><form class=\"stack\" method=\"post\" data-once")
        .attribute("action", model.form_action);
    body.raw("><h1>Sign in</h1>").add(error_note(model.error));
    if (model.dummy && context.banners.empty()) {
        body.raw(
            "<p class=\"note note-warning\">Trial sign-in: any user name works with the trial password.</p>");
    }
    body.add(login_fields(model)).add(hidden_xsrf(context)).add(submit_button("login_submit", "Sign in"));
    if (!model.links.empty()) body.raw("<div class=\"or\">or</div>");
    for (const auto& link : model.links) {
        body.raw("<a class=\"btn btn-wide\"")
            .attribute("href", link.url)
            .raw(">")
            .text(link.label)
            .raw("</a>");
    }
    body.raw("</form></div>");
    return render(context, {.title = "Sign in"}, body);
}

std::string invite_page(const PageContext& context, const InviteModel& model) {
    Html body;
    body.raw("<div class=\"card\"><form class=\"stack\" method=\"post\" data-once")
        .attribute("action", model.form_action);
    if (model.first_administrator) {
        body.raw(
            "><div class=\"stack-s\"><h1>Welcome to Berth</h1><p class=\"lead\">You are the first here: ");
        body.raw("choose the administrator’s name and password. This link works once.</p></div>");
    } else {
        body.raw("><div class=\"stack-s\"><h1>Choose a password</h1><p class=\"lead\">For ");
        body.text(model.username).raw(". This link works once.</p></div>");
    }
    body.add(error_note(model.error)).add(user_name_field(model)).add(new_password_fields(model));
    body.add(hidden_xsrf(context));
    if (model.first_administrator) {
        body.add(submit_button("invite_submit", "Create administrator"));
    } else {
        body.add(submit_button("invite_submit", "Set password"));
    }
    body.raw("</form></div>");
    return render(context, {.title = model.first_administrator ? "Welcome" : "Choose a password"}, body);
}

std::string authorize_page(const PageContext& context, const AuthorizeModel& model) {
    Html body;
    body.raw(
        "<div class=\"card\"><form class=\"stack\" method=\"post\" action=\"\" data-once><div "
        "class=\"stack-s\">");
    body.raw("<h1>Allow access?</h1><p class=\"lead wrap\"><strong>").text(model.client_description);
    body.raw("</strong> asks to act for you");
    if (context.user) body.raw(", <strong>").text(*context.user).raw("</strong>");
    body.raw(". You then go to <code>").text(model.redirect_host).raw("</code>.</p></div>");
    body.add(error_note(model.error));
    if (!model.scopes.empty())
        body.raw("<div class=\"stack-s\"><h2>It will be able to</h2><ul class=\"scopes\">");
    for (const auto& line : model.scopes) {
        body.raw("<li>").add(icon_check()).raw("<div class=\"wrap\">").text(line.sentence).raw("<code>");
        body.text(line.scope).raw("</code><input type=\"hidden\" name=\"scopes\"");
        body.attribute("value", line.scope).raw("></div></li>");
    }
    if (!model.scopes.empty()) body.raw("</ul></div>");
    body.add(hidden_xsrf(context)).add(submit_button("authorize_submit", "Allow"));
    body.raw("<a class=\"btn btn-wide\"").attribute("href", context.hub_path + "home").raw(">Cancel</a>");
    body.raw(
        "<p class=\"hint\">Allow only what you opened yourself. Take it back at any time under Tokens.</p>");
    body.raw("</form></div>");
    return render(context, {.title = "Allow access"}, body);
}

std::string not_running_page(const PageContext& context, const NotRunningModel& model) {
    Html body;
    body.raw("<div class=\"card stack\"><div class=\"stack-s\"><h1>").text(model.server_label);
    body.raw(" is not running</h1><p class=\"lead\">");
    if (model.start_url.empty()) {
        body.raw("Ask its owner to start it, then reload this page.</p></div>");
    } else {
        body.raw("Start it to go on; your files are still there.</p></div>");
    }
    body.add(failure_note(model.failure));
    if (!model.stopped_because.empty())
        body.raw("<p class=\"note note-info\" id=\"stopped-because\">")
            .text(model.stopped_because)
            .raw("</p>");
    if (!model.start_url.empty()) {
        body.raw("<a class=\"btn btn-primary btn-wide\" id=\"start\"").attribute("href", model.start_url);
        body.raw(">Start the server</a>");
    }
    body.raw("<a class=\"btn btn-wide\"")
        .attribute("href", context.hub_path + "home")
        .raw(">All my servers</a></div>");
    return render(context, {.title = "Not running"}, body);
}

std::string error_page(const PageContext& context, const ErrorModel& model) {
    const std::string title = model.title.empty() ? std::string(default_title(model.status)) : model.title;
    Html body;
    body.raw("<div class=\"card stack\"><div class=\"stack-s\"><p class=\"status-code\">");
    body.text(std::to_string(model.status)).raw("</p><h1>").text(title).raw("</h1>");
    if (!model.message.empty()) body.raw("<p class=\"lead wrap\">").text(model.message).raw("</p>");
    body.raw("</div>");
    const std::string home = context.hub_path + (context.user ? "home" : "login");
    const std::string label = context.user ? "Go to my servers" : "Sign in";
    const bool own_action = !model.action_url.empty() && !model.action_label.empty();
    body.add(link_button(own_action ? model.action_url : home, own_action ? model.action_label : label));
    if (!model.error_id.empty()) {
        body.raw("<p class=\"hint\">If it happens again, give your administrator this number: <code>");
        body.text(model.error_id).raw("</code></p>");
    }
    body.raw("</div>");
    return render(context, {.title = title}, body);
}

std::string signed_out_page(const PageContext& context) {
    Html body;
    body.raw("<div class=\"card stack\"><div class=\"stack-s\"><h1>You are signed out</h1>");
    body.raw(
        "<p class=\"lead\">Running servers go on. Close the window if others use this computer.</p></div>");
    body.add(link_button(context.hub_path + "login", "Sign in again")).raw("</div>");
    return render(context, {.title = "Signed out"}, body);
}

}  // namespace berth::web
