// Who uses GPUs of this machine without being a server of this hub: containers that were given some, as the
// backend lists them, and processes that the driver shows on a device, whether in a container or in none.
// They are counted, shown and avoided, never touched. Hub strand only.
#pragma once

#include "hub/context.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace berth::hub {

// What is known of who is who when a reading comes.
struct Known {
    std::string instance;                 // of the marks of local servers: "INSTANCE/NUMBER"
    std::set<std::string> own;            // ids of our containers
    std::vector<spawn::Foreign> foreign;  // containers that were given devices
};
struct Outsider {
    std::uint32_t pid = 0;
    gpu::ExternalUse use;
    bool operator==(const Outsider&) const = default;
};
// The processes that belong to nobody of ours, by pid. Left out are those of a foreign container on a device
// that it was given, where it is counted already, and those that /proc does not show: whose they are cannot
// be known. Pure.
std::vector<Outsider> outsiders(const gpu::Inventory& inventory, const Known& known);

class ExternalUsers {
public:
    explicit ExternalUsers(Context& context) : context_(context) {}

    // A listing of the whole machine.
    void take_listing(const spawn::Listing& listing);
    // The inventory has just taken a report.
    void take_readings();

private:
    Known known() const;
    void show();

    Context& context_;
    std::vector<spawn::Foreign> foreign_;
    std::set<std::string> listed_;     // ids of our containers in the last listing, strays too
    std::vector<Outsider> seen_;       // in the last reading
    std::vector<Outsider> processes_;  // in the last two
};

}  // namespace berth::hub
