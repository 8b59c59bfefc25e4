// What the scheduler answers without changing anything: refusals at the door, times, reasons, extensions.
#include "base/text.hpp"
#include "gpu/scheduler.hpp"

#include <algorithm>

namespace berth::gpu {

std::string Scheduler::refusal_of_entry(const QueueRequest& request) const {
    if (request.wish.count == 0) return "Ask for at least one GPU, or start without any.";
    const auto asked = state_.shape_of(request.wish);
    const Shape& shape = *asked;
    if (shape.matching.none()) return "There is no such GPU here.";
    if (request.wish.count > shape.matching.count()) {
        return "You asked for " + counted(request.wish.count, "GPU") + "; there are only " +
               counted(shape.matching.count(), "GPU") + " of that kind. Ask for fewer.";
    }
    if (request.length && *request.length <= Duration{}) return "Ask for a longer time.";
    if (queue_.size() >= state_.options.max_entries) {
        return "The queue is full (" + std::to_string(state_.options.max_entries) +
               " entries). Try again later.";
    }
    const auto refusal = state_.quotas.refuses_entry(request, shape.model);
    return refusal ? refusal->text : std::string();
}

std::vector<Estimate> Scheduler::estimates(Timestamp now) const {
    const auto& order = queue_.order(state_, now);
    auto all = estimate(state_, order, now);
    if (state_.quotas.rules().empty()) return all;
    for (std::size_t i = 0; i < all.size(); ++i) {
        Estimate& each = all[i];
        const Entry& entry = *order[i].entry;
        const QueueRequest& request = entry.request;
        const auto refuses = [&](Quotas::Detail detail) {
            return state_.quotas.refuses(request.asker, request.wish, entry.shape->model, now, detail);
        };
        if (refuses(Quotas::Detail::bare)) each.quota = refuses(Quotas::Detail::text)->text;
    }
    return all;
}

Why Scheduler::why(const QueueRequest& request, Timestamp now) const {
    Why answer;
    Scheduler asked = *this;
    if (!asked.queue_.find(request.id)) {
        QueueRequest tried = request;
        if (!tried.length) tried.length = state_.options.default_length;
        if (tried.enqueued == Timestamp{}) tried.enqueued = now;
        answer.refusal = refusal_of_entry(tried);
        if (answer.refusal.empty()) asked.queue_.add(tried, state_);
    }
    const Entry* entry = asked.queue_.find(request.id);
    const auto& order = asked.queue_.order(asked.state_, now);
    const auto place =
        std::find_if(order.begin(), order.end(), [&](const Place& each) { return each.entry == entry; });
    std::vector<const Entry*> ahead;
    for (auto each = order.begin(); entry && each != place; ++each)
        ahead.push_back(each->entry);
    const QueueRequest& known = entry ? entry->request : request;
    answer.devices = explain_devices(state_, ahead, known, now);
    answer.helps = what_helps(state_, known, answer.devices);
    if (!entry || place == order.end()) return answer;
    const std::size_t index = ahead.size();
    answer.estimate = estimate(asked.state_, order, now)[index];
    const auto refusal = state_.quotas.refuses(known.asker, known.wish, entry->shape->model, now);
    if (refusal) answer.quota = refusal->text;
    answer.starts_now = !refusal && answer.estimate.latest_start == now;
    return answer;
}

std::optional<std::string> Scheduler::extension_refusal(LeaseId id, Timestamp deadline, Timestamp now) const {
    const auto held = state_.holdings.find(id);
    if (held == state_.holdings.end()) return "This GPU lease has ended.";
    const Holding& lease = held->second;
    const auto reserved = reserved_spans(state_, now);
    for (const std::uint32_t at : lease.at) {
        for (const ReservedSpan& span : reserved[at]) {
            if (span.begin < deadline && !state_.reservations[span.reservation].belongs_to(lease.asker)) {
                return "This GPU is reserved for somebody else from " + format_rfc3339(span.begin) + " on.";
            }
        }
    }
    QueueRequest longer{.asker = lease.asker, .length = deadline - now};
    longer.wish.pool = lease.counted_pool;
    longer.wish.count = 0;
    if (const auto refusal = state_.quotas.refuses_length(longer)) return refusal->text;
    for (const auto& [entry_id, entry] : queue_.entries()) {
        const bool wants = !entry.granting && std::any_of(lease.at.begin(), lease.at.end(), [&](auto at) {
            return entry.shape->usable.test(at);
        });
        if (wants && lease.deadline && deadline > *lease.deadline) {
            return "Somebody is waiting for this GPU; it can be extended when nobody does.";
        }
    }
    if (lease.ending) return "This GPU lease is ending.";
    return std::nullopt;
}

}  // namespace berth::gpu
