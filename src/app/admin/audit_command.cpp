// berth audit
#include "app/admin/commands.hpp"
#include "app/admin/output.hpp"
#include "base/text.hpp"

namespace berth::app {
namespace {

struct Flags {
    std::string principal;
    std::string action;
    std::string target;
    std::string since;
    std::int64_t limit = 50;
};

Result<void> list_audit(const HubClient& hub, const Flags& flags, bool as_json) {
    std::string query = "?limit=" + std::to_string(flags.limit);
    auto add = [&](const char* name, const std::string& value) {
        if (!value.empty()) query += std::string("&") + name + "=" + url_escape_query(value);
    };
    add("principal", flags.principal);
    add("action", flags.action);
    add("target", flags.target);
    add("since", flags.since);
    BERTH_TRY(const auto records, hub.get("/berth/audit" + query));
    if (as_json) {
        print_json(records);
        return {};
    }
    Table table({"WHEN (UTC)", "WHO", "DID", "TO", "BY RIGHT", "RESULT", "DETAIL"});
    for (const auto& record : records.is_array() ? records.get_array() : json::array{})
        table.add(
            {time_cell(record, "at"),
             cell(record, "principal"),
             cell(record, "action"),
             cell(record, "target"),
             cell(record, "permit"),
             cell(record, "result"),
             cell(record, "detail")});
    table.print("No record matches.");
    return {};
}

}  // namespace

void add_audit_command(CLI::App& app, AdminCommands& commands) {
    auto flags = std::make_shared<Flags>();
    auto* command =
        add_command<Flags>(app, "audit", "Print who did what, newest first", commands, flags, list_audit);
    command->add_option("--who", flags->principal, "Only of this one: user:ann, service:ops, system:reaper");
    command->add_option("--action", flags->action, "Only this: server.start, or server for all of server.*");
    command->add_option("--target", flags->target, "Only what was done to this");
    command->add_option("--since", flags->since, "Only from then on: 2026-01-31T12:00:00Z");
    command->add_option("--limit", flags->limit, "How many")
        ->check(CLI::Range(1, 10'000))
        ->capture_default_str();
}

}  // namespace berth::app
