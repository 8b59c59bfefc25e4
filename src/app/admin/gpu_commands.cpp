// berth gpu …
#include "app/admin/commands.hpp"
#include "app/admin/output.hpp"

#include <iostream>

namespace berth::app {
namespace {

struct Flags {
    std::string uuid;
    std::string lease;
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
             is_true(device, "cordoned") ? "yes" : "",
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

}  // namespace

void add_gpu_commands(CLI::App& app, AdminCommands& commands) {
    auto flags = std::make_shared<Flags>();
    auto* group = add_group(app, "gpu", "Who holds which GPU; cordon a GPU; end a lease");
    add_command<Flags>(*group, "list", "List GPUs and who holds them", commands, flags, list_gpus);
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
}

}  // namespace berth::app
