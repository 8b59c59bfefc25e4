#include "spawn/spawners/docker/devices.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <iterator>

namespace berth::spawn::docker {
namespace {

constexpr std::string_view kVisible = "NVIDIA_VISIBLE_DEVICES=";
constexpr std::string_view kNode = "/dev/nvidia";

std::string joined(const std::set<std::string>& texts) {
    std::string out;
    for (const auto& text : texts)
        out += (out.empty() ? "" : ",") + text;
    return out.empty() ? "(none)" : out;
}

std::set<std::string> set_of_uuids(std::string_view text) {
    std::set<std::string> uuids;
    for (const auto uuid : split(text, ',')) {
        if (!uuid.empty() && uuid != "void" && uuid != "none") uuids.emplace(uuid);
    }
    return uuids;
}

std::optional<std::string> last_visible(const std::vector<std::string>& environment) {
    std::optional<std::string> last;
    for (const auto& entry : environment) {
        if (entry.starts_with(kVisible)) last = entry.substr(kVisible.size());
    }
    return last;
}

Error differ(
    const std::set<std::string>& lease, const std::string& where, const std::set<std::string>& visible) {
    const char* message =
        lease.empty()
            ? "The notebook sees GPUs that it was not given, so it may not run. Tell the administrator."
            : "The notebook does not see the GPUs that it was given, so it was not started. Tell the "
              "administrator.";
    return Error{
        SpawnErrc::devices_differ,
        message,
        "lease: " + joined(lease) + "; " + where + ": " + joined(visible)};
}

bool includes(const std::set<std::string>& all, const std::set<std::string>& some) {
    return std::includes(all.begin(), all.end(), some.begin(), some.end());
}

// The nodes handed over are those of the lease. A plan from the store has no paths: then only their number is
// judged.
Result<bool> nodes_match(
    const StartPlan& plan, const std::set<std::string>& lease, const std::set<std::string>& nodes) {
    std::set<std::string> gpu_nodes;
    std::copy_if(nodes.begin(), nodes.end(), std::inserter(gpu_nodes, gpu_nodes.end()), is_gpu_node);
    if (plan.device_paths.empty()) {
        if (!gpu_nodes.empty() && gpu_nodes.size() != lease.size())
            return differ(lease, "device nodes", gpu_nodes);
        return !gpu_nodes.empty();
    }
    std::set<std::string> wanted;
    for (const auto& [uuid, path] : plan.device_paths) {
        if (lease.contains(uuid)) wanted.insert(path);
    }
    if (!includes(wanted, gpu_nodes)) return differ(lease, "device nodes", gpu_nodes);
    return !wanted.empty() && includes(nodes, wanted);
}

// The nodes of the lease's devices; empty when they are not all known (a plan from the store, MIG).
std::optional<std::set<std::string>> known_nodes(const StartPlan& plan, const std::set<std::string>& lease) {
    std::set<std::string> nodes;
    for (const auto& uuid : lease) {
        const auto path = plan.device_paths.find(uuid);
        if (path == plan.device_paths.end() || !is_gpu_node(path->second)) return std::nullopt;
        nodes.insert(path->second);
    }
    return nodes;
}

// Without a lease: none is inside, but what a profile mounts by name.
Result<bool> none_inside(const Inspected& container, std::set<std::string> inside) {
    for (const auto& mount : container.mounts)
        inside.erase(mount);
    if (!inside.empty()) return differ({}, "device nodes inside", inside);
    return false;
}

// Is there proof inside that the devices of the lease are there? False is no proof of the contrary: the
// stand-in hook hands out no nodes, and not every hub may look.
Result<bool> inside_matches(
    const StartPlan& plan,
    const Inspected& container,
    const Evidence& evidence,
    const std::set<std::string>& lease) {
    if (!evidence.nodes_inside) return false;
    const auto& inside = *evidence.nodes_inside;
    if (lease.empty()) return none_inside(container, inside);
    const auto wanted = known_nodes(plan, lease);
    if (!wanted) {  // a device has at most one node: with more of them, one is not of the lease
        if (inside.size() > lease.size()) return differ(lease, "device nodes inside", inside);
        return !inside.empty();
    }
    if (!includes(*wanted, inside)) return differ(lease, "device nodes inside", inside);
    for (const auto& node : *wanted) {
        const bool must_be = evidence.driver_on_host && evidence.nodes_on_host.contains(node);
        if (must_be && !inside.contains(node)) return differ(lease, "device nodes inside", inside);
    }
    return inside == *wanted;
}

}  // namespace

bool is_gpu_node(std::string_view path) {
    if (!path.starts_with(kNode) || path.size() == kNode.size()) return false;
    return path.find_first_not_of("0123456789", kNode.size()) == std::string_view::npos;
}

Result<void> compare_devices(const StartPlan& plan, const Inspected& container, const Evidence& evidence) {
    std::set<std::string> lease;
    for (const auto& device : plan.devices)
        lease.insert(device.value);

    const std::set<std::string> requested(
        container.requested_devices.begin(), container.requested_devices.end());
    if (!requested.empty() && requested != lease) return differ(lease, "device requests", requested);
    const std::set<std::string> nodes(container.device_nodes.begin(), container.device_nodes.end());
    BERTH_TRY(const bool by_nodes, nodes_match(plan, lease, nodes));
    BERTH_TRY(const bool seen_inside, inside_matches(plan, container, evidence, lease));
    const bool assigned = !requested.empty() || by_nodes || seen_inside || container.runtime == "nvidia";
    if (!lease.empty() && !assigned && !evidence.simulated) return differ(lease, "device requests", {});

    // Nothing said means "all" to the toolkit when the image looks like one for CUDA, so it has to be said.
    const auto visible = last_visible(container.environment);
    if (!visible) return differ(lease, "environment", {"(not set: every device)"});
    if (set_of_uuids(*visible) != lease) return differ(lease, "environment", {*visible});

    std::vector<std::string> entries;
    for (const auto entry : split(evidence.process_environment, '\0'))
        entries.emplace_back(entry);
    const auto effective = last_visible(entries);
    if (!effective || set_of_uuids(*effective) == lease) return {};
    // By CDI the environment says "void" whatever is inside; then only the nodes can prove it.
    if (evidence.cdi_possible && *effective == "void" && seen_inside) return {};
    return differ(lease, "environment of the process", {*effective});
}

}  // namespace berth::spawn::docker
