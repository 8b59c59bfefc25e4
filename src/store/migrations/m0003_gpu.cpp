// GPUs over time: reservations, what each device was doing, what leases used; and where people are told.
#include "store/migrations/migrations.hpp"

namespace berth::store {

namespace {

constexpr const char* kStatements[] = {
    R"(create table gpu_reservations (
        id bigint primary key,
        user_id bigint references users(id) on delete cascade,
        group_name text not null,
        wish text not null,
        begin_at bigint not null,
        end_at bigint not null,
        note text not null,
        made_by text not null))",
    "create index gpu_reservations_end on gpu_reservations (end_at)",

    R"(create table gpu_samples (
        device_uuid text not null,
        begin_at bigint not null,
        end_at bigint not null,
        state text not null,
        utilisation double precision not null,
        used_bytes bigint not null,
        primary key (device_uuid, begin_at)))",
    "create index gpu_samples_end on gpu_samples (end_at)",

    R"(create table push_subscriptions (
        id bigint primary key,
        user_id bigint not null references users(id) on delete cascade,
        endpoint text not null unique,
        p256dh text not null,
        auth text not null,
        created bigint not null))",
    "create index push_subscriptions_user on push_subscriptions (user_id)",

    "alter table usage_intervals add column used_seconds double precision not null default 0",
    "alter table usage_intervals add column joules double precision not null default 0",
};

}  // namespace

std::span<const char* const> m0003_gpu() {
    return kStatements;
}

}  // namespace berth::store
