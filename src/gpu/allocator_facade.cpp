#include "gpu/allocator_facade.hpp"

#include "base/json.hpp"
#include "gpu/device_rows.hpp"
#include "store/queries.hpp"
#include "store/settings.hpp"

#include <algorithm>

namespace berth::gpu {
namespace {

const std::string kListSetting = "facade_list";

std::string text_of_list(const std::vector<DeviceUuid>& uuids) {
    json::array list;
    for (const auto& uuid : uuids)
        list.emplace_back(uuid.value);
    return json::serialize(list);
}

std::optional<std::vector<DeviceUuid>> list_of_text(const std::string& text) {
    const auto parsed = parse_json(text);
    const auto* list = parsed ? parsed->if_array() : nullptr;
    if (list == nullptr) return std::nullopt;
    std::vector<DeviceUuid> uuids;
    for (const auto& each : *list) {
        if (!each.is_string()) return std::nullopt;
        uuids.emplace_back(std::string(each.get_string()));
    }
    return uuids;
}

bool contains(const std::vector<DeviceUuid>& list, const DeviceUuid& uuid) {
    return std::find(list.begin(), list.end(), uuid) != list.end();
}

bool is_facade_lease(const store::LeaseRow& row) {
    return !row.user && !row.server;
}

}  // namespace

EndingLeases::EndingLeases(AllocatorFacade& facade, std::vector<store::LeaseRow> rows)
    : facade_(&facade), rows_(std::move(rows)) {
    for (const auto& row : rows_)
        facade_->ending_.insert(row.id);
}

EndingLeases& EndingLeases::operator=(EndingLeases&& other) noexcept {
    if (this != &other) {
        let_go();
        facade_ = std::exchange(other.facade_, nullptr);
        rows_ = std::move(other.rows_);
    }
    return *this;
}

void EndingLeases::let_go() noexcept {
    if (!facade_) return;
    for (const auto& row : rows_)
        facade_->ending_.erase(row.id);
    facade_ = nullptr;
}

AllocatorFacade::AllocatorFacade(
    Inventory& inventory, Leases& leases, store::Ids& ids, std::chrono::seconds time_to_live)
    : inventory_(inventory), leases_(leases), ids_(ids), time_to_live_(time_to_live) {}

std::vector<DeviceUuid> AllocatorFacade::members() const {
    if (members_) return *members_;
    std::vector<DeviceUuid> all;
    for (const auto& device : inventory_.devices())
        all.push_back(device.row.uuid);
    return all;
}

AllocatorFacade::Populated AllocatorFacade::populate(const std::vector<DeviceUuid>& uuids) {
    std::vector<DeviceUuid> distinct;
    for (const auto& uuid : uuids) {
        if (!uuid.empty() && !contains(distinct, uuid)) distinct.push_back(uuid);
    }
    auto rows = inventory_.plan_facade_devices(distinct, left_out(distinct));
    return {.members = std::move(distinct), .rows = std::move(rows)};
}

Result<void> AllocatorFacade::restore(store::Store& store) {
    BERTH_TRY(const auto kept, store.setting(kListSetting));
    if (!kept) return {};
    const auto list = list_of_text(*kept);
    if (!list) {
        // Not every device instead: somebody left some of them out on purpose.
        return Error{
            store::StoreErrc::unavailable,
            "The allocator's list of GPUs in the database cannot be read. Restore a backup, or delete the "
            "row "
            "facade_list of the table settings and populate the allocator again.",
            *kept};
    }
    set_members(*list);
    leases_.sync(inventory_);
    return {};
}

void AllocatorFacade::set_members(const std::vector<DeviceUuid>& uuids) {
    members_ = uuids;
    inventory_.add_facade_devices(uuids);
    forget_left_out();
}

// Meanwhile a device to be removed may have been leased: then it stays, and settle() sees to its row.
void AllocatorFacade::apply(const Populated& durable) {
    set_members(durable.members);
    inventory_.settle(durable.rows);
    leases_.sync(inventory_);
}

awaitable<Result<void>> AllocatorFacade::commit_populated(
    store::Store& store, Populated populated, store::AuditRow audit) {
    auto list = text_of_list(populated.members);
    store::Change change = [rows = populated.rows, list = std::move(list), audit](store::Transaction& t) {
        write(t, rows);
        store::put_setting(t, kListSetting, list);
        store::insert(t, audit);
    };
    BERTH_CO_CHECK(co_await store.commit(std::move(change)));
    apply(populated);
    co_return co_await write_changes(store, inventory_);
}

std::vector<DeviceUuid> AllocatorFacade::left_out(const std::vector<DeviceUuid>& members) const {
    std::vector<DeviceUuid> out;
    for (const auto& device : inventory_.devices()) {
        const auto& uuid = device.row.uuid;
        if (device.facade_only && !contains(members, uuid) && leases_.on_device(uuid).empty())
            out.push_back(uuid);
    }
    return out;
}

void AllocatorFacade::forget_left_out() {
    if (!members_) return;
    const auto gone = left_out(*members_);
    for (const auto& uuid : gone)
        inventory_.drop_facade_device(uuid);
    if (!gone.empty()) leases_.sync(inventory_);
}

Result<Leases::Granted> AllocatorFacade::request(
    Timestamp now, const std::vector<DeviceUuid>& promised, std::optional<std::chrono::seconds> length) {
    DeviceRequest one{.count = 1, .sharing = leases_.sharing(false), .among = members()};
    if (one.among.empty()) {
        return Error{
            DeviceErrc::no_devices, "The allocator has no GPUs yet: populate it with their UUIDs first."};
    }
    const auto ends = now + std::min(length.value_or(time_to_live_), time_to_live_);
    const auto kept =
        std::erase_if(one.among, [&](const DeviceUuid& uuid) { return contains(promised, uuid); });
    auto granted = one.among.empty() ? Result<Leases::Granted>(Error{DeviceErrc::none_free, {}})
                                     : leases_.reserve_anonymous(ids_.next<LeaseId>(), one, now, ends);
    const bool refused = !granted && granted.error().is(DeviceErrc::none_free);
    if (!refused || kept == 0) return granted;
    return Error{
        DeviceErrc::none_free,
        "No GPU is free for the allocator: " + std::to_string(kept) +
            (kept == 1 ? " free one is" : " free ones are") +
            " promised to starts that wait or to reservations. Try again later."};
}

// One whose grant is still being committed has not been told to anybody, so nobody can mean it.
bool AllocatorFacade::may_end(const store::LeaseRow& row) const {
    return is_facade_lease(row) && leases_.is_durable(row.id) && !ending_.contains(row.id);
}

Result<EndingLeases> AllocatorFacade::release(const DeviceUuid& uuid, Timestamp now) {
    for (const auto* row : leases_.on_device(uuid)) {
        if (!may_end(*row)) continue;
        BERTH_TRY(store::LeaseRow ended, leases_.release(row->id, now, "released through the allocator API"));
        std::vector<store::LeaseRow> rows{std::move(ended)};
        return EndingLeases(*this, std::move(rows));
    }
    if (!contains(members(), uuid)) {
        return Error{DeviceErrc::unknown_device, "The allocator knows no GPU " + uuid.value + "."};
    }
    return EndingLeases();
}

EndingLeases AllocatorFacade::expire(Timestamp now) {
    std::vector<store::LeaseRow> rows;
    for (const LeaseId id : leases_.expired(now)) {
        if (!may_end(*leases_.find(id))) continue;
        if (auto row = leases_.release(id, now, "time to live over")) rows.push_back(*std::move(row));
    }
    return EndingLeases(*this, std::move(rows));
}

void AllocatorFacade::apply(const EndingLeases& durable) {
    for (const auto& row : durable.rows())
        leases_.apply(row);
    forget_left_out();
}

awaitable<Result<void>> AllocatorFacade::commit_ended(
    store::Store& store, EndingLeases ended, std::optional<store::AuditRow> audit) {
    store::Change change = [rows = ended.rows(), audit](store::Transaction& t) {
        for (const auto& row : rows)
            store::end_lease(t, row);
        if (audit) store::insert(t, *audit);
    };
    BERTH_CO_CHECK(co_await store.commit(std::move(change)));
    apply(ended);
    // The leases have ended either way; rows of forgotten devices that could not be deleted go next time.
    (void)co_await write_changes(store, inventory_);
    co_return Result<void>{};
}

awaitable<Result<void>> AllocatorFacade::move_ends(store::Store& store, std::chrono::microseconds by) {
    std::vector<store::LeaseRow> rows;
    for (const auto& [id, row] : leases_.all()) {
        if (!may_end(row) || !row.expires_at) continue;
        rows.push_back(row);
        *rows.back().expires_at += by;
    }
    const EndingLeases untouched(*this, rows);  // by others, until this is durable
    store::Change change = [rows](store::Transaction& t) {
        for (const auto& row : rows)
            store::update(t, row);
    };
    BERTH_CO_CHECK(co_await store.commit(std::move(change)));
    for (const auto& row : rows)
        leases_.apply(row);
    co_return Result<void>{};
}

std::vector<std::pair<DeviceUuid, std::uint32_t>> AllocatorFacade::list() const {
    std::vector<std::pair<DeviceUuid, std::uint32_t>> counts;
    const auto listed = members();
    for (const auto& uuid : listed) {
        const auto view = leases_.ledger().find(uuid);
        counts.emplace_back(uuid, view ? view->leases : 0);
    }
    for (const auto& view : leases_.ledger().devices()) {
        if (contains(listed, view.device.uuid)) continue;
        const auto holders = leases_.on_device(view.device.uuid);
        const bool any =
            std::any_of(holders.begin(), holders.end(), [](auto* row) { return is_facade_lease(*row); });
        if (any) counts.emplace_back(view.device.uuid, view.leases);
    }
    return counts;
}

}  // namespace berth::gpu
