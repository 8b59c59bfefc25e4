#include "gpu/process_list.hpp"

#include "base/files.hpp"
#include "gpu/nvml_abi.hpp"

#include <pwd.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace berth::gpu {
namespace {

template <class Number>
Number number_at(std::span<const std::uint8_t> buffer, std::size_t at) {
    Number number{};
    std::memcpy(&number, buffer.data() + at, sizeof number);
    return number;
}

bool all_exist(
    std::span<const std::uint8_t> buffer,
    std::uint32_t count,
    std::size_t stride,
    const std::function<bool(std::uint32_t)>& exists) {
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto pid = number_at<std::uint32_t>(buffer, i * stride);
        if (pid == 0 || !exists(pid)) return false;
    }
    return true;
}

// The entry size that explains how far the call wrote; 24, which most drivers use, when nothing does.
std::size_t stride_of(
    std::span<const std::uint8_t> buffer,
    std::uint32_t count,
    const std::function<bool(std::uint32_t)>& exists) {
    std::size_t written = buffer.size();
    while (written > 0 && buffer[written - 1] == kCanary)
        --written;
    const std::size_t usual = sizeof(nvml::ProcessInfo);
    for (const std::size_t stride : {usual, std::size_t{16}, kWidestEntry}) {
        // The padding at an entry's end may have been left alone.
        const bool explains = written <= count * stride && written + 8 > count * stride;
        if (explains && all_exist(buffer, count, stride, exists)) return stride;
    }
    return usual;
}

std::string text_of_file(const std::string& path) {
    return contents_of(path).value_or("");
}

// Entries end in NUL.
std::string value_of(std::string_view environment, std::string_view name) {
    while (!environment.empty()) {
        const auto entry = environment.substr(0, environment.find('\0'));
        if (entry.starts_with(name)) return std::string(entry.substr(name.size()));
        environment.remove_prefix(std::min(environment.size(), entry.size() + 1));
    }
    return {};
}

// 0 when it is gone. The name in parentheses may itself hold spaces and parentheses.
std::uint32_t parent_of(std::uint32_t pid) {
    const auto stat = text_of_file("/proc/" + std::to_string(pid) + "/stat");
    const auto name_end = stat.rfind(')');
    if (name_end == std::string::npos || name_end + 4 > stat.size()) return 0;
    return static_cast<std::uint32_t>(std::strtoul(stat.c_str() + name_end + 4, nullptr, 10));
}

}  // namespace

std::vector<GpuProcess> decode_processes(
    std::span<const std::uint8_t> buffer,
    std::uint32_t count,
    const std::function<bool(std::uint32_t)>& exists) {
    std::vector<GpuProcess> processes;
    if (count == 0) return processes;
    const std::size_t stride = stride_of(buffer, count, exists);
    for (std::uint32_t i = 0; i < count && (i + 1) * stride <= buffer.size(); ++i) {
        GpuProcess process;
        process.pid = number_at<std::uint32_t>(buffer, i * stride);
        const auto used =
            number_at<std::uint64_t>(buffer, i * stride + offsetof(nvml::ProcessInfo, used_bytes));
        if (used != nvml::kUnknownMemory) process.used_bytes = used;
        processes.push_back(std::move(process));
    }
    return processes;
}

std::string container_in(std::string_view cgroup) {
    constexpr std::size_t kIdLength = 64;
    std::size_t run = 0;
    for (std::size_t i = 0; i <= cgroup.size(); ++i) {
        const bool hex = i < cgroup.size() && std::isxdigit(static_cast<unsigned char>(cgroup[i])) != 0;
        if (hex) {
            ++run;
            continue;
        }
        if (run == kIdLength) return std::string(cgroup.substr(i - run, run));
        run = 0;
    }
    return {};
}

bool process_exists(std::uint32_t pid) {
    return std::filesystem::exists("/proc/" + std::to_string(pid));
}

std::string container_of(std::uint32_t pid) {
    return container_in(text_of_file("/proc/" + std::to_string(pid) + "/cgroup"));
}

std::string name_of_process(std::uint32_t pid) {
    std::string name = text_of_file("/proc/" + std::to_string(pid) + "/comm");
    while (!name.empty() && name.back() == '\n')
        name.pop_back();
    return name;
}

std::string user_of_process(std::uint32_t pid) {
    struct stat folder{};
    if (::stat(("/proc/" + std::to_string(pid)).c_str(), &folder) != 0) return {};
    std::array<char, 4096> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    ::getpwuid_r(folder.st_uid, &entry, buffer.data(), buffer.size(), &found);
    return found != nullptr ? found->pw_name : std::to_string(folder.st_uid);
}

std::string server_of_process(std::uint32_t pid) {
    constexpr int kMostAncestors = 64;
    for (int i = 0; pid > 1 && i < kMostAncestors; ++i, pid = parent_of(pid)) {
        auto server = value_of(text_of_file("/proc/" + std::to_string(pid) + "/environ"), "BERTH_SERVER=");
        if (!server.empty()) return server;
    }
    return {};
}

}  // namespace berth::gpu
