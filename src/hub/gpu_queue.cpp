#include "hub/gpu_queue.hpp"

#include "hub/errors.hpp"
#include "hub/gpu_metrics.hpp"
#include "hub/servers.hpp"
#include "obs/log.hpp"

#include <algorithm>
#include <limits>

namespace berth::hub {

using namespace std::chrono_literals;

namespace {

constexpr auto kPutBackPause = 5s;
constexpr auto kEstimatesGood = 1s;
constexpr auto kTick = 10s;

}  // namespace

struct GpuQueue::Waiter {
    Waiter(const asio::any_io_executor& executor, store::QueueEntryRow entry)
        : row(std::move(entry)), changed(executor) {}

    gpu::EntryId id() const { return static_cast<gpu::EntryId>(row.id); }

    store::QueueEntryRow row;
    std::optional<gpu::GrantAction> granted;
    std::string refused;
    std::optional<LeaseId> booking;
    Notifier changed;
};

const store::QueueEntryRow& GpuQueue::row_of(const Waiter& waiter) {
    return waiter.row;
}

GpuQueue::GpuQueue(Context& context)
    : context_(context), scheduler_(scheduler_options(context.options)), changed_(context.scope.executor()) {
    scheduler_.restore(gpu::RulesChanged{quota_rules(context.options)}, now_utc());
    gpu::Leases::Watcher watcher;
    watcher.lease = [this](LeaseId id) {
        news_.insert(id);
        changed_.notify_all();
    };
    watcher.devices = [this] {
        devices_news_ = true;
        changed_.notify_all();
    };
    context_.leases.watch(std::move(watcher));
}

GpuQueue::~GpuQueue() {
    context_.leases.watch({});
}

void GpuQueue::restore(
    const std::vector<store::QueueEntryRow>& entries, std::vector<store::UsageIntervalRow> usage) {
    const auto now = now_utc();
    std::ranges::stable_sort(
        usage, {}, [](const auto& interval) { return interval.end.value_or(Timestamp{}); });
    for (const auto& interval : usage) {
        if (!interval.user || !interval.end) continue;  // what still runs is charged by its lease
        const std::chrono::duration<double> span = *interval.end - interval.begin;
        const auto asker = asker_of(*interval.user);
        scheduler_.restore_usage(*interval.user, asker.group(), span.count() * interval.share, *interval.end);
    }
    scheduler_.restore(gpu::DevicesChanged{scheduled_devices()}, now);
    devices_news_ = false;
    for (const auto& interval : usage) {
        if (!interval.end) continue;
        scheduler_.restore_last_use(interval.device, interval.user, *interval.end);
        if (interval.user) scheduler_.restore_past(past_holding_of(interval), *interval.end);
    }
    for (const auto& [id, row] : context_.leases.all())
        take_news(id);
    news_.clear();
    for (const auto& row : entries) {
        const auto server = context_.servers.find(row.server);
        if (!server || !server->to_start() || server->lease) continue;
        server->queued = row;
        auto waiter = std::make_shared<Waiter>(context_.scope.executor(), row);
        by_server_[number_of(row.server)] = waiter;
        by_entry_[row.id] = waiter;
        scheduler_.restore(gpu::Enqueue{request_of(ask_of(row), waiter->id(), row.enqueued)}, now);
    }
}

// A lease was made, moved on or ended, by whomever. Those of our own grants are told by confirm().
void GpuQueue::take_news(LeaseId id) {
    const auto now = now_utc();
    const auto* row = context_.leases.find(id);
    const auto& held = scheduler_.state().holdings;
    const auto known = held.find(id);
    if (row == nullptr) {
        wanted_.erase(id);
        preempted_.erase(id);
        if (known != held.end()) scheduler_.restore(gpu::LeaseEnded{id}, now);
    } else if (known == held.end()) {
        if (!confirming_.contains(id)) scheduler_.restore(gpu::LeaseKnown{holding_of(*row)}, now);
    } else {
        if (!known->second.started && row->state == store::LeaseState::active)
            scheduler_.restore(gpu::LeaseStarted{id}, now);
        const auto deadline = holding_of(*row).deadline;
        if (deadline != known->second.deadline) scheduler_.restore(gpu::LeaseExtended{id, deadline}, now);
    }
}

void GpuQueue::catch_up() {
    if (std::exchange(devices_news_, false))
        scheduler_.restore(gpu::DevicesChanged{scheduled_devices()}, now_utc());
    for (const auto id : std::exchange(news_, {}))
        take_news(id);
    const auto now = std::chrono::steady_clock::now();
    for (auto at = put_back_.begin(); at != put_back_.end();) {
        if (at->first > now) {
            ++at;
            continue;
        }
        scheduler_.restore(gpu::GrantFailed{at->second, true}, now_utc());
        at = put_back_.erase(at);
    }
    revoke_preemptions();
    estimates_.reset();
}

void GpuQueue::apply(const gpu::Event& event) {
    catch_up();
    for (const auto& action : scheduler_.apply(event, now_utc()))
        carry_out(action);
    estimates_.reset();
}

void GpuQueue::carry_out(const gpu::Action& action) {
    if (const auto* reclaim = std::get_if<gpu::ReclaimAction>(&action)) {
        // Ends by age and by cancellation are the culler's and the reaper's.
        if (reclaim->reason == gpu::ReclaimReason::preempted) preempt(*reclaim);
        if (reclaim->reason != gpu::ReclaimReason::idle) return;
        log::info("gpu.reclaim_wanted", {{"lease", number_of(reclaim->lease)}});
        wanted_.insert(reclaim->lease);
        return;
    }
    const auto* grant = std::get_if<gpu::GrantAction>(&action);
    const auto* reject = std::get_if<gpu::RejectAction>(&action);
    const auto entry = grant != nullptr ? grant->entry : reject->entry;
    const auto at = by_entry_.find(static_cast<std::int64_t>(entry));
    if (at == by_entry_.end()) return;
    if (grant != nullptr)
        at->second->granted = *grant;
    else
        at->second->refused = reject->text;
    at->second->changed.notify_all();
}

Result<GpuQueue::Place> GpuQueue::ask(const Ask& ask) {
    const auto known = by_server_.find(number_of(ask.server));
    auto waiter = known == by_server_.end() ? nullptr : known->second;
    if (waiter && ask.earlier && waiter->row.id == ask.earlier->id) {
        apply(gpu::Tick{});
    } else {
        if (waiter) give_up(waiter);
        store::QueueEntryRow row;
        row.id = ask.earlier ? ask.earlier->id : number_of(context_.ids.next<LeaseId>());
        row.user = ask.user;
        row.server = ask.server;
        row.priority = ask.priority;
        row.enqueued = ask.earlier ? ask.earlier->enqueued : now_utc();
        row.request = stored_request(ask);
        waiter = std::make_shared<Waiter>(context_.scope.executor(), std::move(row));
        by_server_[number_of(ask.server)] = waiter;
        by_entry_[waiter->row.id] = waiter;
        apply(gpu::Enqueue{request_of(ask, waiter->id(), waiter->row.enqueued)});
    }
    Place place(this, waiter);
    if (!waiter->refused.empty()) return Error{HubErrc::gpu_rule, waiter->refused};
    return place;
}

void GpuQueue::give_up(const std::shared_ptr<Waiter>& waiter) {
    by_entry_.erase(waiter->row.id);
    const auto at = by_server_.find(number_of(waiter->row.server));
    if (at != by_server_.end() && at->second == waiter) by_server_.erase(at);
    std::erase_if(put_back_, [&](const auto& each) { return each.second == waiter->id(); });
    if (waiter->booking) confirming_.erase(*waiter->booking);
    const auto* entry = scheduler_.find(waiter->id());
    if (entry == nullptr) return;
    if (entry->granting)  // what was promised goes back
        scheduler_.restore(gpu::GrantFailed{waiter->id(), false}, now_utc());
    else
        scheduler_.restore(gpu::Cancel{waiter->id()}, now_utc());
    estimates_.reset();
    changed_.notify_all();
}

GpuQueue::Place& GpuQueue::Place::operator=(Place&& other) noexcept {
    if (this != &other) {
        leave();
        queue_ = std::exchange(other.queue_, nullptr);
        waiter_ = std::move(other.waiter_);
    }
    return *this;
}

void GpuQueue::Place::leave() noexcept {
    if (queue_ != nullptr && waiter_) std::exchange(queue_, nullptr)->give_up(waiter_);
    waiter_.reset();
}

const gpu::GrantAction* GpuQueue::Place::granted() const {
    return waiter_ && waiter_->granted ? &*waiter_->granted : nullptr;
}

const store::QueueEntryRow& GpuQueue::Place::row() const {
    return waiter_->row;
}

GpuQueue::Ask GpuQueue::Place::asked() const {
    return ask_of(waiter_->row);
}

awaitable<Result<void>> GpuQueue::Place::wait(Deadline deadline) {
    const auto waiter = waiter_;
    while (!waiter->granted && waiter->refused.empty()) {
        const bool changed = co_await waiter->changed.wait_until(deadline);
        if (!changed && deadline.passed())
            co_return Error{
                HubErrc::gpu_wait_over,
                "No GPU came free for as long as a start may wait for one, so it was given up. Try again; "
                "the "
                "administrator can raise gpu.queue.longest_wait."};
    }
    if (!waiter->refused.empty()) co_return Error{HubErrc::gpu_rule, waiter->refused};
    co_return Result<void>{};
}

void GpuQueue::Place::confirm(LeaseId lease) && {
    auto* queue = std::exchange(queue_, nullptr);
    const auto waiter = std::exchange(waiter_, nullptr);
    queue->by_entry_.erase(waiter->row.id);
    queue->by_server_.erase(number_of(waiter->row.server));
    const auto* row = queue->context_.leases.find(lease);
    const auto deadline = row == nullptr ? std::nullopt : queue->holding_of(*row).deadline;
    count_gpu_wait(std::chrono::duration<double>(now_utc() - waiter->row.enqueued).count());
    queue->scheduler_.restore(gpu::GrantConfirmed{waiter->id(), lease, deadline}, now_utc());
    queue->confirming_.erase(lease);
    queue->estimates_.reset();
    queue->changed_.notify_all();
}

void GpuQueue::Place::booking(LeaseId lease) {
    waiter_->booking = lease;
    queue_->confirming_.insert(lease);
}

void GpuQueue::Place::put_back() {
    waiter_->granted.reset();
    if (const auto lease = std::exchange(waiter_->booking, std::nullopt)) queue_->confirming_.erase(*lease);
    queue_->put_back_.emplace_back(std::chrono::steady_clock::now() + kPutBackPause, waiter_->id());
}

const std::vector<gpu::Estimate>& GpuQueue::estimates() const {
    const auto now = std::chrono::steady_clock::now();
    if (!estimates_ || now - estimates_->first > kEstimatesGood)
        estimates_.emplace(now, scheduler_.estimates(now_utc()));
    return estimates_->second;
}

GpuQueue::Standing GpuQueue::standing(const Waiter& waiter, const gpu::Estimate& estimate) const {
    const auto& row = waiter.row;
    const auto* entry = scheduler_.find(estimate.entry);
    const auto gpus = entry == nullptr ? 0 : entry->request.wish.count;
    return {row.server, row.user, estimate, estimates().size(), gpus, row.enqueued};
}

std::vector<GpuQueue::Standing> GpuQueue::standings() const {
    std::vector<Standing> all;
    for (const auto& estimate : estimates()) {
        const auto at = by_entry_.find(static_cast<std::int64_t>(estimate.entry));
        if (at != by_entry_.end()) all.push_back(standing(*at->second, estimate));
    }
    return all;
}

std::optional<GpuQueue::Standing> GpuQueue::standing_of(ServerId server) const {
    const auto at = by_server_.find(number_of(server));
    if (at == by_server_.end() || at->second->granted) return std::nullopt;
    for (const auto& estimate : estimates()) {
        if (estimate.entry == at->second->id()) return standing(*at->second, estimate);
    }
    return std::nullopt;
}

Timestamp::duration GpuQueue::longest_waited(Timestamp now) const {
    Timestamp::duration longest{};
    for (const auto& estimate : estimates()) {
        const auto at = by_entry_.find(static_cast<std::int64_t>(estimate.entry));
        if (at == by_entry_.end() || !estimate.quota.empty()) continue;
        longest = std::max(longest, now - at->second->row.enqueued);
    }
    return longest;
}

gpu::Why GpuQueue::why(const Ask& ask) const {
    const auto at = by_server_.find(number_of(ask.server));
    const bool waits = at != by_server_.end() && !at->second->granted;
    const auto id = waits ? at->second->id() : gpu::EntryId{std::numeric_limits<std::int64_t>::max()};
    return scheduler_.why(request_of(ask, id, now_utc()), now_utc());
}

void GpuQueue::mark_idle(LeaseId lease, bool idle) {
    const auto& held = scheduler_.state().holdings;
    const auto known = held.find(lease);
    if (known == held.end() || known->second.reclaimable == idle) return;
    if (!idle && wanted_.erase(lease) > 0)
        apply(gpu::ReclaimRevoked{lease});
    else
        apply(gpu::IdleMarked{lease, idle});
}

std::optional<std::string> GpuQueue::extension_refusal(LeaseId lease, Timestamp until) const {
    return scheduler_.extension_refusal(lease, until, now_utc());
}

std::optional<std::string> GpuQueue::extend(LeaseId lease, Timestamp until) {
    catch_up();
    if (auto refusal = extension_refusal(lease, until)) return refusal;
    scheduler_.restore(gpu::LeaseExtended{lease, until}, now_utc());
    estimates_.reset();
    return std::nullopt;
}

bool GpuQueue::is_wanted(LeaseId lease) const {
    return wanted_.contains(lease) && scheduler_.waiting() > 0;
}

awaitable<> GpuQueue::run() {
    auto next_shown = std::chrono::steady_clock::now();
    for (;;) {
        follow_reservations();
        apply(gpu::Tick{});
        if (const auto now = std::chrono::steady_clock::now(); now >= next_shown) {
            show_gpu_metrics(context_, *this);
            next_shown = now + 1s;
        }
        if (news_.empty() && !devices_news_) (void)co_await changed_.wait_until(Deadline::in(kTick));
    }
}

}  // namespace berth::hub
