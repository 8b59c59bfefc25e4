#include "gpu/device_rows.hpp"

#include "store/queries.hpp"

namespace berth::gpu {

void write(store::Transaction& transaction, const RowChanges& changes) {
    for (const auto& row : changes.upserts)
        store::upsert(transaction, row);
    for (const auto& uuid : changes.removals)
        store::remove_device(transaction, uuid);
}

awaitable<Result<void>> write_changes(store::Store& store, Inventory& inventory) {
    for (auto changes = inventory.take_changes(); !changes.empty(); changes = inventory.take_changes()) {
        store::Change change = [changes](store::Transaction& t) { write(t, changes); };
        auto written = co_await store.commit(std::move(change));
        if (written) continue;
        inventory.not_written(changes);
        co_return std::move(written).error();
    }
    co_return Result<void>{};
}

}  // namespace berth::gpu
