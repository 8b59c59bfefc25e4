#include "base/program.hpp"

#include <filesystem>
#include <fstream>

namespace berth {

std::string own_program() {
    return std::filesystem::read_symlink("/proc/self/exe").string();
}

std::vector<std::string> command_of(int pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
    std::vector<std::string> words;
    for (std::string word; std::getline(file, word, '\0');)
        words.push_back(std::move(word));
    return words;
}

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
    std::vector<char*> pointers;
    pointers.reserve(words.size() + 1);
    for (const auto& word : words)
        pointers.push_back(const_cast<char*>(word.c_str()));  // NOLINT: execve's own type
    pointers.push_back(nullptr);
    return pointers;
}

}  // namespace berth
