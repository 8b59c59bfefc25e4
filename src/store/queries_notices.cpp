// Browsers that take notices.
#include "store/impl/transaction.hpp"
#include "store/queries.hpp"

namespace berth::store {

void insert(Transaction& tx, const PushRow& row) {
    tx.used(row.id);
    tx.execute("delete from push_subscriptions where endpoint = :endpoint", {row.endpoint});
    tx.execute(
        R"(insert into push_subscriptions (id, user_id, endpoint, p256dh, auth, created)
           values (:id, :user_id, :endpoint, :p256dh, :auth, :created))",
        {row.id, row.user, row.endpoint, row.p256dh, row.auth, row.created});
}

void remove_push(Transaction& tx, UserId user, const std::string& endpoint) {
    tx.execute(
        "delete from push_subscriptions where user_id = :user_id and endpoint = :endpoint", {user, endpoint});
}

std::vector<PushRow> push_of_user(Transaction& tx, UserId user) {
    std::vector<PushRow> rows;
    tx.query(
        R"(select id, user_id, endpoint, p256dh, auth, created from push_subscriptions
           where user_id = :user_id order by created, id)",
        "iisssi",
        {user},
        [&](const RowView& row) {
            PushRow push;
            push.id = row.integer(0);
            push.user = row.id<UserId>(1);
            push.endpoint = row.text(2);
            push.p256dh = row.text(3);
            push.auth = row.text(4);
            push.created = row.time(5);
            rows.push_back(std::move(push));
        });
    return rows;
}

}  // namespace berth::store
