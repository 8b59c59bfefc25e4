// Objects of ours at the backend that no row asks for (gpu.md E.9). One that the database never knew of, as
// after a restored backup, is somebody's running notebook: it is adopted when its user is there and its
// devices are free, the oldest first. Everything else is removed, its devices booked until it is gone. Hub
// strand only.
#pragma once

#include "hub/context.hpp"
#include "hub/reaper.hpp"

#include <vector>

namespace berth::hub {

class Strays {
public:
    Strays(Context& context, Reaper& reaper) : context_(context), reaper_(reaper) {}

    awaitable<> settle(std::vector<spawn::Found> strays);

private:
    Result<void> may_adopt(const spawn::Found& found) const;
    bool knows(const spawn::Found& found) const;
    awaitable<Result<void>> adopt(spawn::Found found);
    awaitable<Result<void>> take_in(
        store::ServerRow row, spawn::Found found, std::optional<gpu::Leases::Granted> lease, Secret token);

    Context& context_;
    Reaper& reaper_;
};

}  // namespace berth::hub
