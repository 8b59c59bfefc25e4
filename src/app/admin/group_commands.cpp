// berth group …
#include "app/admin/commands.hpp"
#include "app/admin/output.hpp"

#include <iostream>

namespace berth::app {
namespace {

struct Flags {
    std::string name;
    std::vector<std::string> users;
};

std::string path_of(const Flags& flags) {
    return "/groups/" + segment(flags.name);
}

json::object body_of(const Flags& flags) {
    json::array users;
    for (const auto& user : flags.users)
        users.emplace_back(user);
    return {{"users", users}};
}

void print_groups(const json::array& groups) {
    Table table({"NAME", "MEMBERS"});
    for (const auto& group : groups)
        table.add({cell(group, "name"), cell(group, "users")});
    table.print("There are no groups.");
}

Result<void> list_groups(const HubClient& hub, const Flags&, bool as_json) {
    BERTH_TRY(const auto groups, hub.list("/groups"));
    if (as_json)
        print_json(groups);
    else
        print_groups(groups);
    return {};
}

Result<void> print_answer(Result<json::value> group, bool as_json) {
    if (!group) return group.error();
    if (as_json)
        print_json(*group);
    else
        print_groups({*group});
    return {};
}

Result<void> show_group(const HubClient& hub, const Flags& flags, bool as_json) {
    return print_answer(hub.get(path_of(flags)), as_json);
}

Result<void> create_group(const HubClient& hub, const Flags& flags, bool as_json) {
    return print_answer(hub.send(http::Method::post, path_of(flags), body_of(flags)), as_json);
}

Result<void> remove_group(const HubClient& hub, const Flags& flags, bool as_json) {
    BERTH_TRY(const auto answer, hub.send(http::Method::del, path_of(flags), nullptr));
    if (as_json)
        print_json(answer);
    else
        std::cout << "The group " << flags.name << " was removed; its members stay users.\n";
    return {};
}

Result<void> add_members(const HubClient& hub, const Flags& flags, bool as_json) {
    return print_answer(hub.send(http::Method::post, path_of(flags) + "/users", body_of(flags)), as_json);
}

Result<void> drop_members(const HubClient& hub, const Flags& flags, bool as_json) {
    return print_answer(hub.send(http::Method::del, path_of(flags) + "/users", body_of(flags)), as_json);
}

}  // namespace

void add_group_commands(CLI::App& app, AdminCommands& commands) {
    auto flags = std::make_shared<Flags>();
    auto* group = add_group(app, "group", "List and change groups and their members");
    auto add_named = [&](const char* name, const char* help, auto action) {
        auto* command = add_command<Flags>(*group, name, help, commands, flags, action);
        command->add_option("GROUP", flags->name)->required();
        return command;
    };
    add_command<Flags>(*group, "list", "List groups", commands, flags, list_groups);
    add_named("show", "Show one group", show_group);
    add_named("create", "Create a group", create_group)
        ->add_option("USER", flags->users, "Its first members");
    add_named("remove", "Remove a group", remove_group);
    add_named("add", "Add members", add_members)->add_option("USER", flags->users)->required();
    add_named("drop", "Take members out", drop_members)->add_option("USER", flags->users)->required();
}

}  // namespace berth::app
