// berth user …
#include "app/admin/commands.hpp"
#include "app/admin/output.hpp"
#include "base/text.hpp"

#include <iostream>

namespace berth::app {
namespace {

struct Flags {
    std::string name;
    std::string new_name;
    std::string filter;
    std::vector<std::string> names;
    bool admin = false;
    bool invite = false;
    bool off = false;
};

std::string path_of(const std::string& user) {
    return "/users/" + segment(user);
}

std::string servers_cell(const json::value& user) {
    const auto* object = user.if_object();
    const auto* servers = object == nullptr ? nullptr : object_at(*object, "servers");
    std::string all;
    if (servers == nullptr) return all;
    for (const auto& [name, server] : *servers)
        all += (all.empty() ? "" : ",") + (name.empty() ? std::string("(default)") : printable(name));
    return all;
}

void print_users(const json::array& users) {
    Table table({"NAME", "ADMIN", "GROUPS", "RUNNING", "LAST ACTIVITY (UTC)"});
    for (const auto& user : users)
        table.add(
            {cell(user, "name"),
             is_true(user, "admin") ? "admin" : "",
             cell(user, "groups"),
             servers_cell(user),
             time_cell(user, "last_activity")});
    table.print("There are no users.");
}

Result<void> list_users(const HubClient& hub, const Flags& flags, bool as_json) {
    const std::string query = flags.filter.empty() ? "" : "?name_filter=" + url_escape_query(flags.filter);
    BERTH_TRY(const auto users, hub.list("/users" + query));
    if (as_json)
        print_json(users);
    else
        print_users(users);
    return {};
}

Result<void> show_user(const HubClient& hub, const Flags& flags, bool as_json) {
    BERTH_TRY(const auto user, hub.get(path_of(flags.name) + "?include_stopped_servers=1"));
    if (as_json)
        print_json(user);
    else
        print_users({user});
    return {};
}

Result<json::value> invite(const HubClient& hub, const std::string& name) {
    return hub.send(http::Method::post, "/berth/users/" + segment(name) + "/invite", nullptr);
}

Result<void> create_users(const HubClient& hub, const Flags& flags, bool as_json) {
    json::array names;
    for (const auto& name : flags.names)
        names.emplace_back(name);
    BERTH_TRY(
        auto made,
        hub.send(http::Method::post, "/users", json::object{{"usernames", names}, {"admin", flags.admin}}));
    for (auto& user : made.as_array()) {
        const auto name = cell(user, "name");
        if (!as_json) std::cout << name << " was created.\n";
        if (!flags.invite) continue;
        BERTH_TRY(const auto link, invite(hub, name));
        user.as_object()["invite_url"] = cell(link, "url");
        if (!as_json) std::cout << "  One-time link to choose a password: " << cell(link, "url") << "\n";
    }
    if (as_json) print_json(made);
    return {};
}

Result<void> change_user(
    const HubClient& hub,
    const std::string& name,
    const json::object& change,
    const std::string& said,
    bool as_json) {
    BERTH_TRY(const auto user, hub.send(http::Method::patch, path_of(name), change));
    if (as_json)
        print_json(user);
    else
        std::cout << said << "\n";
    return {};
}

Result<void> rename_user(const HubClient& hub, const Flags& flags, bool as_json) {
    const auto said = flags.name + " is now " + flags.new_name + ".";
    return change_user(hub, flags.name, {{"name", flags.new_name}}, said, as_json);
}

Result<void> set_admin(const HubClient& hub, const Flags& flags, bool as_json) {
    const auto said =
        flags.name + (flags.off ? " is no administrator any more." : " is an administrator now.");
    return change_user(hub, flags.name, {{"admin", !flags.off}}, said, as_json);
}

Result<void> remove_user(const HubClient& hub, const Flags& flags, bool as_json) {
    BERTH_TRY(const auto answer, hub.send(http::Method::del, path_of(flags.name), nullptr));
    if (as_json)
        print_json(answer);
    else
        std::cout << flags.name
                  << " was removed, with tokens and servers. Files and volumes are left as they are.\n";
    return {};
}

Result<void> invite_user(const HubClient& hub, const Flags& flags, bool as_json) {
    BERTH_TRY(const auto link, invite(hub, flags.name));
    if (as_json)
        print_json(link);
    else
        std::cout << cell(link, "url") << "\n(works once, until " << time_cell(link, "expires_at")
                  << " UTC; it chooses a new password)\n";
    return {};
}

}  // namespace

void add_user_commands(CLI::App& app, AdminCommands& commands) {
    auto flags = std::make_shared<Flags>();
    auto* group = add_group(app, "user", "List, create, change and remove users");
    auto add = [&](const char* name, const char* help, auto action) {
        return add_command<Flags>(*group, name, help, commands, flags, action);
    };
    auto add_named = [&](const char* name, const char* help, auto action) {
        auto* command = add(name, help, action);
        command->add_option("NAME", flags->name)->required();
        return command;
    };
    add("list", "List users", list_users)
        ->add_option("--filter", flags->filter, "Only names that contain this");
    add_named("show", "Show one user", show_user);
    auto* create = add("create", "Create users", create_users);
    create->add_option("NAME", flags->names)->required();
    create->add_flag("--admin", flags->admin, "Make them administrators");
    create->add_flag("--invite", flags->invite, "Print a one-time link with which each chooses a password");
    add_named("remove", "Stop a user's servers and remove the user", remove_user);
    add_named("rename", "Rename a user whose servers are stopped", rename_user)
        ->add_option("NEW_NAME", flags->new_name)
        ->required();
    add_named("admin", "Make a user an administrator, or take that away", set_admin)
        ->add_flag("--off", flags->off, "Take it away");
    add_named("invite", "Print a one-time link to choose a (new) password", invite_user);
}

}  // namespace berth::app
