// Completion for bash, zsh and fish. The scripts ask the program itself (`berth __complete WORD…`), so they
// know every command and flag that it has.
#pragma once

#include <CLI/CLI.hpp>

#include <span>
#include <string>

namespace berth::app {

// What may follow `words`, one a line. Returns the exit code.
int print_candidates(const CLI::App& app, std::span<const std::string> words);
// The script to source; `shell`: bash, zsh or fish.
int print_completion(const std::string& shell);

}  // namespace berth::app
