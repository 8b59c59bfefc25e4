// The operations of property_world.hpp.
#include "gpu/property_world.hpp"

#include <algorithm>

namespace berth::gpu::property {

using namespace std::chrono_literals;
using store::LeaseState;
using Kind = Pending::Kind;
using Outcome = Pending::Outcome;

const DeviceUuid& uuid_of(Number device) {
    static const std::vector<DeviceUuid> names = [] {
        std::vector<DeviceUuid> all;
        for (Number i = 0; i < kNames; ++i) {
            DeviceUuid uuid("GPU-");
            uuid.value += std::to_string(i);
            all.push_back(std::move(uuid));
        }
        return all;
    }();
    return names.at(device);
}

Number number_in(const DeviceUuid& uuid) {
    Number number = 0;
    for (std::size_t i = 4; i < uuid.value.size(); ++i)
        number = number * 10 + static_cast<Number>(uuid.value[i] - '0');
    return number;
}

bool Pending::concerns(LeaseId id) const {
    return std::any_of(leases.begin(), leases.end(), [id](const auto& row) { return row.id == id; });
}

World::World(std::uint64_t seed)
    : random(seed), factor(1 + below(3)), with_notebooks(seed % 4 != 0), nvml_devices(2 + below(6)) {
    options.oversubscription = factor;
    options.facade_lease = kTimeToLive;
    for (Number i = below(3); i > 0; --i) {
        truth[i - 1].configured = true;
        config::GpuDeviceOptions device;
        device.uuid = uuid_of(i - 1).value;
        options.devices.push_back(std::move(device));
    }
    start();
}

// As the hub's start does it (app/), with what a store that worked would hold.
void World::start() {
    std::vector<store::DeviceRow> stored;
    store::Snapshot snapshot;
    for (const auto& [number, row] : rows.devices)
        stored.push_back(row);
    for (const auto& [id, row] : rows.live)
        snapshot.leases.push_back(row);
    ids.emplace(rows.highest_id + 1);
    inventory.emplace(options, std::move(stored));
    for (auto& row : inventory->take_changed_rows())
        rows.devices[number_in(row.uuid)] = row;
    leases.emplace(options, [](UserId) { return std::string("ann"); });
    leases->sync(*inventory);
    (void)leases->restore(snapshot);
    facade.emplace(*inventory, *leases, *ids, kTimeToLive);

    reported = false;
    listed.reset();
    told.clear();
    acknowledged = {};
    for (Number i = 0; i < kNames; ++i) {
        const auto row = rows.devices.find(i);
        const bool configured = truth[i].configured;
        truth[i] = {.configured = configured};
        if (row == rows.devices.end()) continue;
        truth[i].cordoned = row->second.cordoned;
        truth[i].facade_only = !configured && row->second.source == "facade";
    }
    for (const auto& [id, row] : rows.live) {
        told[id] = row.state;
        for (const auto& uuid : row.devices)
            acknowledged[number_in(uuid)] += row.user ? 0 : 1;
    }
}

void World::crash() {
    ++tally.crashes;
    crashed = true;
    queue.clear();
    facade.reset();
    start();
}

void World::step() {
    asked.reset();
    broken_release.clear();
    broken_repeat.clear();
    crashed = false;
    now += std::chrono::seconds(below(40));
    const auto choice = below(40);
    if (choice < 6) return with_notebooks ? reserve() : request();
    if (choice < 10) return request();
    if (choice < 13) return release();
    if (choice < 15) return advance_a_lease();
    if (choice < 18) return end_a_lease();
    if (choice < 26) return store_works();
    if (choice < 34) return answer_one();
    switch (choice) {
        case 34:
            return populate();
        case 35:
            return one_in(3) ? cordon() : expire();
        case 36:
            return one_in(2) ? report() : expire();
        case 37:
            return one_in(3) ? fail_a_verification() : repeat_an_end();
        case 38:
            return expire_suspicions();
        default:
            return one_in(2) ? crash() : repeat_an_end();
    }
}

void World::reserve() {
    DeviceRequest wish{.count = one_in(3) ? below(5) : 1, .sharing = leases->sharing(one_in(3))};
    if (one_in(4)) {
        for (std::uint32_t i = 1 + below(kNames); i > 0; --i)
            wish.among.push_back(uuid_of(below(kNames)));
    }
    const auto id = ids->next<LeaseId>();
    const UserId user{1 + below(4)};
    auto answer = leases->reserve(id, user, ServerId{number_of(user)}, 1, wish, now);
    grant({.id = id, .request = std::move(wish)}, std::move(answer));
}

void World::request() {
    DeviceRequest wish{.count = 1, .sharing = leases->sharing(false)};
    for (const Number device : listed_now())
        wish.among.push_back(uuid_of(device));
    auto answer = facade->request(now);
    if (wish.among.empty()) {
        if (answer) broken_release = "an empty list gives a GPU";
        return;
    }
    grant({.request = std::move(wish), .by_facade = true}, std::move(answer));
}

void World::grant(Asked question, Result<Leases::Granted> answer) {
    asked = std::move(question);
    if (!answer) {
        ++tally.refusals;
        return;
    }
    ++tally.grants;
    asked->id = answer->row.id;
    asked->granted = answer->row.devices;
    wanted[asked->id] = asked->request.count;
    if (one_in(12)) {  // refused after all by another rule of the start: the claim is dropped
        answer->claim = DeviceLease();
        asked.reset();
        return;
    }
    Pending item{.kind = Kind::grant};
    item.leases.push_back(answer->row);
    item.claim = std::move(answer->claim);
    queue.push_back(std::move(item));
}

bool World::is_under_way(LeaseId id) const {
    return std::any_of(queue.begin(), queue.end(), [id](const Pending& item) { return item.concerns(id); });
}

// One acknowledged lease that no other release is ending must be picked whenever there is one.
void World::release() {
    Number device = below(kNames);
    for (Number i = 0; i < kNames && !one_in(4) && acknowledged[device] == 0; ++i)
        device = (device + 1) % kNames;  // mostly one that has something to release
    std::int64_t ending = 0;
    for (const Pending& item : queue) {
        for (const auto& row : item.leases)
            ending += item.ends() && !row.user && number_in(row.devices.at(0)) == device ? 1 : 0;
    }
    const bool due = acknowledged[device] > ending;
    const auto list = listed_now();
    const bool known = due || std::find(list.begin(), list.end(), device) != list.end();
    auto answer = facade->release(uuid_of(device), now);
    if (answer.has_value() != known) broken_release = "a release errs, or an unknown GPU was released";
    if (!answer) return;
    if (answer->empty() == due) broken_release = due ? "a release ends nothing" : "a release below zero";
    if (answer->empty()) return;
    tally.releases_at_once += ending > 0 ? 1 : 0;
    Pending item{.kind = Kind::end, .leases = answer->rows()};
    item.ending = std::move(*answer);
    queue.push_back(std::move(item));
}

void World::expire() {
    std::set<LeaseId> due;
    for (const auto& [id, state] : told) {
        const auto row = rows.live.find(id);
        if (row == rows.live.end() || row->second.user || is_under_way(id)) continue;
        if (*row->second.expires_at <= now) due.insert(id);
    }
    auto over = facade->expire(now);
    std::set<LeaseId> ended;
    for (const auto& row : over.rows())
        ended.insert(row.id);
    if (ended != due) broken_release = "other leases expire than those whose time is over";
    if (over.empty()) return;
    tally.expired += over.rows().size();
    Pending item{.kind = Kind::end, .leases = over.rows()};
    item.ending = std::move(over);
    queue.push_back(std::move(item));
}

// The hub serialises what happens to one server: no step while another is under way.
const store::LeaseRow* World::any_notebook_lease() {
    for (int tries = 0; tries < 4 && !told.empty(); ++tries) {
        const auto any = std::next(told.begin(), below(static_cast<std::uint32_t>(told.size())));
        const auto* row = leases->find(any->first);
        if (row != nullptr && row->user && !is_under_way(row->id)) return row;
    }
    return nullptr;
}

void World::advance_a_lease() {
    const auto* lease = any_notebook_lease();
    if (lease == nullptr) return;
    const auto kind = below(5);
    const LeaseId id = lease->id;
    auto row = kind == 0   ? leases->bind(id, "container")
               : kind == 1 ? leases->drain(id)
               : kind == 2 ? leases->mark_lost(id)
                           : leases->activate(id);
    if (!row) return;
    Pending item{.kind = Kind::step};
    item.leases.push_back(*std::move(row));
    queue.push_back(std::move(item));
}

void World::end_a_lease() {
    const auto* lease = any_notebook_lease();
    if (lease == nullptr) return;
    Pending item{.kind = Kind::end};
    item.leases.push_back(leases->release(lease->id, now, "stopped").value());
    queue.push_back(std::move(item));
}

void World::repeat_an_end() {
    LeaseId id{rows.highest_id + 1000};
    if (!rows.released.empty() && !one_in(4)) id = *rows.released.rbegin();
    if (leases->find(id) != nullptr) return;  // its end is durable, but not answered yet
    if (leases->release(id, now, "again")) broken_repeat = "an ended lease ends again";
    store::LeaseRow late;
    late.id = id;
    late.state = one_in(2) ? LeaseState::released : LeaseState::active;
    late.devices = {uuid_of(below(kNames))};
    leases->apply(late);
    if (leases->find(id) != nullptr) broken_repeat = "a late step revives an ended lease";
}

void World::populate() {
    std::vector<DeviceUuid> uuids;
    if (listed && one_in(3)) {
        for (const Number device : *listed)
            uuids.push_back(uuid_of(device));
    } else {
        for (std::uint32_t i = below(8); i > 0; --i)
            uuids.push_back(uuid_of(below(kNames)));
    }
    ++tally.populates;
    auto populated = facade->populate(uuids);
    Pending item{.kind = Kind::populate};
    item.devices = std::move(populated.rows);
    item.members = std::move(populated.members);
    queue.push_back(std::move(item));
}

void World::cordon() {
    const Number device = below(kNames);
    const auto plan = inventory->plan_cordon(uuid_of(device), one_in(3));
    if (!plan) return;
    ++tally.cordons;
    Pending item{.kind = Kind::cordon};
    item.devices = *plan;
    queue.push_back(std::move(item));
}

// Devices go and come back, and some have a fault.
void World::report() {
    ++tally.reports;
    reported = true;
    AgentSnapshot snapshot;
    for (Number i = 0; i < nvml_devices; ++i) {
        truth[i].shown = !one_in(6);
        truth[i].fault = truth[i].shown && one_in(8);
        if (!truth[i].shown) continue;
        truth[i].seen = true;
        truth[i].facade_only = false;
        DeviceReading reading;
        reading.uuid = uuid_of(i).value;
        reading.pci_bus_id = std::to_string(one_in(10) ? 50 - i : 10 + i);  // it may be in another slot
        reading.fault = truth[i].fault ? "GPU is lost" : "";
        snapshot.devices.push_back(std::move(reading));
    }
    if (one_in(10)) inventory->agent_silent(now);
    inventory->apply(snapshot, now);
    expire_suspicions();
    write_changes();
}

void World::fail_a_verification() {
    const Number device = below(kNames);
    if (inventory->find(uuid_of(device)) == nullptr) return;
    inventory->note_verify_failure(uuid_of(device), now);
    leases->sync(*inventory);
    auto& known = truth[device];
    known.suspect = known.suspect || (known.last_failure && now - *known.last_failure < 10min);
    known.last_failure = now;
}

void World::expire_suspicions() {
    inventory->expire_suspicions(now);
    leases->sync(*inventory);
    for (auto& device : truth) {
        if (!device.last_failure || now - *device.last_failure < 10min) continue;
        device.suspect = false;
        device.last_failure.reset();
    }
}

void World::write_changes() {
    auto changes = inventory->take_changes();
    if (changes.empty()) return;
    Pending item{.kind = Kind::device_rows};
    item.devices = std::move(changes);
    queue.push_back(std::move(item));
}

void World::store_works() {
    for (auto left = 1 + below(3); left > 0; --left) {
        const auto next = std::find_if(
            queue.begin(), queue.end(), [](const auto& item) { return item.outcome == Outcome::unknown; });
        if (next == queue.end()) return;
        next->outcome = one_in(8) ? Outcome::failed : Outcome::durable;
        if (next->outcome == Outcome::durable) commit(*next);
        tally.failed_commits += next->outcome == Outcome::failed ? 1 : 0;
    }
}

void World::commit(const Pending& item) {
    for (const auto& row : item.leases) {
        rows.highest_id = std::max(rows.highest_id, number_of(row.id));
        const bool known = rows.live.erase(row.id) > 0;
        if (known == (item.kind == Kind::grant))
            broken_commit = "the store is asked to change a lease that is not live there";
        if (row.state == LeaseState::released)
            rows.released.insert(row.id);
        else
            rows.live.emplace(row.id, row);
    }
    for (const auto& row : item.devices.upserts)
        rows.devices[number_in(row.uuid)] = row;
    for (const auto& uuid : item.devices.removals)
        rows.devices.erase(number_in(uuid));
}

void World::answer_one() {
    for (auto left = 1 + below(3); left > 0; --left) {
        if (queue.empty() || queue.front().outcome == Outcome::unknown) return;
        Pending item = std::move(queue.front());
        queue.pop_front();
        answer(std::move(item));
    }
}

void World::answer(Pending item) {
    if (item.kind == Kind::device_rows) {
        if (item.outcome == Outcome::failed) inventory->not_written(item.devices);
        return write_changes();
    }
    if (item.outcome == Outcome::failed) return;  // claim and ending give back
    switch (item.kind) {
        case Kind::grant:
            std::move(item.claim).keep();
            [[fallthrough]];
        case Kind::step:
            for (const auto& row : item.leases) {
                if (item.kind == Kind::step) leases->apply(row);
                told[row.id] = row.state;
                for (const auto& uuid : row.devices)
                    acknowledged[number_in(uuid)] += row.user ? 0 : 1;
            }
            return;
        case Kind::end:
            return answer_ends(std::move(item));
        case Kind::populate:
            return answer_populate(std::move(item));
        case Kind::cordon:
            inventory->apply_cordon(item.devices);
            leases->sync(*inventory);
            for (const auto& row : item.devices.upserts) {
                if (inventory->find(row.uuid)) truth[number_in(row.uuid)].cordoned = row.cordoned;
            }
            return write_changes();
        case Kind::device_rows:
            return;
    }
}

void World::answer_ends(Pending item) {
    for (const auto& row : item.leases) {
        told.erase(row.id);
        if (!row.user) --acknowledged[number_in(row.devices.at(0))];
    }
    if (item.ending.empty()) {
        leases->apply(item.leases.at(0));
    } else {
        facade->apply(item.ending);
    }
    write_changes();
}

void World::answer_populate(Pending item) {
    listed.emplace();
    for (const auto& uuid : item.members) {
        listed->push_back(number_in(uuid));
        if (inventory->find(uuid)) continue;
        truth[number_in(uuid)] = {.facade_only = true};
    }
    facade->apply({.members = std::move(item.members), .rows = std::move(item.devices)});
    write_changes();
}

std::vector<Number> World::listed_now() const {
    if (listed) return *listed;
    std::vector<Number> all;
    for (const auto& device : inventory->devices())
        all.push_back(number_in(device.row.uuid));
    return all;
}

bool World::eligible(Number number) const {
    const auto& device = truth[number];
    if (!inventory->find(uuid_of(number)) || device.cordoned || device.suspect) return false;
    const bool taken_at_its_word = device.configured ? !device.seen : device.facade_only || !reported;
    return taken_at_its_word || (device.shown && !device.fault);
}

}  // namespace berth::gpu::property
