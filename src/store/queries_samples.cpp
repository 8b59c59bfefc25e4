// What devices did over time, and what leases used of them.
#include "store/impl/transaction.hpp"
#include "store/queries.hpp"

namespace berth::store {

void upsert(Transaction& tx, const DeviceSampleRow& row) {
    tx.execute(
        R"(insert into gpu_samples (device_uuid, begin_at, end_at, state, utilisation, used_bytes)
           values (:uuid, :begin_at, :end_at, :state, :utilisation, :used_bytes)
           on conflict (device_uuid, begin_at) do update set end_at = excluded.end_at, state = excluded.state,
           utilisation = excluded.utilisation, used_bytes = excluded.used_bytes)",
        {row.device,
         row.begin,
         row.end,
         row.state,
         row.utilisation,
         static_cast<std::int64_t>(row.used_bytes)});
}

std::vector<DeviceSampleRow> device_samples(Transaction& tx, Timestamp since) {
    std::vector<DeviceSampleRow> rows;
    tx.query(
        R"(select device_uuid, begin_at, end_at, state, utilisation, used_bytes from gpu_samples
           where end_at >= :since order by device_uuid, begin_at)",
        "siisdi",
        {since},
        [&](const RowView& row) {
            DeviceSampleRow sample;
            sample.device = DeviceUuid(row.text(0));
            sample.begin = row.time(1);
            sample.end = row.time(2);
            sample.state = row.text(3);
            sample.utilisation = row.real(4);
            sample.used_bytes = static_cast<std::uint64_t>(row.integer(5));
            rows.push_back(std::move(sample));
        });
    return rows;
}

void remove_device_samples(Transaction& tx, Timestamp ended_before) {
    tx.execute("delete from gpu_samples where end_at < :before", {ended_before});
}

void add_usage(Transaction& tx, const LeaseUse& use) {
    tx.execute(
        R"(update usage_intervals set joules = joules + :joules, used_seconds = case
             when used_seconds + :used > (coalesce(end_at, :now) - begin_at) / 1000000.0
             then (coalesce(end_at, :now2) - begin_at) / 1000000.0 else used_seconds + :used2 end
           where id = (select max(id) from usage_intervals where lease_id = :lease and device_uuid = :device))",
        {use.joules, use.used_seconds, use.until, use.until, use.used_seconds, use.lease, use.device});
}

std::vector<UsageIntervalRow> usage_intervals(Transaction& tx, Timestamp since) {
    std::vector<UsageIntervalRow> rows;
    tx.query(
        R"(select u.id, u.lease_id, u.device_uuid, u.user_id, u.share, u.begin_at, u.end_at, u.end_reason,
           u.used_seconds, u.joules, coalesce(nullif(l.profile, ''), s.profile), coalesce(l.project, '')
           from usage_intervals u left join leases l on l.id = u.lease_id
           left join servers s on s.id = l.server_id
           where u.end_at is null or u.end_at >= :since order by u.id)",
        "iisidiisddss",
        {since},
        [&](const RowView& row) {
            UsageIntervalRow interval;
            interval.id = row.integer(0);
            interval.lease = row.id<LeaseId>(1);
            interval.device = DeviceUuid(row.text(2));
            interval.user = row.optional_id<UserId>(3);
            interval.share = row.real(4);
            interval.begin = row.time(5);
            interval.end = row.optional_time(6);
            interval.end_reason = row.text(7);
            interval.used_seconds = row.real(8);
            interval.joules = row.real(9);
            interval.profile = row.optional_text(10);
            interval.project = row.text(11);
            rows.push_back(std::move(interval));
        });
    return rows;
}

}  // namespace berth::store
