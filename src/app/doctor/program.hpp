// Runs a program to its end and keeps what it wrote. Blocking; for commands.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace berth::app {

struct ProgramResult {
    bool not_found = false;
    int exit_code = -1;  // 128 + signal; -1: it did not end in time and was killed
    std::string output;  // both streams, at most 64 KiB
};
// `words[0]` by PATH when it has no slash. `until_line`: end it after its first whole line.
enum class Until { end, first_line };
ProgramResult run_program(
    std::vector<std::string> words, std::chrono::milliseconds patience, Until until = Until::end);

}  // namespace berth::app
