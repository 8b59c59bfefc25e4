#include "store/reservation_queries.hpp"

#include "store/impl/texts.hpp"
#include "store/impl/transaction.hpp"

namespace berth::store {

void insert(Transaction& tx, const ReservationRow& row) {
    tx.used(row.id);
    tx.execute(
        R"(insert into gpu_reservations (id, user_id, group_name, project, wish, begin_at, end_at, note, made_by)
           values (:id, :user_id, :group_name, :project, :wish, :begin_at, :end_at, :note, :made_by))",
        {row.id,
         row.user,
         row.group,
         row.project,
         json::serialize(row.wish),
         row.begin,
         row.end,
         row.note,
         row.made_by});
}

void remove_reservation(Transaction& tx, std::int64_t id) {
    tx.execute("delete from gpu_reservations where id = :id", {id});
}

void prune_reservations(Transaction& tx, Timestamp ended_before) {
    tx.execute("delete from gpu_reservations where end_at < :before", {ended_before});
}

std::vector<ReservationRow> reservations(Transaction& tx) {
    std::vector<ReservationRow> rows;
    tx.query(
        R"(select id, user_id, group_name, project, wish, begin_at, end_at, note, made_by from gpu_reservations
           order by begin_at, id)",
        "iisssiiss",
        {},
        [&](const RowView& row) {
            rows.push_back(
                {row.integer(0),
                 row.optional_id<UserId>(1),
                 row.text(2),
                 row.text(3),
                 value_of_text(row.text(4), json::object()),
                 row.time(5),
                 row.time(6),
                 row.text(7),
                 row.text(8)});
        });
    return rows;
}

}  // namespace berth::store
