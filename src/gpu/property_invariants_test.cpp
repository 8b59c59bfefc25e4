// The invariants of gpu.md E.13, checked against counters that are recomputed each time from the committed
// live leases and the commits under way. One function each; I13, I14 and I6 look at the request of the step.
#include "gpu/property_world.hpp"

#include <algorithm>

namespace berth::gpu::property {
namespace {

using Kind = Pending::Kind;
using Outcome = Pending::Outcome;

// The leases that must hold devices now: the live rows, grants whose claim is still held, and leases whose
// end is durable but was not answered yet.
template <class Each>
void for_each_held(const World& world, Each each) {
    for (const auto& [id, row] : world.rows.live)
        each(row);
    for (const Pending& item : world.queue) {
        const bool uncommitted_grant = item.kind == Kind::grant && item.outcome != Outcome::durable;
        const bool unanswered_end = item.ends() && item.outcome == Outcome::durable;
        if (!uncommitted_grant && !unanswered_end) continue;
        for (const auto& row : item.leases)
            each(row);
    }
}

struct Count {
    std::uint32_t leases = 0;
    std::uint32_t exclusive = 0;
    std::uint32_t facade = 0;
};

struct Counters {
    std::array<Count, kNames> on{};
    std::size_t held = 0;
    std::vector<Ledger::View> views;  // what the ledger says, in its order

