// GPUs kept for somebody at a time to come (gpu.md E.1): the hub's side of gpu::Reservation. A row is
// committed together with its audit record before the scheduler hears of it; a hub that starts takes all of
// them up again. What could not be kept is refused with what is in the way. Hub strand only.
#pragma once

#include "access/permit.hpp"
#include "async/notifier.hpp"
#include "gpu/reservation_check.hpp"
#include "hub/gpu_queue.hpp"

#include <map>
#include <string>
#include <vector>

namespace berth::hub {

class Reservations {
public:
    Reservations(Context& context, GpuQueue& queue)
        : context_(context), queue_(queue), decided_(context.scope.executor()) {}

    // What the store holds, at start; blocks for nothing but the read. Error: StoreErrc::unavailable.
    awaitable<Result<void>> restore();

    // Whose: exactly one of user, group and project.
    struct Wanted {
        UserName user{""};
        std::string group;
        std::string project;
        gpu::Wish wish;
        Timestamp begin{};
        Timestamp end{};
        std::string note;
    };
    // Errors: options_invalid, no_such_user, gpu_rule (what is in the way), StoreErrc.
    awaitable<Result<store::ReservationRow>> add(access::Permit permit, Wanted wanted);
    // Errors: no_such_reservation, StoreErrc.
    awaitable<Result<void>> remove(access::Permit permit, std::int64_t id);
    // Forgets those that ended long ago, and those of users who are no more.
    awaitable<> tidy();

    const std::map<std::int64_t, store::ReservationRow>& all() const { return rows_; }
    const store::ReservationRow* find(std::int64_t id) const;
    static gpu::Wish wish_of(const store::ReservationRow& row);
    // For people: the name of the user, "group ml" or "project thesis".
    std::string owner_of(const store::ReservationRow& row) const;
    // This user is its owner, or one of them: in the group, or one who may name the project.
    bool is_of(const store::ReservationRow& row, const UserName& user) const;

private:
    Result<void> set_owner(store::ReservationRow& row, const Wanted& wanted) const;
    Result<store::ReservationRow> row_of(const Wanted& wanted, const access::Permit& permit);
    gpu::Reservation reservation_of(const store::ReservationRow& row) const;
    Error refusal_of(const gpu::ReservationObstacle& obstacle, const gpu::Wish& wish) const;
    std::string names_of(const gpu::ReservationObstacle& obstacle) const;
    bool is_ownerless(const store::ReservationRow& row) const;
    void tell();

    Context& context_;
    GpuQueue& queue_;
    std::map<std::int64_t, store::ReservationRow> rows_;
    Timestamp tidied_{};
    bool deciding_ = false;  // one is checked and on its way into the store: the next one waits for it
    Notifier decided_;
};

}  // namespace berth::hub
