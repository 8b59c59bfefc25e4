#include "base/files.hpp"
#include "spawn/spawners/docker/devices.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

namespace berth::spawn::docker {
namespace {

constexpr const char* kDriver = "/proc/driver/nvidia";

// Step by step and past no symbolic link: one of an image would lead to our own /dev.
int open_dev(const std::string& root) {
    const int top = ::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (top < 0) return -1;
    const int dev = ::openat(top, "dev", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    ::close(top);
    return dev;
}

struct CloseFolder {
    void operator()(DIR* folder) const { ::closedir(folder); }
};

// Empty when it may not be looked into.
std::optional<std::set<std::string>> gpu_nodes_of(const std::string& root) {
    const int dev = open_dev(root);
    if (dev < 0) return std::nullopt;
    const std::unique_ptr<DIR, CloseFolder> folder(::fdopendir(dev));
    if (!folder) {
        ::close(dev);
        return std::nullopt;
    }
    std::set<std::string> nodes;
    while (const auto* entry = ::readdir(folder.get())) {
        const std::string path = "/dev/" + std::string(entry->d_name);
        if (is_gpu_node(path)) nodes.insert(path);
    }
    return nodes;
}

// A hub in a container of its own counts other pids than the engine: the number would name a stranger, whose
// devices say nothing. The cgroup of a container's process bears the container's id.
bool is_process_of(const std::string& folder, const Inspected& container) {
    const auto cgroup = contents_of(folder + "/cgroup");
    return cgroup && !container.id.empty() && cgroup->find(container.id) != std::string::npos;
}

}  // namespace

void look_inside(const Inspected& container, Evidence& evidence) {
    const std::string folder = "/proc/" + std::to_string(container.pid);
    if (container.pid <= 0 || !is_process_of(folder, container)) return;
    evidence.process_environment = contents_of(folder + "/environ").value_or("");
    evidence.nodes_inside = gpu_nodes_of(folder + "/root");
    evidence.nodes_on_host = gpu_nodes_of("/").value_or(std::set<std::string>{});
    std::error_code ignored;
    evidence.driver_on_host = std::filesystem::exists(kDriver, ignored);
}

}  // namespace berth::spawn::docker
