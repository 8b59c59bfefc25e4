#include "spawn/spawners/local/accounts.hpp"

#include "base/files.hpp"
#include "base/text.hpp"

#include <grp.h>
#include <pwd.h>

#include <charconv>
#include <cstring>

namespace berth::spawn::local {
namespace {

constexpr uid_t kUidMin = 1000;
constexpr const char* kLoginDefs = "/etc/login.defs";

uid_t uid_min_of_machine() {
    return uid_min_in(contents_of(kLoginDefs).value_or(""));
}

// Its first two words: "UID_MIN\t\t\t 1000".
std::pair<std::string_view, std::string_view> name_and_value(std::string_view line) {
    line = trim(line);
    const auto end = line.find_first_of(" \t");
    if (end == std::string_view::npos) return {line, {}};
    const auto rest = trim(line.substr(end));
    return {line.substr(0, end), rest.substr(0, rest.find_first_of(" \t\r#"))};
}

}  // namespace

uid_t uid_min_in(std::string_view login_defs) {
    uid_t uid_min = kUidMin;
    for (const auto line : split(login_defs, '\n')) {
        const auto [name, value] = name_and_value(line);
        uid_t number = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
        const bool is_number = !value.empty() && error == std::errc{} && end == value.data() + value.size();
        if (name == "UID_MIN" && is_number) uid_min = number;
    }
    return uid_min;
}

std::optional<Error> refusal_of(const SystemUser& user, uid_t uid_min) {
    if (user.uid == 0) {
        return Error{
            SpawnErrc::not_permitted, "Notebooks do not run as root. Sign in with an account of your own."};
    }
    if (user.uid < uid_min) {
        return Error{
            SpawnErrc::not_permitted,
            "The account '" + user.name +
                "' belongs to the system, so no notebook runs under it. Sign in with an account of your own.",
            "uid " + std::to_string(user.uid) + " is below UID_MIN " + std::to_string(uid_min) + " of " +
                kLoginDefs};
    }
    const auto shell = std::string_view(user.shell).substr(user.shell.rfind('/') + 1);
    if (shell == "nologin" || shell == "false") {
        return Error{
            SpawnErrc::not_permitted,
            "The account '" + user.name +
                "' may not log in on this machine, so no notebook runs under it. Ask the administrator to "
                "give "
                "it a login shell, or sign in with another account.",
            "its shell is " + user.shell};
    }
    return std::nullopt;
}

Result<SystemUser> find_system_user(const std::string& name) {
    std::vector<char> buffer(64 * 1024);
    passwd entry{};
    passwd* found = nullptr;
    const int error = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (!found) {
        return Error{
            SpawnErrc::no_such_user,
            "This machine has no account named '" + name + "'. Ask the administrator to make one.",
            error ? std::strerror(error) : ""};
    }
    SystemUser user{entry.pw_name, entry.pw_dir, entry.pw_shell, entry.pw_uid, entry.pw_gid, {}};
    if (auto refusal = refusal_of(user, uid_min_of_machine())) return std::move(*refusal);
    int count = 256;
    user.groups.resize(static_cast<std::size_t>(count));
    if (::getgrouplist(entry.pw_name, entry.pw_gid, user.groups.data(), &count) < 0) {
        user.groups.resize(static_cast<std::size_t>(count));
        ::getgrouplist(entry.pw_name, entry.pw_gid, user.groups.data(), &count);
    }
    user.groups.resize(static_cast<std::size_t>(count));
    return user;
}

}  // namespace berth::spawn::local
