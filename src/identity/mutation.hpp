// One change of identity data in two halves, so that hub/ can commit several rooms' changes as one: `write`
// goes into the transaction, `apply` changes memory and runs on the hub strand only after the commit
// succeeded.
#pragma once

#include "store/store.hpp"

#include <functional>
#include <optional>
#include <utility>

namespace berth::identity {

struct Mutation {
    store::Change write;
    std::function<void()> apply;
};

// Who did it, committed with what was done. None: the hub itself, by its configuration.
using Audit = std::optional<store::AuditRow>;
Mutation with_audit(Mutation mutation, Audit audit);

// Both, in that order.
Mutation operator+(Mutation first, Mutation second);

}  // namespace berth::identity
