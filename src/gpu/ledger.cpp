#include "gpu/ledger.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <utility>

namespace berth::gpu {
std::string_view text_of(DeviceErrc reason) {
    switch (reason) {
        case DeviceErrc::no_devices:
            return "no device can be given out";
        case DeviceErrc::more_than_exist:
            return "more devices asked for than exist";
        case DeviceErrc::none_free:
            return "every device is at its limit";
        case DeviceErrc::not_enough_free:
            return "fewer devices are free than asked for";
        case DeviceErrc::not_shareable:
            return "every device that could be shared is held exclusively";
        case DeviceErrc::unknown_device:
            return "unknown device";
        case DeviceErrc::already_exists:
            return "the lease exists already";
        case DeviceErrc::nothing_asked:
            return "no device asked for";
        case DeviceErrc::unknown_lease:
            return "unknown lease";
        case DeviceErrc::wrong_state:
            return "the lease is in another state";
    }
    return "unknown reason";
}

void Ledger::put(Device device) {
    if (const auto known = index_.find(device.uuid); known != index_.end()) {
        slots_[known->second].device = std::move(device);
        return;
    }
    index_.emplace(device.uuid, static_cast<std::uint32_t>(slots_.size()));
    slots_.push_back({.device = std::move(device)});
}

bool Ledger::remove(const DeviceUuid& uuid) {
    const auto known = index_.find(uuid);
    if (known == index_.end()) return false;
    const std::uint32_t gone = known->second;
    if (slots_[gone].leases > 0) {
        slots_[gone].device.eligible = false;
        return false;
    }
    index_.erase(known);
    slots_.erase(slots_.begin() + gone);
    for (auto& [name, slot] : index_)
        slot -= slot > gone ? 1 : 0;
    for (auto& [id, held] : leases_) {
        for (auto& slot : held.slots)
            slot -= slot > gone ? 1 : 0;
    }
    return true;
}

bool Ledger::fits(const Slot& slot, Sharing sharing) {
    if (!slot.device.eligible) return false;
    if (sharing == Sharing::exclusive) return slot.leases == 0;
    return slot.exclusive_leases == 0 && slot.leases < slot.device.capacity;
}

void Ledger::gather(const DeviceRequest& request) {
    candidates_.clear();
    seen_ = {};
    const auto consider = [&](std::uint32_t order, std::uint32_t at) {
        const Slot& slot = slots_[at];
        if (!slot.device.eligible) return;
        ++seen_.eligible;
        if (fits(slot, request.sharing)) {
            candidates_.push_back({.leases = slot.leases + slot.device.external, .order = order, .slot = at});
        } else if (slot.device.capacity > 1 && slot.exclusive_leases > 0) {
            ++seen_.kept_for_one;
        }
    };
    if (request.among.empty()) {
        for (std::uint32_t at = 0; at < slots_.size(); ++at) {
            if (!slots_[at].device.by_name_only) consider(at, at);
        }
        return;
    }
    for (std::uint32_t order = 0; order < request.among.size(); ++order) {
        const auto& name = request.among[order];
        if (std::find(request.among.begin(), request.among.begin() + order, name) !=
            request.among.begin() + order) {
            continue;  // named twice: one device all the same (I8)
        }
        if (const auto known = index_.find(name); known != index_.end()) consider(order, known->second);
    }
}

Result<std::vector<DeviceUuid>> Ledger::acquire(LeaseId id, const DeviceRequest& request) {
    if (request.count == 0) {
        return Error{DeviceErrc::nothing_asked, "Ask for at least one GPU, or start without any."};
    }
    if (holds(id)) return Error{DeviceErrc::already_exists, "This lease exists already."};
    gather(request);
    if (candidates_.size() < request.count) return refusal(request);

    // Least allocated, ties in order: the candidates' own comparison. One device is the common case by far.
    const auto wanted = candidates_.begin() + request.count;
    if (policy_ != Policy::least_allocated) {
        choose_by_policy(request.count);
    } else if (request.count == 1) {
        std::iter_swap(candidates_.begin(), std::min_element(candidates_.begin(), candidates_.end()));
    } else {
        std::partial_sort(candidates_.begin(), wanted, candidates_.end());
    }
    chosen_.clear();
    for (auto each = candidates_.begin(); each != wanted; ++each)
        chosen_.push_back(each->slot);
    std::sort(chosen_.begin(), chosen_.end());
    book(id, request.sharing, chosen_);

    std::vector<DeviceUuid> granted;
    granted.reserve(chosen_.size());
    for (const std::uint32_t at : chosen_)
        granted.push_back(slots_[at].device.uuid);
    return granted;
}

void Ledger::choose_by_policy(std::uint32_t count) {
    const bool known = policy_ == Policy::pack || policy_ == Policy::round_robin || policy_ == Policy::lru;
    const Choice choice{
        .policy = known ? policy_ : Policy::least_allocated, .count = count, .now = {}, .cursor = cursor_};
    std::vector<Candidate> list;
    list.reserve(candidates_.size());
    for (const Fitting& each : candidates_) {
        Candidate& candidate = list.emplace_back();
        candidate.order = each.order;
        candidate.leases = each.leases;
        const std::uint64_t released = slots_[each.slot].released;
        if (released > 0) {
            candidate.last_release = Timestamp(Timestamp::duration(static_cast<std::int64_t>(released)));
        }
    }
    const auto chosen = choose(choice, list);
    if (policy_ == Policy::round_robin) cursor_ = cursor_after(cursor_, chosen);
    std::stable_partition(candidates_.begin(), candidates_.end(), [&](const Fitting& each) {
        return std::find(chosen.begin(), chosen.end(), each.order) != chosen.end();
    });
}

Result<void> Ledger::restore(LeaseId id, Sharing sharing, const std::vector<DeviceUuid>& devices) {
    if (holds(id)) return Error{DeviceErrc::already_exists, "This lease exists already."};
    chosen_.clear();
    for (const auto& uuid : devices) {
        const auto known = index_.find(uuid);
        if (known == index_.end()) {
            return Error{DeviceErrc::unknown_device, "There is no GPU " + uuid.value + "."};
        }
        chosen_.push_back(known->second);
    }
    std::sort(chosen_.begin(), chosen_.end());
    chosen_.erase(std::unique(chosen_.begin(), chosen_.end()), chosen_.end());
    book(id, sharing, chosen_);
    return {};
}

void Ledger::book(LeaseId id, Sharing sharing, const std::vector<std::uint32_t>& slots) {
    for (const std::uint32_t at : slots) {
        ++slots_[at].leases;
        slots_[at].exclusive_leases += sharing == Sharing::exclusive ? 1 : 0;
    }
    if (spare_.empty()) {
        leases_.emplace(number_of(id), Held{.sharing = sharing, .slots = slots});
        return;
    }
    auto node = std::move(spare_.back());
    spare_.pop_back();
    node.key() = number_of(id);
    node.mapped().sharing = sharing;
    node.mapped().slots = slots;
    leases_.insert(std::move(node));
}

bool Ledger::release(LeaseId id) {
    const auto lease = leases_.find(number_of(id));
    if (lease == leases_.end()) return false;
    ++releases_;
    for (const std::uint32_t at : lease->second.slots) {
        slots_[at].released = releases_;
        --slots_[at].leases;
        slots_[at].exclusive_leases -= lease->second.sharing == Sharing::exclusive ? 1 : 0;
    }
    spare_.push_back(leases_.extract(lease));
    return true;
}

Error Ledger::refusal(const DeviceRequest& request) const {
    const auto fitting = static_cast<std::uint32_t>(candidates_.size());
    if (seen_.eligible == 0) return {DeviceErrc::no_devices, "There is no GPU that can be given out now."};
    if (request.count > seen_.eligible) {
        return {
            DeviceErrc::more_than_exist,
            "You asked for " + counted(request.count, "GPU") + "; there are only " +
                counted(seen_.eligible, "GPU") + ". Ask for fewer."};
    }
    if (fitting > 0) {
        return {
            DeviceErrc::not_enough_free,
            "You asked for " + counted(request.count, "GPU") + "; only " + std::to_string(fitting) + " of " +
                std::to_string(seen_.eligible) + " can be given now."};
    }
    if (request.sharing == Sharing::shared && seen_.kept_for_one == seen_.eligible) {
        return {
            DeviceErrc::not_shareable,
            "None of the " + counted(seen_.eligible, "GPU") +
                " can be shared now: each is held by someone alone."};
    }
    return {DeviceErrc::none_free, "All " + counted(seen_.eligible, "GPU") + " are in use."};
}

Ledger::View Ledger::view_of(const Slot& slot) {
    return {.device = slot.device, .leases = slot.leases, .exclusively_held = slot.exclusive_leases > 0};
}

std::vector<Ledger::View> Ledger::devices() const {
    std::vector<View> all;
    all.reserve(slots_.size());
    for (const Slot& slot : slots_)
        all.push_back(view_of(slot));
    return all;
}

std::optional<Ledger::View> Ledger::find(const DeviceUuid& uuid) const {
    const auto known = index_.find(uuid);
    if (known == index_.end()) return std::nullopt;
    return view_of(slots_[known->second]);
}

std::uint32_t Ledger::free_devices(Sharing sharing) const {
    return static_cast<std::uint32_t>(
        std::count_if(slots_.begin(), slots_.end(), [sharing](const Slot& slot) {
            return !slot.device.by_name_only && fits(slot, sharing);
        }));
}

}  // namespace berth::gpu
