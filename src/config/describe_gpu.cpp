#include "config/impl/items.hpp"

namespace berth::config {
namespace {

constexpr std::int64_t kDay = 86400;
constexpr std::int64_t kYear = 365 * kDay;

void describe_device(Visitor& v, GpuDeviceOptions& o) {
    v.field({"uuid", "The device's identity, as nvidia-smi -L prints it: GPU-… or MIG-…."}, &o.uuid);
    v.field({"name", "What people call it."}, &o.name);
    v.field({"memory", "Its memory."}, &o.memory);
    v.field({"path", "Its device node, for docker.gpu_mode devices: /dev/nvidia0."}, &o.path);
}

void describe_queue(Visitor& v, GpuQueueOptions& o) {
    v.field(
        {"enabled",
         "It waits in a queue, with its place and times, and starts by itself. Say false to refuse it "
         "instead."},
        &o.enabled);
    v.field(
        {.key = "longest_wait", .help = "A start that waited so long is given up.", .min = 1, .max = kYear},
        &o.longest_wait);
    v.field(
        {.key = "age_max",
         .help = "Who waited longer goes before everybody else of their class, whatever they had of late.",
         .min = 60,
         .max = kYear},
        &o.age_max);
    v.field(
        {.key = "half_life",
         .help = "GPU time counts half after so long when it is compared who had less of late.",
         .min = 60,
         .max = kYear},
        &o.half_life);
    v.field(
        {.key = "reclaim_idle",
         .help = "While somebody waits, a server that has not used its GPU, kernels or terminals for so long "
                 "is warned (cull.warning) and stopped, and its GPU goes to who waits. As long as somebody "
                 "has waited, so much less is asked for, but never less than a third; 0: never.",
         .max = kYear},
        &o.reclaim_idle);
}

void describe_project(Visitor& v, GpuProject& o) {
    v.field({"name", "What starts call it: lower-case letters, digits and '-'."}, &o.name);
    v.field({"users", "Who may hold GPUs for it."}, &o.users);
    v.field({"groups", "And the members of these groups; with neither, nobody may."}, &o.groups);
}

void describe_quota(Visitor& v, GpuQuota& o) {
    v.field({"user", "Whose limit it is; *: each user's. Empty with a group or a project."}, &o.user);
    v.field({"group", "The group whose members together it holds; *: each group."}, &o.group);
    v.field({"project", "The project that it holds, whoever uses it; *: each project."}, &o.project);
    v.field({"model", "Counts only GPUs of this name; empty: all."}, &o.model);
    v.field({"pool", "Counts only GPUs of this pool; empty: all."}, &o.pool);
    v.field({.key = "gpus", .help = "GPUs at a time.", .max = 1024}, &o.gpus);
    v.field({"gpu_hours", "GPU-hours within the window."}, &o.gpu_hours);
    v.field(
        {.key = "window", .help = "How far back gpu_hours counts.", .min = 3600, .max = kYear}, &o.window);
    v.field({.key = "waiting", .help = "Starts in the queue at a time.", .max = 10000}, &o.waiting);
}

void describe_policy(Visitor& v, std::string& policy, std::string& privacy) {
    v.field(
        {.key = "policy",
         .help = "Which of several free GPUs a start is given.",
         .allowed =
             {"least_allocated", "pack", "spread", "round_robin", "lru", "affinity", "load", "topology"}},
        &policy);
    v.field(
        {.key = "privacy",
         .help = "Whether everybody sees who holds its GPUs (open), or only how many are free (counts).",
         .allowed = {"open", "counts"}},
        &privacy);
}

void describe_pool(Visitor& v, GpuPool& o) {
    v.field({"name", "What profiles call it in gpu_pool: lower-case letters, digits and '-'."}, &o.name);
    v.field({"devices", "UUIDs of its GPUs."}, &o.devices);
    v.field({"models", "And every GPU of these names, as the board shows them."}, &o.models);
    describe_policy(v, o.policy, o.privacy);
}

void describe_lease(Visitor& v, GpuLeaseOptions& o) {
    v.field(
        {.key = "length",
         .help = "A server with GPUs ends after so long unless its people renew it; they are warned 60, 15 "
                 "and 5 minutes before. 0: it has no such end.",
         .max = kYear},
        &o.length);
    v.field(
        {.key = "longest",
         .help = "Nobody may renew beyond this age of the server; 0 sets no limit.",
         .max = kYear},
        &o.longest);
}

void describe_preemption(Visitor& v, GpuPreemptionOptions& o) {
    v.field(
        {"enabled",
         "Take GPUs back from servers of preemptible profiles, for starts of a higher class or of people who "
         "had less."},
        &o.enabled);
    v.field(
        {.key = "min_runtime", .help = "No server is interrupted earlier than this.", .max = kYear},
        &o.min_runtime);
    v.field(
        {.key = "hysteresis_percent",
         .help = "Of equal class, only who had less takes from who had more: by so many percent of theirs.",
         .min = 100,
         .max = 10'000},
        &o.hysteresis_percent);
    v.field({.key = "grace", .help = "Its people are told so long before it stops.", .max = kDay}, &o.grace);
}

}  // namespace

void describe_gpu(Visitor& v, GpuOptions& o) {
    v.field({"agent", "Read the machine's devices by NVML."}, &o.agent);
    v.field({"nvml_library", "The library the agent opens."}, &o.nvml_library);
    v.field(
        {.key = "oversubscription",
         .help = "Leases one device may hold; 1 gives every device to one server alone.",
         .min = 1,
         .max = 1000},
        &o.oversubscription);
    list_of(
        v,
        {"devices", "Devices named by hand, for machines without NVML; joined with NVML's by UUID."},
        o.devices,
        describe_device);
    v.field(
        {.key = "poll_interval", .help = "How often the agent reads the devices.", .min = 1, .max = 3600},
        &o.poll_interval);
    v.field(
        {.key = "facade_lease",
         .help = "Time to live of leases taken through the allocator's REST interface.",
         .min = 1,
         .max = 30 * kDay},
        &o.facade_lease);
    v.field({"simulated", "The devices are simulated; every page says so."}, &o.simulated);
    v.section({"queue", "What happens to a start for which no GPU is free."}, [&o](Visitor& i) {
        describe_queue(i, o.queue);
    });
    list_of(
        v,
        {"projects", "What GPUs may be held for; starts name one, quotas and usage go by it."},
        o.projects,
        describe_project);
    list_of(v, {"quotas", "Limits on the GPUs of users, groups and projects."}, o.quotas, describe_quota);
    describe_policy(v, o.policy, o.privacy);
    list_of(
        v,
        {"pools", "GPUs that profiles ask for by name; the rest is the default pool."},
        o.pools,
        describe_pool);
    v.section({"lease", "How long a GPU is somebody's."}, [&o](Visitor& i) { describe_lease(i, o.lease); });
    v.section({"preemption", "Taking GPUs back from those who work with them."}, [&o](Visitor& i) {
        describe_preemption(i, o.preemption);
    });
}

}  // namespace berth::config
