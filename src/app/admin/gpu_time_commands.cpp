// berth gpu reserve, reservations, unreserve, drain, undrain, lease: GPUs for a time, or out of service.
#include "app/admin/commands.hpp"
#include "app/admin/output.hpp"
#include "base/text.hpp"

#include <charconv>
#include <iostream>

namespace berth::app {
namespace {

struct Flags {
    std::string uuid;
    std::string id;
    std::string user;
    std::string group;
    std::string project;
    std::int64_t gpus = 1;
    std::string pool;
    std::string model;
    std::string memory;
    std::vector<std::string> devices;
    std::string begin;
    std::string end;
    std::string lasting;
    std::string note;
    std::string reason;
    bool past = false;
};

// "90s", "15m", "8h", "7d".
Result<std::chrono::seconds> span_of(const std::string& text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::string unit(end, text.data() + text.size());
    const std::int64_t factor = unit == "s"   ? 1
                                : unit == "m" ? 60
                                : unit == "h" ? 3600
                                : unit == "d" ? 86400
                                              : 0;
    if (error != std::errc{} || factor == 0 || number <= 0 || number > 100'000'000 / factor)
        return Error{HubClientErrc::refused, "'" + text + "' is no span of time like 90s, 15m, 8h or 7d."};
    return std::chrono::seconds(number * factor);
}

// Of two ways to say when it is over.
Result<std::string> end_of(const Flags& flags, Timestamp begin) {
    if (flags.end.empty() == flags.lasting.empty())
        return Error{HubClientErrc::refused, "Say either --until or --for."};
    if (!flags.end.empty()) return flags.end;
    BERTH_TRY(const auto span, span_of(flags.lasting));
    return format_rfc3339(begin + span);
}

std::string owner_of(const json::value& reservation) {
    const auto user = cell(reservation, "user");
    const auto group = cell(reservation, "group");
    const auto project = cell(reservation, "project");
    if (!user.empty()) return user;
    if (!project.empty()) return "project " + project;
    return group.empty() ? "somebody" : "group " + group;
}

Result<void> reserve(const HubClient& hub, const Flags& flags, bool as_json) {
    Timestamp begin = now_utc();
    if (!flags.begin.empty()) {
        const auto given = parse_rfc3339(flags.begin);
        if (!given) return Error{HubClientErrc::refused, "--from must be a time like 2026-01-31T12:00:00Z."};
        begin = *given;
    }
    json::object body{{"gpus", flags.gpus}, {"pool", flags.pool}, {"model", flags.model}};
    BERTH_TRY(body["end"], end_of(flags, begin));
    if (!flags.begin.empty()) body["begin"] = flags.begin;
    if (!flags.user.empty()) body["user"] = flags.user;
    if (!flags.group.empty()) body["group"] = flags.group;
    if (!flags.project.empty()) body["project"] = flags.project;
    if (!flags.memory.empty()) body["min_memory"] = flags.memory;
    if (!flags.note.empty()) body["note"] = flags.note;
    json::array devices;
    for (const auto& uuid : flags.devices)
        devices.emplace_back(uuid);
    if (!devices.empty()) body["devices"] = std::move(devices);
    BERTH_TRY(const auto made, hub.send(http::Method::post, "/berth/gpu/reservations", body));
    if (as_json) {
        print_json(made);
        return {};
    }
    std::cout << "Reservation " << cell(made, "id") << ": " << cell(made, "gpus") << " for " << owner_of(made)
              << ", " << time_cell(made, "begin") << " to " << time_cell(made, "end") << " UTC.\n";
    return {};
}

Result<void> list_reservations(const HubClient& hub, const Flags& flags, bool as_json) {
    BERTH_TRY(
        const auto all, hub.get(std::string("/berth/gpu/reservations") + (flags.past ? "?past=1" : "")));
    if (as_json) {
        print_json(all);
        return {};
    }
    Table table({"ID", "FOR", "GPUS", "POOL", "FROM", "UNTIL", "NOTE"});
    const auto* list = all.is_object() ? array_at(all.get_object(), "reservations") : nullptr;
    for (const auto& each : list ? *list : json::array{})
        table.add(
            {cell(each, "id"),
             owner_of(each),
             cell(each, "gpus"),
             cell(each, "pool"),
             time_cell(each, "begin"),
             time_cell(each, "end"),
             cell(each, "note")});
    table.print("Nothing is reserved.");
    return {};
}

Result<void> done(const Result<json::value>& answer, const std::string& sentence, bool as_json) {
    if (!answer) return answer.error();
    const auto message = cell(*answer, "message");
    if (as_json)
        print_json(*answer);
    else
        std::cout << (message.empty() ? sentence : message) << "\n";
    return {};
}

Result<void> unreserve(const HubClient& hub, const Flags& flags, bool as_json) {
    const auto answer = hub.send(http::Method::del, "/berth/gpu/reservations/" + segment(flags.id), nullptr);
    return done(answer, "Reservation " + flags.id + " is gone.", as_json);
}

Result<void> drain(const HubClient& hub, const Flags& flags, bool as_json) {
    json::object body;
    if (!flags.reason.empty()) body["reason"] = flags.reason;
    if (!flags.end.empty() || !flags.lasting.empty()) {
        BERTH_TRY(body["deadline"], end_of(flags, now_utc()));
    }
    const auto answer = hub.send(http::Method::post, "/berth/gpus/" + segment(flags.uuid) + "/drain", body);
    return done(answer, flags.uuid + " is being drained.", as_json);
}

Result<void> undrain(const HubClient& hub, const Flags& flags, bool as_json) {
    const auto answer = hub.send(http::Method::del, "/berth/gpus/" + segment(flags.uuid) + "/drain", nullptr);
    return done(answer, flags.uuid + " is given out again.", as_json);
}

Result<void> lease(const HubClient& hub, const Flags& flags, bool as_json) {
    json::object body;
    if (!flags.lasting.empty()) {
        BERTH_TRY(const auto span, span_of(flags.lasting));
        body["seconds"] = span.count();
    }
    BERTH_TRY(const auto made, hub.send(http::Method::post, "/berth/allocator/request", body));
    if (as_json) {
        print_json(made);
        return {};
    }
    std::cout << cell(made, "uuid") << "\n";
    std::cerr << "Lease " << cell(made, "lease") << ", until " << time_cell(made, "expires_at")
              << " UTC. End it sooner: berth gpu release " << cell(made, "lease") << "\n";
    return {};
}

void add_reserve(CLI::App& group, AdminCommands& commands, const std::shared_ptr<Flags>& flags) {
    auto* command = add_command<Flags>(
        group, "reserve", "Keep GPUs for somebody at a time to come", commands, flags, reserve);
    command->add_option("--user", flags->user, "For this user");
    command->add_option("--group", flags->group, "Or for whoever is in this group");
    command->add_option("--project", flags->project, "Or for whoever starts for this project");
    command->add_option("--gpus", flags->gpus, "So many");
    command->add_option("--pool", flags->pool, "Of this pool");
    command->add_option("--model", flags->model, "Of this model");
    command->add_option("--memory", flags->memory, "With at least so much memory: 40G");
    command->add_option("--gpu", flags->devices, "Only this GPU, by UUID; may be given more than once");
    command->add_option("--from", flags->begin, "2026-01-31T12:00:00Z; now when not given");
    command->add_option("--until", flags->end, "2026-01-31T18:00:00Z");
    command->add_option("--for", flags->lasting, "Or for so long: 90m, 8h, 7d");
    command->add_option("--note", flags->note, "For the calendar");
}

}  // namespace

void add_gpu_time_commands(CLI::App& group, AdminCommands& commands) {
    auto flags = std::make_shared<Flags>();
    add_reserve(group, commands, flags);
    add_command<Flags>(
        group, "reservations", "What is reserved, by whom and when", commands, flags, list_reservations)
        ->add_flag("--past", flags->past, "Also what is over");
    add_command<Flags>(group, "unreserve", "Remove a reservation", commands, flags, unreserve)
        ->add_option("ID", flags->id, "Its number, as berth gpu reservations shows it")
        ->required();
    auto* emptied = add_command<Flags>(
        group, "drain", "Give this GPU to nobody else, and tell who has it", commands, flags, drain);
    emptied->add_option("UUID", flags->uuid)->required();
    emptied->add_option("--reason", flags->reason, "For the people who have it");
    emptied->add_option("--until", flags->end, "Stop their servers then: 2026-01-31T18:00:00Z");
    emptied->add_option("--for", flags->lasting, "Or after so long: 15m, 8h");
    add_command<Flags>(group, "undrain", "Give a drained GPU out again", commands, flags, undrain)
        ->add_option("UUID", flags->uuid)
        ->required();
    add_command<Flags>(
        group, "lease", "Take one GPU through the allocator, without a server", commands, flags, lease)
        ->add_option("--for", flags->lasting, "For so long: 90m, 8h; gpu.facade_lease at the most");
}

}  // namespace berth::app
