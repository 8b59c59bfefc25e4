// Reads the whole working copy. Store thread or before it runs.
#pragma once

#include "store/impl/connection.hpp"
#include "store/store.hpp"

namespace berth::store {

Snapshot load_all(Connection& connection);
std::vector<LeaseRow> load_leases_of_server(Connection& connection, ServerId server);

}  // namespace berth::store
