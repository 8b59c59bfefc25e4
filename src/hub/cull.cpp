#include "hub/cull.hpp"

#include "base/random.hpp"
#include "gpu/idle_limit.hpp"
#include "hub/audit.hpp"
#include "hub/drains.hpp"
#include "hub/gpu_metrics.hpp"
#include "hub/kernels.hpp"
#include "hub/notify.hpp"
#include "obs/log.hpp"
#include "store/queries.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace berth::hub {
namespace {

using namespace std::chrono_literals;
using Act = CullDecision::Act;

constexpr auto kTokenLife = 1h;
constexpr std::size_t kAtOnce = 500;  // servers looked at without a pause

std::chrono::steady_clock::time_point steady_now() {
    return std::chrono::steady_clock::now();
}

}  // namespace

CullPolicy Culler::policy_of(const Server& server) const {
    const auto* user = context_.directory.find(server.row.user);
    const auto groups =
        user == nullptr ? std::vector<std::string>{} : context_.directory.group_names_of(*user);
    auto policy = policy_for(context_.options.cull, server.row.profile, groups);
    const auto reclaim = reclaim_idle_;
    const bool wanted = server.lease && queue_.is_wanted(*server.lease);
    if (wanted && (policy.idle.count() == 0 || reclaim < policy.idle)) {
        policy.idle = reclaim;
        policy.reclaims = true;
    }
    return policy;
}

// Somebody waits for GPUs, and unused ones go to who waits.
bool Culler::reclaims() const {
    return queue_.waiting() > 0 && context_.options.gpu.queue.reclaim_idle.count() > 0;
}

// The longer somebody has waited, the less idle time is asked for.
void Culler::follow_the_queue() {
    const auto waited = std::chrono::floor<seconds>(queue_.longest_waited(now_utc()));
    reclaim_idle_ = gpu::idle_limit(context_.options.gpu.queue.reclaim_idle, waited);
}

// Tells the queue whether the GPUs of this server could be had: its people were or can be warned in full by
// the time that its hour is over.
void Culler::mark_idle(const Server& server) {
    if (!server.lease) return;
    const auto now = steady_now();
    const auto state = state_of(server, now);
    const auto reclaim = reclaim_idle_;
    const auto lead = std::min(context_.options.cull.warning, reclaim / 2);
    const bool unused = watch(server, now).work.idle(now) >= reclaim - lead;
    const bool idle = !state.use_unknown && state.kept.count() == 0 && unused;
    queue_.mark_idle(*server.lease, idle);
}

Culler::Watch& Culler::watch(const Server& server, Steady now) {
    const auto id = number_of(server.row.id);
    const auto known = watches_.find(id);
    const auto wall = now_utc();
    if (known != watches_.end() && known->second.generation == server.row.generation) {
        known->second.clock.see(server.row.last_activity, wall, now);
        return known->second;
    }
    const auto started = server.row.started.value_or(wall);
    std::optional<seconds> most;  // times of day are all there is about what ran before us
    if (last_look_)
        most = std::chrono::ceil<seconds>(now - *last_look_) + context_.options.spawn.start_timeout;
    Watch fresh{
        server.row.generation,
        LifeClock(started, server.row.last_activity, wall, now, most),
        LifeClock(started, std::nullopt, wall, now, most),
        std::nullopt,
        std::nullopt,
        std::nullopt,
        std::nullopt,
        std::nullopt,
        0,
        false,
        false,
        Secret(),
        {}};
    if (const auto end = lease_end_of(server)) fresh.lease_end = now + (*end - wall);
    if (server.row.kept_until && *server.row.kept_until > wall) {
        const auto left =
            std::min<std::chrono::microseconds>(*server.row.kept_until - wall, policy_of(server).extension);
        fresh.kept_until = now + left;
    }
    return watches_.insert_or_assign(id, std::move(fresh)).first->second;
}

