#include "spawn/spawners/local/records.hpp"

#include "base/text.hpp"
#include "obs/log.hpp"

#include <filesystem>
#include <fstream>

namespace berth::spawn::local {
namespace {

std::optional<Record> record_in(const std::string& text) {
    const auto document = parse_json(text);
    if (!document || !document->is_object()) return std::nullopt;
    auto record = from_state(*document);
    const auto* plan = object_at(document->as_object(), "plan");
    if (!record || !plan) return std::nullopt;
    record->plan = *plan;
    return record;
}

// Empty when there is none. One that is no record (a disk lost it: files are replaced whole) counts as none:
// a stop finds its processes by their mark all the same.
Result<std::optional<Record>> read_record(const std::filesystem::path& path) {
    BERTH_TRY(const auto text, contents_of(path.string()));
    if (!text) return std::optional<Record>{};
    auto record = record_in(*text);
    if (!record) log::error("local.record_damaged", {{"path", path.string()}});
    return record;
}

}  // namespace

SpawnState Record::state() const {
    return json::object{{"pid", process.pid}, {"start_time", process.start_time}, {"port", port}};
}

std::optional<Record> from_state(const SpawnState& state) {
    if (!state.is_object()) return std::nullopt;
    const auto& object = state.as_object();
    const auto pid = int_at(object, "pid");
    const auto start_time = int_at(object, "start_time");
    const auto port = int_at(object, "port");
    if (!pid || !start_time || !port || *pid <= 0) return std::nullopt;
    Record record;
    record.process = {static_cast<pid_t>(*pid), static_cast<std::uint64_t>(*start_time)};
    record.port = static_cast<std::uint16_t>(*port);
    return record;
}

std::string Records::path_of(const std::string& instance, ServerId server) const {
    return folder_ + "/" + container_escape(instance) + "--" + std::to_string(number_of(server)) + ".json";
}

Result<void> Records::save(const Record& record) const {
    const auto plan = StartPlan::from_stored(record.plan);
    const std::string path = path_of(plan.instance, plan.server);
    auto document = record.state();
    document.as_object()["plan"] = record.plan;
    std::ofstream file(path + ".new", std::ios::binary | std::ios::trunc);
    file << json::serialize(document) << "\n";
    file.close();
    std::error_code error;
    if (file) std::filesystem::rename(path + ".new", path, error);
    if (file && !error) return {};
    return Error{
        SpawnErrc::backend_failed,
        "The hub could not write to its state folder, so nothing was started. Ask the administrator to look "
        "at its disk.",
        path + ": " + (error ? error.message() : "not writable")};
}

Result<std::optional<Record>> Records::load(const std::string& instance, ServerId server) const {
    return read_record(path_of(instance, server));
}

void Records::remove(const std::string& instance, ServerId server) const {
    std::error_code missing;
    std::filesystem::remove(path_of(instance, server), missing);
}

Result<std::vector<Record>> Records::all(const std::string& instance) const {
    std::vector<Record> records;
    std::error_code error;
    const std::string prefix = container_escape(instance) + "--";
    auto it = std::filesystem::directory_iterator(folder_, error);
    for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
        const auto name = it->path().filename().string();
        if (!name.starts_with(prefix) || !name.ends_with(".json")) continue;
        BERTH_TRY(auto record, read_record(it->path()));
        if (record) records.push_back(std::move(*record));
    }
    if (!error || error == std::errc::no_such_file_or_directory) return records;
    return Error{
        SpawnErrc::backend_failed,
        "The hub cannot see which notebooks run, so it leaves everything as it is and tries again. The "
        "administrator should look at the hub's log.",
        folder_ + ": " + error.message()};
}

}  // namespace berth::spawn::local
