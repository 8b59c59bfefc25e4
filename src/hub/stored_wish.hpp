// Which devices are asked for, as the rows of the queue and of reservations hold it.
#pragma once

#include "base/json.hpp"
#include "gpu/queue_types.hpp"

namespace berth::hub {

// "gpus", "pool", "model", "min_memory", and "devices" where it names some. Sharing is the caller's.
json::object stored_wish(const gpu::Wish& wish);
gpu::Wish wish_of_stored(const json::object& stored);

}  // namespace berth::hub
