// The sentences a person reads when no device can be given: which rule, who holds what, what to do.
#include "base/text.hpp"
#include "gpu/leases.hpp"

#include <algorithm>

namespace berth::gpu {
namespace {

constexpr std::size_t kNamesShown = 6;

std::string all_of_them(std::size_t count) {
    if (count == 1) return "The only GPU is";
    if (count == 2) return "Both GPUs are";
    return "All " + std::to_string(count) + " GPUs are";
}

std::string without_full_stop(std::string text) {
    if (!text.empty() && text.back() == '.') text.pop_back();
    return text;
}

}  // namespace

// The devices a request ranges over and who is on them.
Leases::Holders Leases::holders(const DeviceRequest& request, std::optional<UserId> asker) const {
    Holders found;
    for (const auto& view : ledger_.devices()) {
        const auto& device = view.device;
        const bool named =
            std::find(request.among.begin(), request.among.end(), device.uuid) != request.among.end();
        if (!device.eligible || (request.among.empty() ? device.by_name_only : !named)) continue;
        ++found.devices;
        for (const auto* row : on_device(device.uuid)) {
            if (!open_.contains(device.uuid) && !(asker && row->user == asker)) continue;
            const std::string name = row->user ? name_of_user_(*row->user) : std::string("allocator API");
            if (std::find(found.names.begin(), found.names.end(), name) == found.names.end()) {
                found.names.push_back(name);
            }
        }
    }
    return found;
}

Error Leases::explained(Error refusal, const DeviceRequest& request, std::optional<UserId> asker) const {
    const auto reason = static_cast<DeviceErrc>(refusal.code.value());
    const bool names_holders = reason == DeviceErrc::none_free || reason == DeviceErrc::not_enough_free ||
                               reason == DeviceErrc::not_shareable;
    if (!names_holders) return refusal;
    const Holders found = holders(request, asker);
    const std::string who = found.names.empty() ? "" : " (" + listed(found.names, kNamesShown) + ")";
    const bool holds_some = asker && !of_user(*asker).empty();
    const std::string advice = holds_some ? "Stop one of your servers, or try again when another one ends."
                               : found.names.empty() ? "Try again when somebody's server ends."
                                                     : "Try again when one of theirs ends.";
    if (reason == DeviceErrc::not_enough_free) {
        refusal.message = without_full_stop(refusal.message) + who + ". Ask for fewer. " + advice;
    } else if (reason == DeviceErrc::not_shareable) {
        refusal.message = without_full_stop(refusal.message) + who + ". " + advice;
    } else {
        refusal.message = all_of_them(found.devices) + " in use" + who + ". " + advice;
    }
    return refusal;
}

}  // namespace berth::gpu