CullState Culler::state_of(const Server& server, Steady now) {
    const auto& seen = watch(server, now);
    auto until = [now](Steady end) { return std::max(std::chrono::ceil<seconds>(end - now), seconds{0}); };
    CullState state;
    // An open page keeps a server, but not a GPU that somebody waits for.
    const bool by_pages_too = context_.options.cull.count_open_pages && !policy_of(server).reclaims;
    state.idle = by_pages_too ? seen.clock.idle(now) : seen.work.idle(now);
    state.age = seen.clock.age(now);
    if (seen.kept_until) state.kept = until(*seen.kept_until);
    state.grace = until(began_ + context_.options.cull.grace);
    if (seen.warned_since) state.warned = std::chrono::floor<seconds>(now - *seen.warned_since);
    state.use_unknown = gpus_.unknown(server);
    if (seen.lease_end) state.lease_left = std::chrono::ceil<seconds>(*seen.lease_end - now);
    if (seen.lease_warned_since)
        state.lease_warned = std::chrono::floor<seconds>(now - *seen.lease_warned_since);
    return state;
}

bool Culler::is_near_end(const Server& server, Steady now) {
    return decide(policy_of(server), state_of(server, now)).act != Act::keep;
}

void Culler::forget_the_ended() {
    std::erase_if(watches_, [&](const auto& each) {
        const auto server = context_.servers.find(static_cast<ServerId>(each.first));
        return !server || !server->active() || server->row.generation != each.second.generation;
    });
}

awaitable<> Culler::look() {
    const auto begin = steady_now();
    forget_the_ended();
    follow_the_queue();
    std::vector<ServerKey> near;
    const bool announced = std::exchange(announced_, false);
    if (has_work() || takes_gpus() || announced) {
        const auto servers = context_.servers.all();
        for (std::size_t i = 0; i < servers.size(); ++i) {
            if (i % kAtOnce == kAtOnce - 1) co_await sleep_for(0ms);  // others want the strand too
            const auto& server = servers[i];
            if (!server->ready() || server->reaping) continue;
            if (reclaims()) mark_idle(*server);
            hint(*server, steady_now());
            if (certain_end(*server) || is_near_end(*server, steady_now()))
                near.push_back(server->key);
            else
                go_on(*server);
        }
    }
    last_look_ = begin;
    if (near.empty()) co_return;
    co_await activity_.flush();  // what the proxy has seen since
    for (auto& key : near)
        co_await judge(std::move(key));
}

// One that seems near its end, looked at closely: with what the proxy and its kernels say now.
awaitable<> Culler::judge(ServerKey key) {
    const auto server = context_.servers.find(key);
    if (!server || !server->ready() || server->reaping) co_return;
    if (const auto certain = certain_end(*server)) {
        co_await judge_certain(server, *certain);
        co_return;
    }
    if (policy_of(*server).idle.count() > 0) co_await look_inside(server);
    if (!server->ready() || server->reaping) co_return;
    const auto policy = policy_of(*server);
    const auto decision = decide(policy, state_of(*server, steady_now()));
    if (decision.act == Act::keep) go_on(*server);
    if (decision.act == Act::warn) warn(*server, decision, policy);
    if (decision.act != Act::stop) co_return;
    StopWish wish;
    wish.sentence = why_stopped(decision.why, policy);
    wish.still_wanted = [this, why = decision.why, policy](const Server& now_held) {
        const auto again = decide(policy, state_of(now_held, steady_now()));
        return again.act == Act::stop && again.why == why;
    };
    co_await stop(server, decision.why, std::move(wish));
}

awaitable<> Culler::look_inside(std::shared_ptr<Server> server) {
    const auto generation = server->row.generation;
    if (server->unreachable()) co_return;
    auto token = co_await token_for(server);
    if (!token) {
        log::warn(
            "cull.kernels_unknown", {{"server", server->key.full_name()}, {"why", token.error().message}});
        co_return;
    }
    auto seen = co_await ask_kernels(
        server->row.target_url,
        server->prefix(context_.options.base_path()),
        std::move(*token),
        Deadline::in(3s));
    if (!server->ready() || server->row.generation != generation) co_return;
    if (!seen) {
        // It is no Jupyter, or does not answer: what it reported must do.
        watch(*server, steady_now()).work.see(server->row.last_activity, now_utc(), steady_now());
        log::info(
            "cull.kernels_unknown", {{"server", server->key.full_name()}, {"why", seen.error().message}});
        co_return;
    }
    if (seen->latest) note_work(*server, *seen->latest);
    if (seen->busy) note_work(*server, now_utc());
}

