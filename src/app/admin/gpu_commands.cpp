// berth gpu …
#include "app/admin/commands.hpp"
#include "app/admin/output.hpp"
#include "base/text.hpp"

#include <iostream>

namespace berth::app {
namespace {

struct Flags {
    std::string uuid;
    std::string lease;
    std::string user;
    std::string profile;
    std::string project;
    std::int64_t gpus = 0;
    std::string by = "user";
    std::string from;
};

std::string holders(const json::value& device) {
    std::string all;
    const auto* leases = array_at(device.as_object(), "leases");
    for (const auto& lease : leases ? *leases : json::array{}) {
        auto user = cell(lease, "user");
        const auto server = cell(lease, "server");
        if (user.empty()) user = "(allocator)";
        all += (all.empty() ? "" : ", ") + user + (server.empty() ? "" : "/" + server) + " #" +
               cell(lease, "id");
    }
    const auto* external = array_at(device.as_object(), "external");
    for (const auto& use : external ? *external : json::array{})
        all += (all.empty() ? "" : ", ") + std::string("outside: ") +
               std::string(use.is_string() ? use.get_string() : "?");
    return all;
}

// "yes", or "drain until …" while it is being emptied.
std::string out_of_service(const json::value& device) {
    const auto* drain = device.is_object() ? object_at(device.get_object(), "drain") : nullptr;
    if (drain == nullptr) return is_true(device, "cordoned") ? "yes" : "";
    const auto deadline = time_cell(*drain, "deadline");
    return deadline.empty() ? "drain" : "drain until " + deadline;
}

Result<void> list_gpus(const HubClient& hub, const Flags&, bool as_json) {
    BERTH_TRY(const auto board, hub.get("/berth/gpus"));
    if (as_json) {
        print_json(board);
        return {};
    }
    Table table({"UUID", "NAME", "MEMORY", "HEALTH", "FREE", "CORDONED", "HELD BY (LEASE)"});
    const auto* devices = board.is_object() ? array_at(board.get_object(), "devices") : nullptr;
    if (devices == nullptr) return Error{HubClientErrc::refused, "The hub answered with something else."};
    for (const auto& device : *devices) {
        const auto bytes = int_at(device.as_object(), "memory_bytes").value_or(0);
        table.add(
            {cell(device, "uuid"),
             cell(device, "name"),
             bytes == 0 ? "" : std::to_string(bytes / (1024LL * 1024)) + " MiB",
             cell(device, "health"),
             cell(device, "free") + "/" + cell(device, "capacity"),
             out_of_service(device),
             holders(device)});
    }
    table.print("The hub knows no GPU. berth doctor says why.");
    if (is_true(board, "simulated")) std::cout << "(simulated)\n";
    if (is_true(board, "stale"))
        std::cout << "These readings are old: no answer from the GPU agent since "
                  << time_cell(board, "stale_since") << " UTC.\n";
    return {};
}

Result<void> say(const Result<json::value>& answer, const std::string& otherwise, bool as_json) {
    if (!answer) return answer.error();
    const auto message = cell(*answer, "message");
    if (as_json)
        print_json(*answer);
    else
        std::cout << (message.empty() ? otherwise : message) << "\n";
    return {};
}

Result<void> cordon(const HubClient& hub, const Flags& flags, bool as_json) {
    return say(
        hub.send(http::Method::put, "/berth/gpus/" + segment(flags.uuid) + "/cordon", nullptr),
        flags.uuid + " is cordoned: nobody else gets it; who has it keeps it.",
        as_json);
}

Result<void> uncordon(const HubClient& hub, const Flags& flags, bool as_json) {
    return say(
        hub.send(http::Method::del, "/berth/gpus/" + segment(flags.uuid) + "/cordon", nullptr),
        flags.uuid + " is given out again.",
        as_json);
}

Result<void> release(const HubClient& hub, const Flags& flags, bool as_json) {
    return say(
        hub.send(http::Method::del, "/berth/leases/" + segment(flags.lease), nullptr),
        "The lease " + flags.lease + " has ended.",
        as_json);
}

std::string start_of(const json::value& entry) {
    const auto latest = time_cell(entry, "latest_start");
    const auto likely = time_cell(entry, "likely_start");
    if (likely.empty()) return latest.empty() ? "nobody knows" : latest;
    return latest.empty() || latest == likely ? likely : likely + " (at the latest " + latest + ")";
}

Result<void> list_queue(const HubClient& hub, const Flags&, bool as_json) {
    BERTH_TRY(const auto queue, hub.get("/berth/gpu/queue"));
    if (as_json) {
        print_json(queue);
        return {};
    }
    Table table({"POSITION", "USER", "SERVER", "GPUS", "SINCE", "PROBABLY STARTS", "HELD BACK BY"});
    const auto* waiting = queue.is_object() ? array_at(queue.get_object(), "waiting") : nullptr;
    for (const auto& entry : waiting ? *waiting : json::array{})
        table.add(
            {cell(entry, "position"),
             cell(entry, "user"),
             cell(entry, "server"),
             cell(entry, "gpus"),
             time_cell(entry, "since"),
             start_of(entry),
             cell(entry, "held_back_by")});
    table.print("Nobody waits for a GPU.");
    return {};
}

Result<void> explain(const HubClient& hub, const Flags& flags, bool as_json) {
    json::object options;
    if (!flags.profile.empty()) options["profile"] = flags.profile;
    if (!flags.project.empty()) options["project"] = flags.project;
    if (flags.gpus > 0) options["gpus"] = flags.gpus;
    const json::object body{{"user", flags.user}, {"options", options}};
    BERTH_TRY(const auto answer, hub.send(http::Method::post, "/berth/gpu/simulate", body));
    if (as_json) {
        print_json(answer);
        return {};
    }
    const auto refusal = cell(answer, "refusal");
    const auto rule = cell(answer, "held_back_by");
    if (!refusal.empty())
        std::cout << "It can never start as it is: " << refusal << "\n";
    else if (is_true(answer, "starts_now"))
        std::cout << "It would start now.\n";
    else
        std::cout << "Position " << cell(answer, "position") << "; starts: " << start_of(answer) << "\n";
    if (!rule.empty()) std::cout << "Held back by " << rule << "\n";
    Table table({"GPU", "NAME", "", "FREE AT"});
    const auto* devices = array_at(answer.as_object(), "devices");
    for (const auto& device : devices ? *devices : json::array{})
        table.add(
            {cell(device, "uuid"), cell(device, "name"), cell(device, "text"), time_cell(device, "free_at")});
    table.print("");
    const auto* helps = array_at(answer.as_object(), "helps");
    for (const auto& sentence : helps ? *helps : json::array{})
        std::cout << printable(std::string(sentence.as_string())) << "\n";
    return {};
}

Result<void> usage(const HubClient& hub, const Flags& flags, bool as_json) {
    const auto path = "/berth/gpu/usage?by=" + segment(flags.by) +
                      (flags.from.empty() ? "" : "&from=" + segment(flags.from));
    BERTH_TRY(const auto answer, hub.get(path));
    if (as_json) {
        print_json(answer);
        return {};
    }
    std::vector<std::string> heads;
    for (const auto key : split(flags.by, ','))
        heads.emplace_back(key);
    const auto keys = heads;
    for (const auto* figure : {"GPU-HOURS", "USED", "UNUSED", "KWH", "LEASES"})
        heads.emplace_back(figure);
    Table table(std::move(heads));
    const auto* rows = answer.is_object() ? array_at(answer.get_object(), "rows") : nullptr;
    for (const auto& row : rows ? *rows : json::array{}) {
        std::vector<std::string> cells;
        for (const auto& key : keys)
            cells.push_back(cell(row, key));
        for (const auto* figure : {"gpu_hours", "used_hours", "wasted_hours", "energy_kwh", "intervals"})
            cells.push_back(cell(row, figure));
        table.add(std::move(cells));
    }
    table.print("Nobody has held a GPU in that time.");
    return {};
}

}  // namespace

void add_gpu_commands(CLI::App& app, AdminCommands& commands) {
    auto flags = std::make_shared<Flags>();
    auto* group = add_group(app, "gpu", "Who holds which GPU; cordon a GPU; end a lease");
    add_command<Flags>(*group, "list", "List GPUs and who holds them", commands, flags, list_gpus);
    add_command<Flags>(*group, "queue", "Who waits for a GPU, and until when", commands, flags, list_queue);
    for (const auto* name : {"why", "simulate"}) {
        auto* why = add_command<Flags>(
            *group, name, "What a start of this user would meet now, GPU by GPU", commands, flags, explain);
        why->add_option("USER", flags->user)->required();
        why->add_option("--profile", flags->profile, "The profile; their default when not given");
        why->add_option("--project", flags->project, "For this project");
        why->add_option("--gpus", flags->gpus, "So many GPUs; those of the profile when not given");
    }
    auto* used = add_command<Flags>(
        *group, "usage", "GPU-hours held and used in the last 30 days", commands, flags, usage);
    used->add_option(
        "--by", flags->by, "user, group, project, model, profile, gpu or week, or two of them: user,week");
    used->add_option("--from", flags->from, "Since this time: 2026-01-31T12:00:00Z");
    add_command<Flags>(*group, "cordon", "Give this GPU to nobody else", commands, flags, cordon)
        ->add_option("UUID", flags->uuid)
        ->required();
    add_command<Flags>(*group, "uncordon", "Give this GPU out again", commands, flags, uncordon)
        ->add_option("UUID", flags->uuid)
        ->required();
    add_command<Flags>(
        *group,
        "release",
        "End a lease; a server that holds it is stopped first, its GPUs are free when its container is gone",
        commands,
        flags,
        release)
        ->add_option("LEASE", flags->lease, "Its number, as berth gpu list shows it")
        ->required();
    add_gpu_time_commands(*group, commands);
}

}  // namespace berth::app
