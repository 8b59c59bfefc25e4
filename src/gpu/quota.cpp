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
    if (!rule.pool.empty()) name.append(".pool[").append(rule.pool).append("]");
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

std::string key_of(const Asker& asker) {
    return std::to_string(number_of(asker.user));
}

// The refusal that holds the longest comes first; between several the tightest limit is named.
void keep_tighter(std::optional<QuotaRefusal>& kept, std::optional<QuotaRefusal> other) {
    if (!other) return;
    if (!kept) {
        kept = std::move(other);
        return;
    }
    const bool may_borrow = kept->may_borrow && other->may_borrow;
    if (kept->passes && !other->passes) kept = std::move(other);
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

template <class Visit>
void Quotas::each_use(const QuotaRule& rule, const Asker& asker, const std::string& pool, Visit visit) const {
    static const Use kNone;
    const auto meant = [&](const std::string& name) { return rule.name == "*" || rule.name == name; };
    const auto of = [](const auto& uses, const auto& key) -> const Use& {
        const auto at = uses.find(key);
        return at == uses.end() ? kNone : at->second;
    };
    const bool in_pool = !rule.pool.empty();
    if (in_pool && rule.pool != pool) return;
    switch (rule.scope) {
        case QuotaScope::user:
            if (!meant(asker.name)) break;
            visit(in_pool ? of(users_in_pool_, InPool(pool, key_of(asker))) : of(users_, asker.user));
            break;
        case QuotaScope::group:
            for (const auto& group : asker.groups) {
                if (!meant(group)) continue;
                visit(in_pool ? of(groups_in_pool_, InPool(pool, group)) : of(groups_, group));
            }
            break;
        case QuotaScope::project: {
            const auto& project = asker.project;
            if (project.empty() || !meant(project)) break;
            visit(in_pool ? of(projects_in_pool_, InPool(pool, project)) : of(projects_, project));
            break;
        }
        case QuotaScope::pool:
            if (meant(pool)) visit(of(pools_, pool));
            break;
    }
}

template <class Visit>
void Quotas::each_own(const Asker& asker, const std::string& pool, Visit visit) {
    visit(users_[asker.user]);
    for (const auto& group : asker.groups)
        visit(groups_[group]);
    if (!asker.project.empty()) visit(projects_[asker.project]);
    visit(pools_[pool]);
    if (pool.empty()) return;
    visit(users_in_pool_[{pool, key_of(asker)}]);
    for (const auto& group : asker.groups)
        visit(groups_in_pool_[{pool, group}]);
    if (!asker.project.empty()) visit(projects_in_pool_[{pool, asker.project}]);
}

void Quotas::set_rules(std::vector<QuotaRule> rules) {
    rules_ = std::move(rules);
    limits_models_ =
        std::any_of(rules_.begin(), rules_.end(), [](const QuotaRule& rule) { return !rule.model.empty(); });
}

void Quotas::add(const Holding& lease) {
    const auto count = static_cast<std::uint32_t>(lease.counted_models.size());
    each_own(lease.asker, lease.counted_pool, [&](Use& use) {
        use.devices += count;
        for (const auto& model : lease.counted_models) {
            if (!model.empty()) ++use.of_model[model];
        }
        use.leases.insert_or_assign(use.leases.end(), lease.id, std::pair{lease.begin, count});
    });
}

void Quotas::remove(const Holding& lease) {
    each_own(lease.asker, lease.counted_pool, [&](Use& use) {
        if (use.leases.erase(lease.id) == 0) return;
        use.devices -= static_cast<std::uint32_t>(lease.counted_models.size());
        for (const auto& model : lease.counted_models) {
            if (!model.empty()) --use.of_model[model];
        }
    });
}

void Quotas::ended(const Holding& lease, Timestamp now) {
    const Duration window = longest_window();
    if (window == Duration{} || now <= lease.begin) return;
    const auto count = static_cast<std::uint32_t>(lease.devices.size());
    each_own(lease.asker, lease.counted_pool, [&](Use& use) {
        while (!use.past.empty() && use.past.front().first.second + window < now)
            use.past.pop_front();
        use.past.emplace_back(std::pair{lease.begin, now}, count);
    });
}

void Quotas::entry_added(const Asker& asker, const std::string& pool) {
    each_own(asker, pool, [](Use& use) { ++use.entries; });
}

void Quotas::entry_removed(const Asker& asker, const std::string& pool) {
    each_own(asker, pool, [](Use& use) { use.entries -= use.entries > 0 ? 1 : 0; });
}

Duration Quotas::longest_window() const {
    Duration longest{};
    for (const auto& rule : rules_) {
        if (rule.gpu_hours) longest = std::max(longest, rule.window);
    }
    return longest;
}

double Quotas::hours_used(const Use& use, Duration window, Timestamp now) {
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

std::uint32_t Quotas::held(const Use& use, const std::string& model) {
    if (model.empty()) return use.devices;
    const auto at = use.of_model.find(model);
    return at == use.of_model.end() ? 0 : at->second;
}

std::optional<QuotaRefusal> Quotas::too_many(
    const QuotaRule& rule, const Use& use, const Wish& wish, Detail detail) {
    const std::uint32_t in_use = held(use, rule.model);
    if (in_use + wish.count <= *rule.devices) return std::nullopt;
    QuotaRefusal refusal{
        .text = {}, .may_borrow = rule.borrow, .passes = rule.borrow || wish.count <= *rule.devices};
    if (detail == Detail::text) {
        refusal.text = rule_name(rule, gpu_key(rule)) + "=" + std::to_string(*rule.devices) + ", in use " +
                       std::to_string(in_use) + leases_text(use.leases);
    }
    return refusal;
}

std::optional<QuotaRefusal> Quotas::too_long(
    const QuotaRule& rule, const Use& use, Timestamp now, Detail detail) {
    const double used = hours_used(use, rule.window, now);
    if (used < *rule.gpu_hours) return std::nullopt;
    QuotaRefusal refusal{.text = {}, .may_borrow = false, .passes = *rule.gpu_hours > 0};
    if (detail == Detail::text) {
        refusal.text = rule_name(rule, "gpu_hours") + "=" + rounded(*rule.gpu_hours) + " in " +
                       rounded(hours(rule.window) / 24) + " days, used " + rounded(used) +
                       leases_text(use.leases);
    }
    return refusal;
}

std::optional<QuotaRefusal> Quotas::refuses(
    const Asker& asker, const Wish& wish, const std::string& model, Timestamp now, Detail detail) const {
    std::optional<QuotaRefusal> refusal;
    for (const QuotaRule& rule : rules_) {
        if (!rule.devices && !rule.gpu_hours) continue;
        each_use(rule, asker, wish.pool, [&](const Use& use) {
            if (rule.devices && (rule.model.empty() || rule.model == model)) {
                keep_tighter(refusal, too_many(rule, use, wish, detail));
            }
            if (rule.gpu_hours) keep_tighter(refusal, too_long(rule, use, now, detail));
        });
    }
    return refusal;
}

std::optional<QuotaRefusal> Quotas::refuses_length(const QueueRequest& request) const {
    for (const QuotaRule& rule : rules_) {
        if (!rule.length || (request.length && *request.length <= *rule.length)) continue;
        bool meant = false;
        each_use(rule, request.asker, request.wish.pool, [&](const Use&) { meant = true; });
        if (!meant) continue;
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
    std::optional<QuotaRefusal> refusal;
    for (const QuotaRule& rule : rules_) {
        each_use(rule, request.asker, request.wish.pool, [&](const Use& use) {
            if (rule.entries && use.entries >= *rule.entries) {
                refusal = QuotaRefusal{
                    .text = rule_name(rule, "entries") + "=" + std::to_string(*rule.entries) + ", waiting " +
                            std::to_string(use.entries)};
            }
            const bool counts = rule.model.empty() || rule.model == model;
            if (rule.devices && counts && !rule.borrow && request.wish.count > *rule.devices) {
                refusal = QuotaRefusal{
                    .text = rule_name(rule, gpu_key(rule)) + "=" + std::to_string(*rule.devices) +
                            ", asked for " + std::to_string(request.wish.count),
                    .passes = false};
            }
        });
        if (refusal) break;
    }
    return refusal;
}

std::uint32_t Quotas::devices_left(
    const Asker& asker, const std::string& pool, const std::string& model) const {
    std::uint32_t left = std::numeric_limits<std::uint32_t>::max();
    for (const QuotaRule& rule : rules_) {
        if (!rule.devices || (!rule.model.empty() && rule.model != model)) continue;
        each_use(rule, asker, pool, [&](const Use& use) {
            const std::uint32_t in_use = held(use, rule.model);
            left = std::min(left, *rule.devices > in_use ? *rule.devices - in_use : 0);
        });
    }
    return left;
}

}  // namespace berth::gpu
