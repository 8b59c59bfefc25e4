// Limits per user, group, project and pool (gpu.md E.5). Each limit of a rule is optional; what holds is the
// smallest over all rules that match. Lowering a limit ends nothing, it only keeps new grants away (I7). Use
// from outside Berth is counted against nobody (I18). A refusal names the rule and the leases that fill it.
#pragma once

#include "gpu/queue_types.hpp"

#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace berth::gpu {

enum class QuotaScope { user, group, project, pool };
std::string_view name_of(QuotaScope scope);

struct QuotaRule {
    QuotaScope scope = QuotaScope::user;
    std::string name{};                      // of the user, group, project or pool; "*": each of them
    std::optional<std::uint32_t> devices{};  // at a time
    std::string model{};                     // `devices` counts only this model; "": all
    std::string pool{};  // of a user, group or project: counts only what is of this pool; "": all
    std::optional<Duration> length{};   // of one lease
    std::optional<double> gpu_hours{};  // within the last `window`
    Duration window = std::chrono::hours(24 * 7);
    std::optional<std::uint32_t> entries{};  // waiting in the queue at a time
    bool borrow = false;  // `devices` may be exceeded, preemptibly, while nobody within quota waits
};

struct QuotaRefusal {
    std::string text;         // "quota.user.gpu=2, in use 2 (leases 17, 21)"
    bool may_borrow = false;  // every rule in the way allows it
    bool passes = true;       // the end of a lease, or time, helps; else it never fits
};

class Quotas {
public:
    void set_rules(std::vector<QuotaRule> rules);
    bool limits_models() const { return limits_models_; }  // some rule speaks of one model
    const std::vector<QuotaRule>& rules() const { return rules_; }

    // A lease began or ended; it is counted under its counted_pool and counted_models.
    void add(const Holding& lease);
    void remove(const Holding& lease);
    // After remove(): what it has used counts towards GPU-hours for as long as a window reaches back.
    void ended(const Holding& lease, Timestamp now);
    void entry_added(const Asker& asker, const std::string& pool);
    void entry_removed(const Asker& asker, const std::string& pool);

    // May this be granted now? `model`: the one asked for, or that of all devices it may get; "" unknown.
    // Without Detail::text the refusal has no text and costs next to nothing.
    enum class Detail { bare, text };
    std::optional<QuotaRefusal> refuses(
        const Asker& asker,
        const Wish& wish,
        const std::string& model,
        Timestamp now,
        Detail detail = Detail::text) const;
    // May it be put into the queue at all: lengths, entries, more than the limit will ever allow.
    std::optional<QuotaRefusal> refuses_entry(const QueueRequest& request, const std::string& model) const;
    // The part of it about lengths, for an extension.
    std::optional<QuotaRefusal> refuses_length(const QueueRequest& request) const;
    // Devices that the asker may still get under the rules on concurrent devices; for the time estimate.
    std::uint32_t devices_left(const Asker& asker, const std::string& pool, const std::string& model) const;

private:
    struct Use {
        std::uint32_t devices = 0;
        std::map<std::string, std::uint32_t> of_model;                  // devices of it; not of unknown ones
        std::map<LeaseId, std::pair<Timestamp, std::uint32_t>> leases;  // begin, devices
        std::deque<std::pair<std::pair<Timestamp, Timestamp>, std::uint32_t>> past;  // oldest end first
        std::uint32_t entries = 0;
    };
    // The accounts that a rule speaks of for this asker: one, or those of several groups.
    template <class Visit>
    void each_use(const QuotaRule& rule, const Asker& asker, const std::string& pool, Visit visit) const;
    // All accounts of this asker, made when they are missing.
    template <class Visit>
    void each_own(const Asker& asker, const std::string& pool, Visit visit);
    static double hours_used(const Use& use, Duration window, Timestamp now);
    static std::uint32_t held(const Use& use, const std::string& model);
    static std::optional<QuotaRefusal> too_many(
        const QuotaRule& rule, const Use& use, const Wish& wish, Detail detail);
    static std::optional<QuotaRefusal> too_long(
        const QuotaRule& rule, const Use& use, Timestamp now, Detail detail);
    Duration longest_window() const;

    std::vector<QuotaRule> rules_;
    bool limits_models_ = false;
    std::unordered_map<UserId, Use> users_;
    std::unordered_map<std::string, Use> groups_, projects_, pools_;
    // The same in one pool, for rules that speak of it; the default pool has no name and none of these.
    using InPool = std::pair<std::string, std::string>;  // pool, user's number, group or project
    std::map<InPool, Use> users_in_pool_, groups_in_pool_, projects_in_pool_;
};

}  // namespace berth::gpu
