#include "hub/reservations.hpp"

#include "gpu/pools.hpp"
#include "hub/errors.hpp"
#include "obs/log.hpp"
#include "store/queries.hpp"
#include "store/reservation_queries.hpp"

#include <algorithm>

namespace berth::hub {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kMost = 1000;
constexpr std::size_t kLongestNote = 200;
constexpr auto kLongest = 24h * 92;
constexpr auto kFurthest = 24h * 366;
constexpr auto kKept = 24h * 90;  // after its end
constexpr auto kTidyPause = 1h;
constexpr std::size_t kNamed = 6;

Error invalid(std::string message) {
    return {HubErrc::options_invalid, std::move(message)};
}

std::string gpus(std::size_t count) {
    return std::to_string(count) + (count == 1 ? " GPU" : " GPUs");
}

json::object stored_wish(const gpu::Wish& wish) {
    json::array devices;
    for (const auto& uuid : wish.among)
        devices.emplace_back(uuid.value);
    json::object stored{{"gpus", wish.count}, {"pool", wish.pool}, {"model", wish.model}};
    stored["min_memory"] = wish.min_memory.count;
    stored["devices"] = std::move(devices);
    return stored;
}

// Only one decision at a time; the next one sees its outcome.
class Turn {
public:
    Turn(bool& taken, Notifier& over) : taken_(taken), over_(over) { taken_ = true; }
    Turn(const Turn&) = delete;
    ~Turn() {
        taken_ = false;
        over_.notify_all();
    }

private:
    bool& taken_;
    Notifier& over_;
};

store::AuditRow audit_of(const access::Permit& permit, std::string action, const store::ReservationRow& row) {
    store::AuditRow audit;
    audit.at = now_utc();
    audit.principal = permit.principal_name();
    audit.action = std::move(action);
    audit.target = std::to_string(row.id);
    audit.permit = permit.scope();
    audit.result = "ok";
    audit.detail = format_rfc3339(row.begin).append(" to ").append(format_rfc3339(row.end));
    return audit;
}

Result<void> check_times(const Reservations::Wanted& wanted, Timestamp now) {
    if (wanted.end <= wanted.begin) return invalid("The end of a reservation must be after its begin.");
    if (wanted.end <= now) return invalid("The end of the reservation has passed already.");
    if (wanted.end - wanted.begin > kLongest) return invalid("A reservation may last 92 days at most.");
    if (wanted.begin - now > kFurthest) return invalid("A reservation may begin within a year at most.");
    return {};
}

}  // namespace

const store::ReservationRow* Reservations::find(std::int64_t id) const {
    const auto at = rows_.find(id);
    return at == rows_.end() ? nullptr : &at->second;
}

gpu::Wish Reservations::wish_of(const store::ReservationRow& row) {
    gpu::Wish wish;
    const auto* stored = row.wish.if_object();
    if (stored == nullptr) return wish;
    wish.count = static_cast<std::uint32_t>(std::clamp<std::int64_t>(
        int_at(*stored, "gpus").value_or(1), 1, static_cast<std::int64_t>(gpu::kMaxDevices)));
    wish.pool = string_at(*stored, "pool").value_or("");
    wish.model = string_at(*stored, "model").value_or("");
    wish.min_memory.count =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, int_at(*stored, "min_memory").value_or(0)));
    const auto* devices = array_at(*stored, "devices");
    for (const auto& each : devices != nullptr ? *devices : json::array{}) {
        if (each.is_string()) wish.among.emplace_back(std::string(each.get_string()));
    }
    return wish;
}

gpu::Reservation Reservations::reservation_of(const store::ReservationRow& row) const {
    gpu::Reservation reservation;
    reservation.id = static_cast<gpu::ReservationId>(row.id);
    reservation.user = row.user;
    reservation.group = row.group;
    reservation.wish = wish_of(row);
    reservation.wish.sharing = context_.leases.sharing(false);
    reservation.begin = row.begin;
    reservation.end = row.end;
    return reservation;
}

std::string Reservations::owner_of(const store::ReservationRow& row) const {
    if (!row.user) return "group " + row.group;
    const auto* user = context_.directory.find(*row.user);
    return user == nullptr ? "a removed user" : user->name().value;
}

bool Reservations::is_of(const store::ReservationRow& row, const UserName& name) const {
    const auto* user = context_.directory.find(name);
    if (user == nullptr) return false;
    if (row.user) return *row.user == user->id();
    const auto groups = context_.directory.group_names_of(*user);
    return std::find(groups.begin(), groups.end(), row.group) != groups.end();
}

bool Reservations::is_ownerless(const store::ReservationRow& row) const {
    return row.user && context_.directory.find(*row.user) == nullptr;
}

void Reservations::tell() {
    const auto now = now_utc();
    std::vector<gpu::Reservation> list;
    for (const auto& [id, row] : rows_) {
        if (row.end > now && !is_ownerless(row)) list.push_back(reservation_of(row));
    }
    queue_.set_reservations(std::move(list));
}

awaitable<Result<void>> Reservations::restore() {
    std::vector<store::ReservationRow> rows;
    store::Change query = [&rows](store::Transaction& t) { rows = store::reservations(t); };
    BERTH_CO_CHECK(co_await context_.store.read(std::move(query)));
    rows_.clear();
    for (auto& row : rows)
        rows_.emplace(row.id, std::move(row));
    tell();
    co_return Result<void>{};
}

