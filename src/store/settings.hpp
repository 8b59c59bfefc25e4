// A setting that changes together with rows; Store::put_setting() writes one alone.
#pragma once

#include "store/store.hpp"

#include <string>

namespace berth::store {

void put_setting(Transaction& transaction, const std::string& key, const std::string& value);

}  // namespace berth::store
