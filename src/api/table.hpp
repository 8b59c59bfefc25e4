// The table of everything the hub answers: method, path, who may, and where JupyterHub's contract says so.
// Router, accounting test and docs are made from it.
#pragma once

#include "api/call.hpp"

#include <span>

namespace berth::api {

std::span<const Row> table();

}  // namespace berth::api
