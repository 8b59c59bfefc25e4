// One change of identity data in two halves, so that hub/ can commit several rooms' changes as one: `write`
// goes into the transaction, `apply` changes memory and runs on the hub strand only after the commit
// succeeded.
#pragma once

#include "store/store.hpp"

#include <functional>
#include <utility>

namespace berth::identity {

struct Mutation {
    store::Change write;
    std::function<void()> apply;
};

// Both, in that order.
Mutation operator+(Mutation first, Mutation second);

}  // namespace berth::identity
