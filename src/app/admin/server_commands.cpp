// berth server …, berth logs
#include "app/admin/commands.hpp"
#include "app/admin/output.hpp"

#include <chrono>
#include <iostream>
#include <thread>

namespace berth::app {
namespace {

using namespace std::chrono_literals;

struct Flags {
    std::string server;  // ann or ann/gpu
    std::string profile;
    std::string project;
    std::int64_t gpus = -1;
    std::int64_t lines = 100;
    std::int64_t wait_seconds = 300;
    bool no_wait = false;
    bool all = false;
};

std::string user_of(const Flags& flags) {
    return flags.server.substr(0, flags.server.find('/'));
}
std::string name_of(const Flags& flags) {
    const auto slash = flags.server.find('/');
    return slash == std::string::npos ? "" : flags.server.substr(slash + 1);
}
std::string path_of(const Flags& flags) {
    return "/users/" + segment(user_of(flags)) + "/servers/" + segment(name_of(flags));
}

std::string state_of(const json::value& server) {
    const auto pending = cell(server, "pending");
    if (pending == "spawn") return "starting";
    if (pending == "stop") return "stopping";
    if (is_true(server, "ready")) return "ready";
    const auto* berth = server.as_object().if_contains("berth");
    return berth != nullptr && !cell(*berth, "failure").empty() ? "failed" : "stopped";
}

void add_row(Table& table, const json::value& server) {
    const auto* berth = server.as_object().if_contains("berth");
    const json::value nothing = json::object();
    const auto& own = berth == nullptr ? nothing : *berth;
    auto name = cell(server, "full_name");
    if (name.ends_with('/')) name.pop_back();  // the default server: commands take "ann"
    table.add(
        {name,
         state_of(server),
         cell(own, "profile"),
         cell(own, "devices"),
         time_cell(server, "started"),
         time_cell(server, "last_activity"),
         cell(own, "failure").substr(0, 60)});
}

Table new_table() {
    return Table({"SERVER", "STATE", "PROFILE", "GPUS", "STARTED (UTC)", "LAST ACTIVITY (UTC)", "FAILURE"});
}

Result<void> list_servers(const HubClient& hub, const Flags& flags, bool as_json) {
    const auto query = flags.all ? "?include_stopped_servers=1" : "?state=active";
    BERTH_TRY(const auto users, hub.list(std::string("/users") + query));
    json::array all;
    auto table = new_table();
    for (const auto& user : users) {
        const auto* servers = user.is_object() ? object_at(user.get_object(), "servers") : nullptr;
        if (servers == nullptr) continue;
        for (const auto& [name, server] : *servers) {
            add_row(table, server);
            auto model = server;
            model.as_object()["user"] = cell(user, "name");
            all.push_back(std::move(model));
        }
    }
    if (as_json)
        print_json(all);
    else
        table.print(flags.all ? "There are no servers." : "No server runs.");
    return {};
}

Result<json::value> server_of(const HubClient& hub, const Flags& flags) {
    return hub.get(path_of(flags));
}

Result<void> print_server(const HubClient& hub, const Flags& flags, bool as_json) {
    BERTH_TRY(const auto server, server_of(hub, flags));
    if (as_json) {
        print_json(server);
        return {};
    }
    auto table = new_table();
    add_row(table, server);
    table.print("");
    return {};
}

// Asks until it is `wanted`, has failed, or the time is over.
Result<void> wait_for(const HubClient& hub, const Flags& flags, std::string_view wanted) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(flags.wait_seconds);
    for (;;) {
        BERTH_TRY(const auto server, server_of(hub, flags));
        const auto state = state_of(server);
        if (state == wanted || (wanted == "stopped" && state == "failed")) return {};
        if (wanted == "ready" && (state == "failed" || state == "stopped")) {
            const auto* berth = server.as_object().if_contains("berth");
            const auto why = berth == nullptr ? "" : cell(*berth, "failure");
            return Error{HubClientErrc::refused, why.empty() ? "The start was ended." : why};
        }
        if (std::chrono::steady_clock::now() >= limit)
            return Error{
                HubClientErrc::refused,
                flags.server + " is still " + state + ". It goes on; look again with: berth server show " +
                    flags.server};
        std::this_thread::sleep_for(200ms);
    }
}

Result<void> start_server(const HubClient& hub, const Flags& flags, bool as_json) {
    json::object options;
    if (!flags.profile.empty()) options["profile"] = flags.profile;
    if (!flags.project.empty()) options["project"] = flags.project;
    if (flags.gpus >= 0) options["gpus"] = flags.gpus;
    BERTH_CHECK(hub.send(http::Method::post, path_of(flags), options));
    if (!flags.no_wait) BERTH_CHECK(wait_for(hub, flags, "ready"));
    return print_server(hub, flags, as_json);
}

Result<void> stop_server(const HubClient& hub, const Flags& flags, bool as_json) {
    BERTH_CHECK(server_of(hub, flags));
    BERTH_CHECK(hub.send(http::Method::del, path_of(flags), nullptr));
    if (!flags.no_wait) BERTH_CHECK(wait_for(hub, flags, "stopped"));
    return print_server(hub, flags, as_json);
}

Result<void> remove_server(const HubClient& hub, const Flags& flags, bool as_json) {
    BERTH_TRY(const auto answer, hub.send(http::Method::del, path_of(flags), json::object{{"remove", true}}));
    if (as_json)
        print_json(answer);
    else
        std::cout << flags.server << " was stopped and removed.\n";
    return {};
}

Result<void> print_log(const HubClient& hub, const Flags& flags, bool as_json) {
    const auto name = name_of(flags);
    BERTH_TRY(
        const auto answer,
        hub.get(
            "/berth/users/" + segment(user_of(flags)) + "/log" + (name.empty() ? "" : "/" + segment(name)) +
            "?tail=" + std::to_string(flags.lines)));
    if (as_json) {
        print_json(answer);
        return {};
    }
    const auto* object = answer.if_object();
    const auto log = object == nullptr ? "" : string_at(*object, "log").value_or("");
    if (!log.empty()) {
        std::cout << log << "\n";
        return {};
    }
    std::cout << flags.server << " is " << cell(answer, "state") << " and has left no log";
    const auto failure = cell(answer, "failure");
    std::cout << (failure.empty() ? "." : ". Its last start failed: " + failure) << "\n";
    return {};
}

}  // namespace

