#include "app/completion.hpp"

#include "app/admin/exit_codes.hpp"

#include <iostream>

namespace berth::app {
namespace {

constexpr const char* kBash = R"sh(_berth() {
    local candidates
    candidates=$("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)
    mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "${COMP_WORDS[COMP_CWORD]}")
}
complete -o default -F _berth berth
)sh";

constexpr const char* kZsh = R"sh(#compdef berth
_berth() {
    local -a candidates
    candidates=(${(f)"$($words[1] __complete ${words[2,CURRENT-1]} 2>/dev/null)"})
    compadd -a candidates || _files
}
compdef _berth berth
)sh";

constexpr const char* kFish = R"sh(function __berth_candidates
    set -l typed (commandline -opc)
    $typed[1] __complete $typed[2..-1] 2>/dev/null
end
complete -c berth -a '(__berth_candidates)'
)sh";

}  // namespace

int print_candidates(const CLI::App& app, std::span<const std::string> words) {
    const auto* at = &app;
    for (const auto& word : words) {
        for (const auto* command : at->get_subcommands([](const CLI::App*) { return true; }))
            if (command->get_name() == word) at = command;
    }
    for (const auto* command : at->get_subcommands([](const CLI::App*) { return true; }))
        std::cout << command->get_name() << "\n";
    for (const auto* option : at->get_options())
        for (const auto& name : option->get_lnames())
            std::cout << "--" << name << "\n";
    return kDone;
}

int print_completion(const std::string& shell) {
    std::cout << (shell == "bash" ? kBash : shell == "zsh" ? kZsh : kFish);
    return kDone;
}

}  // namespace berth::app
