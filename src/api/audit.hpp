// The record of an act, which goes into the transaction of the act.
#pragma once

#include "api/call.hpp"
#include "store/rows.hpp"

#include <string>

namespace berth::api {

// Who asks, by which right, and that it was done; `action` is noun.verb.
store::AuditRow audit_of(const Call& call, std::string action, std::string target, std::string detail = {});

}  // namespace berth::api