void Culler::note_work(Server& server, Timestamp at) {
    const auto now = steady_now();
    activity_.observe(server, at);
    watch(server, now).work.see(at, now_utc(), now);
}

// Good for this server alone, and known to nobody but it and us.
awaitable<Result<Secret>> Culler::token_for(std::shared_ptr<Server> server) {
    const auto now = steady_now();
    {
        const auto& seen = watch(*server, now);
        if (!seen.token.empty() && seen.token_ends > now + 1min) co_return seen.token;
    }
    store::TokenRow row;
    Secret token(random_hex(16));
    row.id = context_.ids.next<TokenId>();
    row.user = server->row.user;
    row.hashed = sha256_hex(token.reveal());
    row.client_id = "jupyterhub";
    row.scopes = {"access:servers!server=" + server->key.full_name()};
    row.note = "Server at " + server->prefix(context_.options.base_path()) + " (look for idle kernels)";
    row.created = now_utc();
    row.expires_at = row.created + kTokenLife;
    row.server = server->row.id;
    BERTH_CO_CHECK(co_await context_.directory.commit(context_.directory.prepare_token(row)));
    auto& seen = watch(*server, now);
    seen.token = token;
    seen.token_ends = now + kTokenLife;
    co_return token;
}

void Culler::warn(Server& server, const CullDecision& decision, const CullPolicy& policy) {
    const auto now = steady_now();
    auto& seen = watch(server, now);
    const bool by_lease = decision.why == EndReason::lease;
    auto& since = by_lease ? seen.lease_warned_since : seen.warned_since;
    const auto at = now_utc() + decision.left;
    const auto used = static_cast<std::uint32_t>(server.row.keep_count);
    Ending ending{
        at, decision.why, policy.max_extensions - std::min(used, policy.max_extensions), policy.extension};
    if (by_lease) ending = lease_ending(server, decision);
    if (!since) since = now;
    announce(server, ending, decision.left);
    notify(server, decision.why, decision.left);
}

// The time told stays as it is unless it has really changed.
void Culler::announce(Server& server, Ending ending, seconds left) {
    announced_ = true;
    const auto& told = server.ending;
    const bool same = told && told->why == ending.why && told->extensions_left == ending.extensions_left &&
                      std::chrono::abs(told->at - ending.at) < 5s;
    if (same) return;
    if (!told || told->why != ending.why) {
        log::info(
            "server.end_announced",
            {{"server", server.key.full_name()}, {"why", name_of(ending.why)}, {"in_seconds", left.count()}});
    }
    server.ending = ending;
    server.changed.notify_all();
}

// When the end is announced, and again as it comes near.
void Culler::notify(const Server& server, EndReason why, seconds left) {
    auto& seen = watch(server, steady_now());
    const auto due = warnings_due(left);
    const bool news = seen.told_why != why || due > seen.told;
    seen.told_why = why;
    seen.told = due;
    if (news && context_.notices != nullptr) context_.notices->ending(server, left);
}

// Some server's GPUs may be taken whatever its people do.
bool Culler::takes_gpus() const {
    return queue_.preempts() || (context_.drains != nullptr && context_.drains->any());
}

std::optional<Culler::Certain> Culler::certain_end(const Server& server) const {
    std::optional<Certain> end;
    if (server.lease) {
        if (const auto stops = queue_.preempted(*server.lease)) end = {EndReason::preempted, *stops};
    }
    const auto* drain = context_.drains == nullptr ? nullptr : context_.drains->of(server);
    if (drain != nullptr && drain->ends && (!end || *drain->ends < end->at))
        end = {EndReason::drain, *drain->ends};
    // A restart of the hub ends nobody at once.
    if (end) end->at = std::max(end->at, began_ + context_.options.cull.grace);
    return end;
}

