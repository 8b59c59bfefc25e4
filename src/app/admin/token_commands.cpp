// berth token …
#include "app/admin/commands.hpp"
#include "app/admin/output.hpp"

#include <iostream>

namespace berth::app {
namespace {

struct Flags {
    std::string user;
    std::string id;
    std::string note;
    std::vector<std::string> scopes;
    std::int64_t days = 0;
};

std::string path_of(const Flags& flags) {
    return "/users/" + segment(flags.user) + "/tokens";
}

Result<void> list_tokens(const HubClient& hub, const Flags& flags, bool as_json) {
    BERTH_TRY(const auto answer, hub.get(path_of(flags)));
    if (as_json) {
        print_json(answer);
        return {};
    }
    Table table({"ID", "NOTE", "SCOPES", "CREATED (UTC)", "LAST USED (UTC)", "EXPIRES (UTC)"});
    const auto* tokens = answer.is_object() ? array_at(answer.get_object(), "api_tokens") : nullptr;
    for (const auto& token : tokens == nullptr ? json::array{} : *tokens)
        table.add(
            {cell(token, "id"),
             cell(token, "note"),
             cell(token, "scopes"),
             time_cell(token, "created"),
             time_cell(token, "last_activity"),
             time_cell(token, "expires_at")});
    table.print(flags.user + " has no tokens.");
    return {};
}

Result<void> create_token(const HubClient& hub, const Flags& flags, bool as_json) {
    json::object wanted;
    if (!flags.note.empty()) wanted["note"] = flags.note;
    if (flags.days > 0) wanted["expires_in"] = flags.days * 86'400;
    if (!flags.scopes.empty()) {
        json::array scopes;
        for (const auto& scope : flags.scopes)
            scopes.emplace_back(scope);
        wanted["scopes"] = std::move(scopes);
    }
    BERTH_TRY(const auto token, hub.send(http::Method::post, path_of(flags), wanted));
    if (as_json)
        print_json(token);
    else
        std::cout << cell(token, "token") << "\n";
    return {};
}

Result<void> revoke_token(const HubClient& hub, const Flags& flags, bool as_json) {
    BERTH_TRY(
        const auto answer, hub.send(http::Method::del, path_of(flags) + "/" + segment(flags.id), nullptr));
    if (as_json)
        print_json(answer);
    else
        std::cout << "The token " << flags.id << " of " << flags.user << " is void.\n";
    return {};
}

}  // namespace

void add_token_commands(CLI::App& app, AdminCommands& commands) {
    auto flags = std::make_shared<Flags>();
    auto* group = add_group(app, "token", "List, create and revoke users' API tokens");
    auto add = [&](const char* name, const char* help, auto action) {
        auto* command = add_command<Flags>(*group, name, help, commands, flags, action);
        command->add_option("USER", flags->user)->required();
        return command;
    };
    add("list", "List a user's tokens", list_tokens);
    auto* create = add("create", "Create a token for a user and print it, this once", create_token);
    create->add_option("--note", flags->note, "What it is for");
    create->add_option("--scope", flags->scopes, "What it may do (all that the user may); may be repeated");
    create->add_option("--days", flags->days, "Days until it expires (never)")->check(CLI::Range(1, 36'500));
    add("revoke", "Revoke a token", revoke_token)
        ->add_option("ID", flags->id, "As berth token list shows it")
        ->required();
}

}  // namespace berth::app
