#include "store/rows.hpp"

#include "store/impl/texts.hpp"
#include "store/store.hpp"

#include <array>
#include <utility>

namespace berth::store {

namespace {

constexpr std::array<std::pair<Lifecycle, std::string_view>, 6> kLifecycles{{
    {Lifecycle::stopped, "stopped"},
    {Lifecycle::waiting, "waiting"},
    {Lifecycle::starting, "starting"},
    {Lifecycle::ready, "ready"},
    {Lifecycle::stopping, "stopping"},
    {Lifecycle::failed, "failed"},
}};

constexpr std::array<std::pair<LeaseState, std::string_view>, 6> kLeaseStates{{
    {LeaseState::reserved, "reserved"},
    {LeaseState::bound, "bound"},
    {LeaseState::active, "active"},
    {LeaseState::draining, "draining"},
    {LeaseState::released, "released"},
    {LeaseState::lost, "lost"},
}};

template <class Table, class Enum>
std::string_view name_in(const Table& table, Enum wanted) {
    for (const auto& [value, name] : table)
        if (value == wanted) return name;
    return {};
}

template <class Enum, class Table>
std::optional<Enum> named_in(const Table& table, std::string_view wanted) {
    for (const auto& [value, name] : table)
        if (name == wanted) return value;
    return std::nullopt;
}

}  // namespace

std::string_view name_of(Lifecycle state) {
    return name_in(kLifecycles, state);
}
std::optional<Lifecycle> lifecycle_named(std::string_view name) {
    return named_in<Lifecycle>(kLifecycles, name);
}
std::string_view name_of(LeaseState state) {
    return name_in(kLeaseStates, state);
}
std::optional<LeaseState> lease_state_named(std::string_view name) {
    return named_in<LeaseState>(kLeaseStates, name);
}

std::string_view text_of(StoreErrc reason) {
    switch (reason) {
        case StoreErrc::unopenable:
            return "the database cannot be opened";
        case StoreErrc::schema_too_new:
            return "the database was written by a newer Berth";
        case StoreErrc::migration_failed:
            return "the database cannot be brought to this version";
        case StoreErrc::constraint:
            return "the change contradicts what is stored";
        case StoreErrc::unavailable:
            return "the database cannot be written";
    }
    return "unknown";
}

std::string text_of_list(const std::vector<std::string>& list) {
    return json::serialize(json::array(list.begin(), list.end()));
}

std::vector<std::string> list_of_text(const std::string& text) {
    std::vector<std::string> list;
    const auto value = parse_json(text);
    if (!value || !value->is_array()) return list;
    for (const auto& each : value->get_array())
        if (each.is_string()) list.emplace_back(each.get_string());
    return list;
}

json::value value_of_text(const std::string& text, json::value fallback) {
    auto value = parse_json(text);
    return value ? std::move(*value) : std::move(fallback);
}

}  // namespace berth::store
