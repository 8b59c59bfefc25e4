#include "gpu/quota.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

namespace berth::gpu {
namespace {

constexpr std::size_t kLeasesNamed = 8;

double hours(Duration time) {
    return std::chrono::duration<double, std::ratio<3600>>(time).count();
}

std::string rounded(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f", value);
    std::string shown(text);
    if (shown.ends_with(".0")) shown.resize(shown.size() - 2);
    return shown;
}

std::string rule_name(const QuotaRule& rule, std::string_view limit) {
    std::string name = "quota.";
    name.append(name_of(rule.scope));
    if (!rule.name.empty() && rule.name != "*") name.append("[").append(rule.name).append("]");
    return name.append(".").append(limit);
}

std::string leases_text(const std::map<LeaseId, std::pair<Timestamp, std::uint32_t>>& leases) {
    if (leases.empty()) return "";
    std::string text = leases.size() == 1 ? " (lease " : " (leases ";
    std::size_t shown = 0;
    for (const auto& [id, facts] : leases) {
        if (shown == kLeasesNamed) break;
        if (shown++ > 0) text += ", ";
        text += std::to_string(number_of(id));
    }
    if (leases.size() > shown) text += " and " + std::to_string(leases.size() - shown) + " more";
    return text += ")";
}

std::string gpu_key(const QuotaRule& rule) {
    return rule.model.empty() ? std::string("gpu") : "gpu[" + rule.model + "]";
}

// The refusal that holds the longest comes first; between several the tightest limit is named.
void keep_tighter(std::optional<QuotaRefusal>& kept, QuotaRefusal other) {
    if (!kept) {
        kept = std::move(other);
        return;
    }
    const bool may_borrow = kept->may_borrow && other.may_borrow;
    if (kept->passes && !other.passes) kept = std::move(other);
    kept->may_borrow = may_borrow;
}

}  // namespace

std::string_view name_of(QuotaScope scope) {
    switch (scope) {
        case QuotaScope::user:
            return "user";
        case QuotaScope::group:
            return "group";
        case QuotaScope::project:
            return "project";
        case QuotaScope::pool:
            return "pool";
    }
    return "unknown";
}

std::vector<std::string> Quotas::subjects(
    const QuotaRule& rule, const Asker& asker, const std::string& pool) {
    const auto meant = [&](const std::string& name) { return rule.name == "*" || rule.name == name; };
    std::vector<std::string> names;
    switch (rule.scope) {
        case QuotaScope::user:
            if (meant(asker.name)) names.push_back("user/" + std::to_string(number_of(asker.user)));
            break;
        case QuotaScope::group:
            for (const auto& group : asker.groups) {
                if (meant(group)) names.push_back("group/" + group);
            }
            break;
        case QuotaScope::project:
            if (!asker.project.empty() && meant(asker.project)) names.push_back("project/" + asker.project);
            break;
        case QuotaScope::pool:
            if (meant(pool)) names.push_back("pool/" + pool);
            break;
    }
    return names;
}

std::vector<std::string> Quotas::all_subjects(const Asker& asker, const std::string& pool) {
    std::vector<std::string> names;
    for (const auto scope : {QuotaScope::user, QuotaScope::group, QuotaScope::project, QuotaScope::pool}) {
        for (auto& name : subjects({.scope = scope, .name = "*"}, asker, pool))
            names.push_back(std::move(name));
    }
    return names;
}

const Quotas::Use& Quotas::use_of(const std::string& subject) const {
    static const Use kNone;
    const auto at = uses_.find(subject);
    return at == uses_.end() ? kNone : at->second;
}

void Quotas::add(const Holding& lease) {
    for (const auto& subject : all_subjects(lease.asker, lease.counted_pool)) {
        Use& use = uses_[subject];
        const auto count = static_cast<std::uint32_t>(lease.counted_models.size());
        use.devices[""] += count;
        for (const auto& model : lease.counted_models) {
            if (!model.empty()) ++use.devices[model];
        }
        use.leases.insert_or_assign(lease.id, std::pair{lease.begin, count});
    }
}

void Quotas::remove(const Holding& lease) {
    for (const auto& subject : all_subjects(lease.asker, lease.counted_pool)) {
        Use& use = uses_[subject];
        if (use.leases.erase(lease.id) == 0) continue;
        use.devices[""] -= static_cast<std::uint32_t>(lease.counted_models.size());
        for (const auto& model : lease.counted_models) {
            if (!model.empty()) --use.devices[model];
        }
    }
}

void Quotas::ended(const Holding& lease, Timestamp now) {
    const Duration window = longest_window();
    if (window == Duration{} || now <= lease.begin) return;
    for (const auto& subject : all_subjects(lease.asker, lease.counted_pool)) {
        Use& use = uses_[subject];
        while (!use.past.empty() && use.past.front().first.second + window < now)
            use.past.pop_front();
        use.past.emplace_back(std::pair{lease.begin, now}, static_cast<std::uint32_t>(lease.devices.size()));
    }
}

void Quotas::entry_added(const Asker& asker, const std::string& pool) {
    for (const auto& subject : all_subjects(asker, pool))
        ++uses_[subject].entries;
}

void Quotas::entry_removed(const Asker& asker, const std::string& pool) {
    for (const auto& subject : all_subjects(asker, pool)) {
        Use& use = uses_[subject];
        if (use.entries > 0) --use.entries;
    }
}

Duration Quotas::longest_window() const {
    Duration longest{};
    for (const auto& rule : rules_) {
        if (rule.gpu_hours) longest = std::max(longest, rule.window);
    }
    return longest;
}

double Quotas::hours_used(const Use& use, Duration window, Timestamp now) const {
    const Timestamp since = now - window;
    double sum = 0;
    for (const auto& [span, devices] : use.past) {
        if (span.second > since) sum += hours(span.second - std::max(span.first, since)) * devices;
    }
    for (const auto& [id, facts] : use.leases) {
        if (now > facts.first) sum += hours(now - std::max(facts.first, since)) * facts.second;
    }
    return sum;
}

std::optional<QuotaRefusal> Quotas::refuses(
    const Asker& asker, const Wish& wish, const std::string& model, Timestamp now) const {
    std::optional<QuotaRefusal> refusal;
    for (const QuotaRule& rule : rules_) {
        if (!rule.devices && !rule.gpu_hours) continue;
        for (const auto& subject : subjects(rule, asker, wish.pool)) {
            const Use& use = use_of(subject);
            if (rule.devices && (rule.model.empty() || rule.model == model)) {
                const auto held = use.devices.find(rule.model);
                const std::uint32_t in_use = held == use.devices.end() ? 0 : held->second;
                if (in_use + wish.count > *rule.devices) {
                    keep_tighter(
                        refusal,
                        {.text = rule_name(rule, gpu_key(rule)) + "=" + std::to_string(*rule.devices) +
                                 ", in use " + std::to_string(in_use) + leases_text(use.leases),
                         .may_borrow = rule.borrow,
                         .passes = rule.borrow || wish.count <= *rule.devices});
                }
            }
            if (!rule.gpu_hours) continue;
            const double used = hours_used(use, rule.window, now);
            if (used < *rule.gpu_hours) continue;
            keep_tighter(
                refusal,
                {.text = rule_name(rule, "gpu_hours") + "=" + rounded(*rule.gpu_hours) + " in " +
                         rounded(hours(rule.window) / 24) + " days, used " + rounded(used) +
                         leases_text(use.leases),
                 .may_borrow = false,
                 .passes = *rule.gpu_hours > 0});
        }
    }
    return refusal;
}

std::optional<QuotaRefusal> Quotas::refuses_length(const QueueRequest& request) const {
    for (const QuotaRule& rule : rules_) {
        const bool fits = !rule.length || (request.length && *request.length <= *rule.length);
        if (fits || subjects(rule, request.asker, request.wish.pool).empty()) continue;
        const std::string asked =
            request.length ? "asked for " + rounded(hours(*request.length)) + " h" : "no length named";
        return QuotaRefusal{
            .text = rule_name(rule, "length_hours") + "=" + rounded(hours(*rule.length)) + ", " + asked,
            .passes = false};
    }
    return std::nullopt;
}

std::optional<QuotaRefusal> Quotas::refuses_entry(
    const QueueRequest& request, const std::string& model) const {
    if (auto refusal = refuses_length(request)) return refusal;
    for (const QuotaRule& rule : rules_) {
        for (const auto& subject : subjects(rule, request.asker, request.wish.pool)) {
            const Use& use = use_of(subject);
            if (rule.entries && use.entries >= *rule.entries) {
                return QuotaRefusal{
                    .text = rule_name(rule, "entries") + "=" + std::to_string(*rule.entries) + ", waiting " +
                            std::to_string(use.entries)};
            }
            const bool counts = rule.model.empty() || rule.model == model;
            if (rule.devices && counts && !rule.borrow && request.wish.count > *rule.devices) {
                return QuotaRefusal{
                    .text = rule_name(rule, gpu_key(rule)) + "=" + std::to_string(*rule.devices) +
                            ", asked for " + std::to_string(request.wish.count),
                    .passes = false};
            }
        }
    }
    return std::nullopt;
}

std::uint32_t Quotas::devices_left(
    const Asker& asker, const std::string& pool, const std::string& model) const {
    std::uint32_t left = std::numeric_limits<std::uint32_t>::max();
    for (const QuotaRule& rule : rules_) {
        if (!rule.devices || (!rule.model.empty() && rule.model != model)) continue;
        for (const auto& subject : subjects(rule, asker, pool)) {
            const Use& use = use_of(subject);
            const auto held = use.devices.find(rule.model);
            const std::uint32_t in_use = held == use.devices.end() ? 0 : held->second;
            left = std::min(left, *rule.devices > in_use ? *rule.devices - in_use : 0);
        }
    }
    return left;
}

}  // namespace berth::gpu
