// Reservations of GPUs, one function a statement; inside a Change on the store thread, as queries.hpp.
#pragma once

#include "store/rows.hpp"
#include "store/store.hpp"

#include <vector>

namespace berth::store {

void insert(Transaction&, const ReservationRow&);
void remove_reservation(Transaction&, std::int64_t id);
// Those that ended before that moment.
void prune_reservations(Transaction&, Timestamp ended_before);
std::vector<ReservationRow> reservations(Transaction&);  // by begin, then id

}  // namespace berth::store