awaitable<> Culler::judge_certain(std::shared_ptr<Server> server, Certain end) {
    const auto left = std::chrono::ceil<seconds>(end.at - steady_now());
    if (left.count() > 0) {
        announce(*server, Ending{now_utc() + left, end.why, 0, seconds{0}}, left);
        notify(*server, end.why, left);
        co_return;
    }
    StopWish wish;
    wish.sentence = why_stopped(end.why, {});
    const auto* drain = context_.drains == nullptr ? nullptr : context_.drains->of(*server);
    if (end.why == EndReason::drain && drain != nullptr && !drain->reason.empty())
        wish.sentence.append(" Why: ").append(drain->reason);
    wish.still_wanted = [this, why = end.why](const Server& now_held) {
        const auto again = certain_end(now_held);
        return again && again->why == why && again->at <= steady_now();
    };
    co_await stop(std::move(server), end.why, std::move(wish));
}

void Culler::go_on(Server& server) {
    const auto seen = watches_.find(number_of(server.row.id));
    if (seen != watches_.end()) {
        seen->second.warned_since.reset();
        seen->second.lease_warned_since.reset();
        seen->second.told_why.reset();
    }
    if (!server.ending) return;
    log::info("server.end_revoked", {{"server", server.key.full_name()}});
    server.ending.reset();
    server.changed.notify_all();
}

awaitable<> Culler::stop(std::shared_ptr<Server> server, EndReason why, StopWish wish) {
    const auto key = server->key;
    auto permit = access::AccessCheck::system("system:culler", "servers", access::Target::of(key));
    wish.end_reason = name_of(why);
    auto asked = co_await stop_.begin(std::move(permit), key, std::move(wish));
    if (!asked) {
        log::warn("cull.stop_failed", {{"server", key.full_name()}, {"why", asked.error().message}});
        co_return;
    }
    if (why == EndReason::reclaim) count_gpu_reclaim();
    // One after the other where that is quick: a hundred idle servers are no reason to hurry the engine.
    (void)co_await stop_.wait(key, Deadline::in(1s));
}

awaitable<Result<Timestamp>> Culler::keep_running(access::Permit permit, ServerKey key) {
    const auto claim = co_await context_.servers.claim(key.user);
    const auto server = context_.servers.find(key);
    if (!server) co_return Error{HubErrc::no_such_server, "There is no such server."};
    if (!server->ready() || server->reaping || !server->ending)
        co_return Error{
            HubErrc::no_end_near, "The server is not about to be stopped, so there is nothing to hold off."};
    if (server->ending->why == EndReason::lease)
        co_return co_await extend_held(std::move(permit), server, std::nullopt);
    if (certain_end(*server))
        co_return Error{
            HubErrc::no_more_extensions,
            "Its GPU is taken back, so it cannot be kept running. Save your work; you can start it anew."};
    const auto policy = policy_of(*server);
    const auto count = server->row.keep_count + 1;
    if (count > static_cast<std::int64_t>(policy.max_extensions))
        co_return Error{
            HubErrc::no_more_extensions,
            "This server was kept running " + std::to_string(server->row.keep_count) +
                " times, and may not be again. Save your work; you can start it anew at once."};
    const auto until = now_utc() + policy.extension;
    const auto audit = audit_of(
        permit,
        "server.keep_running",
        key.full_name(),
        "for " + in_words(policy.extension) + ", number " + std::to_string(count));
    store::Change change = [id = server->row.id, count, until, audit](store::Transaction& t) {
        store::keep_server(t, id, count, until);
        store::insert(t, audit);
    };
    BERTH_CO_CHECK(co_await context_.store.commit(std::move(change)));
    server->row.keep_count = count;
    server->row.kept_until = until;
    const auto now = steady_now();
    watch(*server, now).kept_until = now + policy.extension;
    go_on(*server);
    co_return until;
}

void Culler::on_gpu_readings() {
    for (const auto id : gpus_.take_readings()) {
        const auto server = context_.servers.find(id);
        if (!server) continue;
        note_work(*server, now_utc());
        watch(*server, steady_now()).gpu_used = true;
        server->hint.clear();
    }
}

awaitable<> Culler::run() {
    for (;;) {
        co_await sleep_for(context_.options.cull.interval);
        co_await look();
    }
}

}  // namespace berth::hub
