#include "base/files.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

namespace berth {

std::optional<std::string> contents_of(const std::string& path, std::size_t most) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::nullopt;
    std::string text;
    std::error_code unknown;
    const auto size = std::filesystem::file_size(path, unknown);  // 0 in /proc
    if (!unknown) text.reserve(std::min<std::uintmax_t>(size, most));
    std::array<char, 16384> part;
    do {
        file.read(part.data(), part.size());
        text.append(part.data(), static_cast<std::size_t>(file.gcount()));
    } while (file && text.size() <= most);
    if (file.bad() || text.size() > most) return std::nullopt;
    return text;
}

}  // namespace berth
