// Programs as the kernel knows them: what runs (proc(5)), and what exec() wants to be given.
#pragma once

#include <string>
#include <vector>

namespace berth {

// The file we were started from. Once a package has replaced it, the kernel calls ours deleted: ask before.
std::string own_program();
// argv of a running process, which may be ours; empty when it is gone.
std::vector<std::string> command_of(int pid);
// Pointers into `words`, which stay where they are, ended as exec() wants them. It does not write to them.
std::vector<char*> pointers_to(const std::vector<std::string>& words);

}  // namespace berth