Result<store::ReservationRow> Reservations::row_of(const Wanted& wanted, const access::Permit& permit) {
    BERTH_CHECK(check_times(wanted, now_utc()));
    if (wanted.user.empty() == wanted.group.empty())
        return invalid("Name the user or the group that the GPUs are to be kept for.");
    if (wanted.wish.count == 0 || wanted.wish.count > gpu::kMaxDevices)
        return invalid("Reserve at least one GPU.");
    if (wanted.note.size() > kLongestNote) return invalid("The note may have 200 bytes at most.");
    if (rows_.size() >= kMost) return invalid("There are 1000 reservations already. Remove some first.");
    store::ReservationRow row;
    if (!wanted.user.empty()) {
        const auto* user = context_.directory.find(wanted.user);
        if (user == nullptr) return Error{HubErrc::no_such_user, "There is no user of that name."};
        row.user = user->id();
    } else if (context_.directory.find(GroupName(wanted.group)) == nullptr) {
        return invalid("There is no group " + wanted.group + ".");
    }
    row.group = wanted.group;
    row.wish = stored_wish(wanted.wish);
    row.begin = wanted.begin;
    row.end = wanted.end;
    row.note = wanted.note;
    row.made_by = permit.principal_name();
    row.id = number_of(context_.ids.next<LeaseId>());
    return row;
}

// Who is in the way, by name: administrators reserve.
std::string Reservations::names_of(const gpu::ReservationObstacle& obstacle) const {
    std::vector<std::string> names;
    for (const auto id : obstacle.leases) {
        const auto* lease = context_.leases.find(id);
        const auto* user = lease != nullptr && lease->user ? context_.directory.find(*lease->user) : nullptr;
        const auto who = user == nullptr ? std::string("the allocator API") : user->name().value;
        const auto end = queue_.end_of(id);
        names.push_back(
            who + " (lease " + std::to_string(number_of(id)) +
            (end ? ", until " + format_rfc3339(*end) + ")" : ", without an end)"));
    }
    for (const auto id : obstacle.reservations) {
        const auto* row = find(static_cast<std::int64_t>(id));
        if (row == nullptr) continue;
        names.push_back(
            owner_of(*row) + " (reservation " + std::to_string(row->id) + ", " + format_rfc3339(row->begin) +
            " to " + format_rfc3339(row->end) + ")");
    }
    std::string text;
    for (std::size_t at = 0; at < std::min(names.size(), kNamed); ++at)
        text.append(at == 0 ? "" : ", ").append(names[at]);
    if (names.size() > kNamed)
        text.append(" and ").append(std::to_string(names.size() - kNamed)).append(" more");
    return text;
}

Error Reservations::refusal_of(const gpu::ReservationObstacle& obstacle, const gpu::Wish& wish) const {
    using Rule = gpu::ReservationObstacle::Rule;
    const std::string of = (wish.model.empty() ? std::string() : " of model " + wish.model) +
                           (wish.pool.empty() ? std::string() : " in " + gpu::pool_in_words(wish.pool));
    const std::string has = gpus(obstacle.could_have);
    std::string text;
    switch (obstacle.rule) {
        case Rule::beyond_what_exists:
            text = "There are only " + has + of + " of that kind.";
            break;
        case Rule::not_usable:
            text = "Only " + has + of + " can be given out now; the others are sick or taken out of service.";
            break;
        case Rule::held:
            text = "It could not be kept: only " + has + of + " would be free by its begin. In use by " +
                   names_of(obstacle) + ". Reserve for later or fewer, or end those first.";
            break;
        case Rule::reserved:
            text =
                "It could not be kept beside " + names_of(obstacle) + ". Reserve for another time, or fewer.";
            break;
    }
    return {HubErrc::gpu_rule, std::move(text)};
}

awaitable<Result<store::ReservationRow>> Reservations::add(access::Permit permit, Wanted wanted) {
    while (deciding_)
        co_await decided_.wait();
    const Turn turn(deciding_, decided_);
    BERTH_CO_TRY(auto row, row_of(wanted, permit));
    queue_.bring_up_to_date();
    const auto obstacle = gpu::obstacle_to(queue_.scheduler().state(), reservation_of(row), now_utc());
    if (obstacle) co_return refusal_of(*obstacle, wanted.wish);
    store::Change change = [row, audit = audit_of(permit, "gpu.reserve", row)](store::Transaction& t) {
        store::insert(t, row);
        store::insert(t, audit);
    };
    BERTH_CO_CHECK(co_await context_.store.commit(std::move(change)));
    rows_.insert_or_assign(row.id, row);
    tell();
    log::info("gpu.reserved", {{"reservation", row.id}, {"by", row.made_by}});
    co_return row;
}

awaitable<Result<void>> Reservations::remove(access::Permit permit, std::int64_t id) {
    const auto* row = find(id);
    if (row == nullptr)
        co_return Error{HubErrc::no_such_reservation, "There is no reservation " + std::to_string(id) + "."};
    store::Change change = [id, audit = audit_of(permit, "gpu.unreserve", *row)](store::Transaction& t) {
        store::remove_reservation(t, id);
        store::insert(t, audit);
    };
    BERTH_CO_CHECK(co_await context_.store.commit(std::move(change)));
    rows_.erase(id);
    tell();
    co_return Result<void>{};
}

awaitable<> Reservations::tidy() {
    const auto now = now_utc();
    const auto past = now - kKept;
    const auto over = std::erase_if(rows_, [&](const auto& each) {
        return each.second.end < past || is_ownerless(each.second);  // the store removed them with their user
    });
    if (over > 0) tell();
    if (now - tidied_ < kTidyPause && now > tidied_) co_return;
    store::Change change = [past](store::Transaction& t) { store::prune_reservations(t, past); };
    auto pruned = co_await context_.store.commit(std::move(change));
    if (pruned) tidied_ = now;
}

}  // namespace berth::hub
