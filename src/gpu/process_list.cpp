#include "gpu/process_list.hpp"

#include "gpu/nvml_abi.hpp"

#include <cctype>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

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
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
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

}  // namespace berth::gpu
