// The open transaction, as the queries see it. Store thread only.
#pragma once

#include "store/impl/connection.hpp"

#include <algorithm>

namespace berth::store {

class Transaction {
public:
    Transaction(Connection& connection, std::int64_t& highest_id, std::int64_t& next_audit)
        : connection_(connection), highest_id_(highest_id), next_audit_(next_audit) {}

    void execute(const char* sql, Bounds values) { connection_.execute(sql, values); }
    void query(
        const char* sql,
        const char* columns,
        Bounds values,
        const std::function<void(const RowView&)>& on_row) {
        connection_.query(sql, columns, values, on_row);
    }
    // An id that is now in use; the batch writes the highest, so that none is ever given twice.
    template <class Id>
    void used(Id id) {
        highest_id_ = std::max(highest_id_, static_cast<std::int64_t>(id));
    }
    // For what may be done once only: refuses the change when the last execute() met no row.
    void require_changed(const char* what) {
        if (connection_.changed() == 0) throw StoreFailure(StoreErrc::constraint, what);
    }
    std::int64_t next_audit() { return next_audit_++; }
    Connection& connection() { return connection_; }

private:
    Connection& connection_;
    std::int64_t& highest_id_;
    std::int64_t& next_audit_;
};

}  // namespace berth::store