void add_server_commands(CLI::App& app, AdminCommands& commands) {
    auto flags = std::make_shared<Flags>();
    auto* group = add_group(app, "server", "List, start and stop notebook servers");
    auto named = [&](CLI::App& parent, const char* name, const char* help, auto action) {
        auto* command = add_command<Flags>(parent, name, help, commands, flags, action);
        command->add_option("SERVER", flags->server, "USER, or USER/NAME for a named server")->required();
        return command;
    };
    add_command<Flags>(*group, "list", "List running servers", commands, flags, list_servers)
        ->add_flag("--all", flags->all, "Stopped ones too");
    named(*group, "show", "Show one server", print_server);
    auto* start =
        named(*group, "start", "Start a server for a user and wait until it is ready", start_server);
    start->add_option("--profile", flags->profile, "Profile (the user's first one)");
    start->add_option("--project", flags->project, "Project that its GPUs are held for (none)");
    start->add_option("--gpus", flags->gpus, "How many GPUs (what the profile says)")
        ->check(CLI::Range(0, 64));
    auto* stop = named(*group, "stop", "Stop a server and wait until it is gone", stop_server);
    for (auto* command : {start, stop}) {
        command->add_flag("--no-wait", flags->no_wait, "Only ask for it");
        command->add_option("--wait-seconds", flags->wait_seconds, "The longest wait")->capture_default_str();
    }
    named(*group, "remove", "Stop and remove a named server", remove_server);
    named(app, "logs", "Print what a server wrote last", print_log)
        ->add_option("--tail,-n", flags->lines, "How many lines")
        ->check(CLI::Range(1, 10'000))
        ->capture_default_str();
}

}  // namespace berth::app
