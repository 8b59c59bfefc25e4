#include "config/impl/items.hpp"

namespace berth::config {
namespace {

constexpr std::int64_t kYear = 365 * 86400;

void describe_rule(Visitor& v, CullRule& o) {
    v.field({"profile", "The profile it is for; empty: every profile."}, &o.profile);
    v.field({"group", "The group whose members it is for; empty: everybody."}, &o.group);
    v.field({.key = "idle", .help = "In place of cull.idle; 0 stops none.", .max = kYear}, &o.idle);
    v.field({.key = "max_age", .help = "In place of cull.max_age; 0 stops none.", .max = kYear}, &o.max_age);
    v.field({.key = "warning", .help = "In place of cull.warning.", .max = 86400}, &o.warning);
    v.field(
        {.key = "extension", .help = "In place of cull.extension.", .min = 1, .max = kYear}, &o.extension);
    v.field(
        {.key = "max_extensions", .help = "In place of cull.max_extensions.", .max = 1000},
        &o.max_extensions);
}

}  // namespace

void describe_cull(Visitor& v, CullOptions& o) {
    v.field(
        {.key = "idle",
         .help = "A server in which nothing was done for so long is stopped; 0 stops none. Work is what its "
                 "notebook server reports, traffic through the proxy, a busy kernel, and use of its GPUs.",
         .jupyterhub = "idle-culler --timeout",
         .max = kYear},
        &o.idle);
    v.field(
        {.key = "max_age",
         .help = "A server that has run for so long is stopped, busy or not; 0 stops none.",
         .jupyterhub = "idle-culler --max-age",
         .max = kYear},
        &o.max_age);
    v.field(
        {.key = "warning",
         .help = "How long before the end its people see it coming, on the home page and in JupyterLab; "
                 "given in full.",
         .max = 86400},
        &o.warning);
    v.field(
        {.key = "extension", .help = "What one press of \"Keep running\" gives.", .min = 1, .max = kYear},
        &o.extension);
    v.field(
        {.key = "max_extensions",
         .help = "How often a server may be kept running, from its start to its stop; 0 offers it to nobody.",
         .max = 1000},
        &o.max_extensions);
    v.field(
        {"count_open_pages",
         "An open JupyterLab counts as work even when nothing is run in it, as in JupyterHub: it asks its "
         "server "
         "for news all the time. Say false to count only what kernels, terminals and GPUs do."},
        &o.count_open_pages);
    v.field(
        {.key = "gpu_busy_percent",
         .help = "A GPU that is used at least so much counts as work. So does one whose memory use grows.",
         .min = 1,
         .max = 100},
        &o.gpu_busy_percent);
    v.field(
        {.key = "interval",
         .help = "How often servers are looked at.",
         .jupyterhub = "idle-culler --cull-every",
         .min = 1,
         .max = 3600},
        &o.interval);
    v.field(
        {.key = "grace",
         .help = "For so long after the hub's start nobody is stopped: servers report every five minutes.",
         .max = 86400},
        &o.grace);
    v.field(
        {"notice_in_lab",
         "Warn in JupyterLab too: each server is given a small extension that shows the hub's notices."},
        &o.notice_in_lab);
    list_of(
        v,
        {"rules",
         "Other limits for a profile, a group, or both. The narrowest rule that sets a limit wins (profile "
         "and group, then group, then profile); of several groups the most generous."},
        o.rules,
        describe_rule);
}

}  // namespace berth::config
