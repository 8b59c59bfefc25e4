#include "hub/reservations.hpp"

#include "base/text.hpp"
#include "gpu/pools.hpp"
#include "hub/audit.hpp"
#include "hub/errors.hpp"
#include "hub/profiles.hpp"
#include "hub/stored_wish.hpp"
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

std::string times_of(const store::ReservationRow& row) {
    return format_rfc3339(row.begin).append(" to ").append(format_rfc3339(row.end));
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
    const auto* stored = row.wish.if_object();
    return stored == nullptr ? gpu::Wish{} : wish_of_stored(*stored);
}

gpu::Reservation Reservations::reservation_of(const store::ReservationRow& row) const {
    gpu::Reservation reservation;
    reservation.id = static_cast<gpu::ReservationId>(row.id);
    reservation.user = row.user;
    reservation.group = row.group;
    reservation.project = row.project;
    reservation.wish = wish_of(row);
    reservation.wish.sharing = context_.leases.sharing(false);
    reservation.begin = row.begin;
    reservation.end = row.end;
    return reservation;
}

std::string Reservations::owner_of(const store::ReservationRow& row) const {
    if (!row.project.empty()) return "project " + row.project;
    if (!row.user) return "group " + row.group;
    const auto* user = context_.directory.find(*row.user);
    return user == nullptr ? "a removed user" : user->name().value;
}

bool Reservations::is_of(const store::ReservationRow& row, const UserName& name) const {
    const auto* user = context_.directory.find(name);
    if (user == nullptr) return false;
    if (row.user) return *row.user == user->id();
    const auto person = person_of(context_.directory, *user);
    const auto owners = row.project.empty() ? person.groups : projects_of(context_.options.gpu, person);
    return std::find(owners.begin(), owners.end(), row.project.empty() ? row.group : row.project) !=
           owners.end();
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

Result<void> Reservations::set_owner(store::ReservationRow& row, const Wanted& wanted) const {
    const int named = int{!wanted.user.empty()} + int{!wanted.group.empty()} + int{!wanted.project.empty()};
    if (named != 1)
        return invalid("Name the user, the group or the project that the GPUs are to be kept for.");
    if (!wanted.user.empty()) {
        const auto* user = context_.directory.find(wanted.user);
        if (user == nullptr) return Error{HubErrc::no_such_user, "There is no user of that name."};
        row.user = user->id();
    }
    if (!wanted.group.empty() && context_.directory.find(GroupName(wanted.group)) == nullptr)
        return invalid("There is no group " + ellipsized(wanted.group, 64) + ".");
    const auto& projects = context_.options.gpu.projects;
    const bool known = std::any_of(projects.begin(), projects.end(), [&](const config::GpuProject& project) {
        return project.name == wanted.project;
    });
    if (!wanted.project.empty() && !known)
        return invalid("There is no project " + ellipsized(wanted.project, 64) + " in gpu.projects.");
    row.group = wanted.group;
    row.project = wanted.project;
    return {};
}

Result<store::ReservationRow> Reservations::row_of(const Wanted& wanted, const access::Permit& permit) {
    BERTH_CHECK(check_times(wanted, now_utc()));
    store::ReservationRow row;
    BERTH_CHECK(set_owner(row, wanted));
    if (wanted.wish.count == 0 || wanted.wish.count > gpu::kMaxDevices)
        return invalid("Reserve at least one GPU.");
    if (wanted.note.size() > kLongestNote) return invalid("The note may have 200 bytes at most.");
    if (rows_.size() >= kMost) return invalid("There are 1000 reservations already. Remove some first.");
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
            owner_of(*row) + " (reservation " + std::to_string(row->id) + ", " + times_of(*row) + ")");
    }
    return listed(names, kNamed);
}

Error Reservations::refusal_of(const gpu::ReservationObstacle& obstacle, const gpu::Wish& wish) const {
    using Rule = gpu::ReservationObstacle::Rule;
    const std::string of = (wish.model.empty() ? std::string() : " of model " + wish.model) +
                           (wish.pool.empty() ? std::string() : " in " + gpu::pool_in_words(wish.pool));
    const std::string has = counted(obstacle.could_have, "GPU");
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
    store::Change change = [row,
                            audit = audit_of(permit, "gpu.reserve", std::to_string(row.id), times_of(row))](
                               store::Transaction& t) {
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
    store::Change change = [id,
                            audit = audit_of(permit, "gpu.unreserve", std::to_string(id), times_of(*row))](
                               store::Transaction& t) {
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
