// Writes what the inventory says of devices to the store. The store applies changes in the order in which
// they are queued, so rows made from memory and queued at once never undo each other.
#pragma once

#include "async/awaitable.hpp"
#include "gpu/devices.hpp"
#include "store/store.hpp"

namespace berth::gpu {

void write(store::Transaction& transaction, const RowChanges& changes);

// Commits what changed in the inventory, until nothing is left. Error: StoreErrc::unavailable; then the rows
// stay marked and the next call writes them.
awaitable<Result<void>> write_changes(store::Store& store, Inventory& inventory);

}  // namespace berth::gpu