    explicit Counters(const World& world) : views(world.leases->ledger().devices()) {
        for_each_held(world, [this](const store::LeaseRow& row) {
            ++held;
            for (const auto& uuid : row.devices)
                add(number_in(uuid), row.exclusive, !row.user);
        });
    }
    void add(Number device, bool exclusive, bool facade) {
        ++on[device].leases;
        on[device].exclusive += exclusive ? 1 : 0;
        on[device].facade += facade ? 1 : 0;
    }
};

std::string at(Number device) {
    return " (" + uuid_of(device).value + ")";
}

// I1: the counter of a device is the number of live leases that hold it.
std::string i1(const World& world, const Counters& count) {
    if (world.leases->all().size() != count.held || world.leases->ledger().live_leases() != count.held)
        return "I1: another number of leases than are live";
    std::array<bool, kNames> known{};
    for (const auto& view : count.views) {
        const Number device = number_in(view.device.uuid);
        known[device] = true;
        if (view.leases != count.on[device].leases) return "I1: the counter is wrong" + at(device);
        if (world.leases->on_device(view.device.uuid).size() != count.on[device].leases)
            return "I1: others are listed on the device" + at(device);
    }
    for (Number device = 0; device < kNames; ++device) {
        if (!known[device] && count.on[device].leases > 0) return "I1: leased, but not known" + at(device);
    }
    return {};
}

// I2: never more than k leases on a device, and an exclusive one is alone.
std::string i2(const World& world, const Counters& count) {
    for (Number device = 0; device < kNames; ++device) {
        const auto& on = count.on[device];
        if (on.leases > world.factor) return "I2: more leases than the factor" + at(device);
        if (on.exclusive > 0 && on.leases != 1) return "I2: exclusive, but not alone" + at(device);
    }
    return {};
}

// I5: while anybody is on a device its mode, exclusive or shared, does not change.
std::string i5(World& world, const Counters& count) {
    std::string broken;
    for (const auto& view : count.views) {
        const Number device = number_in(view.device.uuid);
        if (view.exclusively_held != (count.on[device].exclusive > 0))
            broken = "I5: marked wrong" + at(device);
    }
    for (Number device = 0; device < kNames; ++device) {
        const auto& on = count.on[device];
        if (on.exclusive > 0 && on.exclusive != on.leases) broken = "I5: held in both modes" + at(device);
        const int mode = on.leases == 0 ? 0 : on.exclusive > 0 ? 2 : 1;
        const int before = std::exchange(world.mode_before[device], mode);
        if (mode != 0 && before != 0 && mode != before) broken = "I5: changed while held" + at(device);
    }
    return broken;
}

// I6: a granted device was there, healthy, not cordoned, and one that the request might be given.
std::string i6(const World& world) {
    if (!world.asked || !world.asked->granted) return {};
    const auto& among = world.asked->request.among;
    for (const auto& uuid : *world.asked->granted) {
        const Number device = number_in(uuid);
        if (!world.eligible(device)) return "I6: granted what may not be given out" + at(device);
        const bool named = std::find(among.begin(), among.end(), uuid) != among.end();
        if (among.empty() ? world.truth[device].facade_only : !named)
            return "I6: granted what was not asked for" + at(device);
    }
    return {};
}

// I8: a lease has exactly the n distinct devices it asked for, and a refused one has none.
std::string i8(const World& world) {
    for (const auto& [id, row] : world.leases->all()) {
        auto devices = row.devices;
        std::sort(devices.begin(), devices.end());
        const bool distinct = std::adjacent_find(devices.begin(), devices.end()) == devices.end();
        const auto wanted = world.wanted.find(id);
        if (!distinct || wanted == world.wanted.end() || devices.size() != wanted->second)
            return "I8: lease " + std::to_string(number_of(id)) + " has not the devices it asked for";
    }
    if (!world.asked || world.asked->granted || world.asked->by_facade) return {};
    const bool left = world.leases->find(world.asked->id) || world.leases->ledger().holds(world.asked->id);
    return left ? "I8: a refused request left something" : "";
}

// I9: a released lease holds nothing, and releasing it again, or what never was, changes nothing.
std::string i9(const World& world) {
    if (!world.broken_repeat.empty()) return "I9: " + world.broken_repeat;
    for (const auto& [id, row] : world.leases->all()) {
        if (world.rows.released.contains(id) && !world.is_under_way(id))
            return "I9: lease " + std::to_string(number_of(id)) + " is released and still holds devices";
    }
    return {};
}

// Its row is on its way to the store, or the change that made memory and row differ was not answered yet.
bool is_being_written(const World& world, const DeviceUuid& uuid) {
    return std::any_of(world.queue.begin(), world.queue.end(), [&](const Pending& item) {
        if (item.kind != Kind::device_rows && item.outcome != Outcome::durable) return false;
        const auto& upserts = item.devices.upserts;
        const auto& removals = item.devices.removals;
        return std::find(removals.begin(), removals.end(), uuid) != removals.end() ||
               std::any_of(upserts.begin(), upserts.end(), [&](const auto& row) { return row.uuid == uuid; });
    });
}

// Of I11: what administrators and the façade's callers change shows only once its row is durable.
std::string i11_of_devices(World& world) {
    const auto& devices = world.inventory->devices();
    for (const auto& device : devices) {
        const auto row = world.rows.devices.find(number_in(device.row.uuid));
        const bool durable = row != world.rows.devices.end();
        const bool ahead =
            (device.facade_only && !durable) || (device.row.cordoned && !(durable && row->second.cordoned));
        if (ahead && !is_being_written(world, device.row.uuid))
            return "I11: shown before it is durable" + at(number_in(device.row.uuid));
    }
    if (!world.queue.empty()) return {};
    if (!world.inventory->take_changes().empty()) return "I11: device rows that nobody writes";
    if (devices.size() != world.rows.devices.size()) return "I11: other device rows than devices";
    for (const auto& device : devices) {
        const auto row = world.rows.devices.find(number_in(device.row.uuid));
        const bool same = row != world.rows.devices.end() && row->second.position == device.row.position &&
                          row->second.cordoned == device.row.cordoned &&
                          row->second.source == device.row.source &&
                          row->second.pci_bus_id == device.row.pci_bus_id;
        if (!same) return "I11: a device row differs" + at(number_in(device.row.uuid));
    }
    return {};
}

// I11: nobody is told what a restart would not know: what was told is in the rows, memory shows no more.
std::string i11(World& world) {
    if (!world.broken_commit.empty()) return "I11: " + world.broken_commit;
    for (const auto& [id, state] : world.told) {
        const auto* row = world.leases->find(id);
        const auto name = "I11: lease " + std::to_string(number_of(id));
        if (row == nullptr) return name + " was told and is forgotten";
        if (row->state != state) return name + " shows a step that was not told";
        if (!world.rows.live.contains(id) && !world.is_under_way(id))
            return name + " was told and has no row";
    }
    for (const auto& [id, row] : world.leases->all()) {
        if (!world.told.contains(id) && !world.is_under_way(id))
            return "I11: lease " + std::to_string(number_of(id)) + " is in memory only";
    }
    return i11_of_devices(world);
}

// I13: the choice is a function of state and request: a new ledger with the same leases, booked in another
// order, answers the same.
std::string i13(const World& world, const Counters& count) {
    if (!world.asked) return {};
    Ledger again;
    for (const auto& view : count.views)
        again.put(view.device);
    const auto& all = world.leases->all();
    for (auto lease = all.rbegin(); lease != all.rend(); ++lease) {
        if (lease->first == world.asked->id) continue;
        const auto sharing = lease->second.exclusive ? Sharing::exclusive : Sharing::shared;
        (void)again.restore(lease->first, sharing, lease->second.devices);
    }
    const auto answer = again.acquire(LeaseId{-1}, world.asked->request);
    if (answer.has_value() != world.asked->granted.has_value()) return "I13: another answer to the same";
    return answer && *answer != *world.asked->granted ? "I13: another choice for the same" : "";
}

// The devices a request ranges over that have room, in tie order.
std::vector<Number> with_room(const World& world, const Counters& count, const DeviceRequest& request) {
    std::vector<Number> range;
    if (request.among.empty()) {
        for (const auto& view : count.views)
            range.push_back(number_in(view.device.uuid));
        std::erase_if(range, [&](Number device) { return world.truth[device].facade_only; });
    }
    for (const auto& uuid : request.among) {
        const Number device = number_in(uuid);
        if (std::find(range.begin(), range.end(), device) == range.end()) range.push_back(device);
    }
    std::erase_if(range, [&](Number device) {
        const auto& on = count.on[device];
        const bool fits = request.sharing == Sharing::exclusive
                              ? on.leases == 0
                              : on.exclusive == 0 && on.leases < world.factor;
        return !fits || !world.eligible(device);
    });
    return range;
}

// The counters as they were before the request of this step was granted.
Counters before(const World& world, Counters count) {
    if (!world.asked->granted) return count;
    for (const auto& uuid : *world.asked->granted) {
        auto& on = count.on[number_in(uuid)];
        --on.leases;
        on.exclusive -= world.asked->request.sharing == Sharing::exclusive ? 1 : 0;
        on.facade -= world.asked->by_facade ? 1 : 0;
    }
    return count;
}

// I14: the devices with the fewest leases, the first in order among equals; refused only when too few fit.
std::string i14(const World& world, const Counters& count) {
    if (!world.asked) return {};
    const auto& request = world.asked->request;
    const Counters earlier = before(world, count);
    auto range = with_room(world, earlier, request);
    const bool fits = request.count > 0 && range.size() >= request.count;
    if (fits != world.asked->granted.has_value())
        return fits ? "I14: refused although it fits" : "I14: granted although too few fit";
    if (!fits) return {};
    std::set<Number> least;
    while (least.size() < request.count) {
        auto best = range.begin();
        for (auto each = range.begin(); each != range.end(); ++each) {
            if (earlier.on[*each].leases < earlier.on[*best].leases) best = each;
        }
        least.insert(*best);
        range.erase(best);
    }
    std::set<Number> granted;
    for (const auto& uuid : *world.asked->granted)
        granted.insert(number_in(uuid));
    return granted == least ? "" : "I14: not the least allocated";
}

// I19: the façade is the seed's array of counters: it gives the first of the least used of its list or errs,
// every told release counts one, and its list is what was last told.
std::string i19(const World& world, const Counters& count) {
    if (!world.broken_release.empty()) return "I19: " + world.broken_release;
    std::array<std::int64_t, kNames> counters = world.acknowledged;
    for (const Pending& item : world.queue) {
        if (item.kind == Kind::grant && !item.leases.at(0).user)
            ++counters[number_in(item.leases.at(0).devices.at(0))];
    }
    for (Number device = 0; device < kNames; ++device) {
        if (counters[device] != count.on[device].facade)
            return "I19: the array counts " + std::to_string(counters[device]) + ", the façade " +
                   std::to_string(count.on[device].facade) + at(device);
    }
    std::vector<std::pair<DeviceUuid, std::uint32_t>> list;
    const auto listed = world.listed_now();
    for (const Number device : listed)
        list.emplace_back(uuid_of(device), count.on[device].leases);
    for (const auto& view : count.views) {
        const Number device = number_in(view.device.uuid);
        const bool left_out = std::find(listed.begin(), listed.end(), device) == listed.end();
        if (left_out && count.on[device].facade > 0)
            list.emplace_back(view.device.uuid, count.on[device].leases);
    }
    if (world.facade->list() != list) return "I19: the list differs";
    if (!world.asked || !world.asked->by_facade) return {};
    const Counters earlier = before(world, count);
    std::optional<Number> least;
    for (const Number device : with_room(world, earlier, world.asked->request)) {
        if (!least || earlier.on[device].leases < earlier.on[*least].leases) least = device;
    }
    if (least.has_value() != world.asked->granted.has_value()) return "I19: the array answers otherwise";
    return !least || uuid_of(*least) == world.asked->granted->at(0) ? "" : "I19: the array gives another";
}

}  // namespace

std::string violations(World& world) {
    const Counters count(world);
    std::string all;
    for (const auto& broken :
         {i1(world, count),
          i2(world, count),
          i5(world, count),
          i6(world),
          i8(world),
          i9(world),
          i11(world),
          i13(world, count),
          i14(world, count),
          i19(world, count)}) {
        if (!broken.empty()) all += (all.empty() ? "" : "; ") + broken;
    }
    return all;
}

}  // namespace berth::gpu::property
