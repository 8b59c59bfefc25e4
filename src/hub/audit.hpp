// The record of an act that a Permit allowed. Who acts commits it in the transaction of the act.
#pragma once

#include "access/permit.hpp"
#include "store/rows.hpp"

#include <string>
#include <utility>

namespace berth::hub {

inline store::AuditRow audit_of(
    const access::Permit& permit, std::string action, std::string target, std::string detail = {}) {
    store::AuditRow audit;
    audit.at = now_utc();
    audit.principal = permit.principal_name();
    audit.action = std::move(action);
    audit.target = std::move(target);
    audit.permit = permit.scope();
    audit.result = "ok";
    audit.detail = std::move(detail);
    return audit;
}

}  // namespace berth::hub
