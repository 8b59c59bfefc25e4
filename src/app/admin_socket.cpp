#include "app/admin_socket.hpp"

#include "app/hub_rooms.hpp"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace berth::app {

std::string_view text_of(AdminSocketErrc reason) {
    switch (reason) {
        case AdminSocketErrc::no_such_group:
            return "no such group";
        case AdminSocketErrc::not_guarded:
            return "rights of the socket not set";
    }
    return "unknown";
}

Result<gate::LocalAdministrators> local_administrators(const config::AdminOptions& options) {
    gate::LocalAdministrators allowed;
    allowed.own_user = ::geteuid();
    if (options.group.empty()) return allowed;
    const auto* group = ::getgrnam(options.group.c_str());
    if (group == nullptr)
        return Error{
            AdminSocketErrc::no_such_group,
            "admin.group: there is no group '" + options.group + "' on this machine. Make it (groupadd " +
                options.group + "), or leave the option out."};
    allowed.group = group->gr_gid;
    return allowed;
}

Result<void> guard_socket(const std::string& path, const gate::LocalAdministrators& allowed) {
    const ::mode_t mode = allowed.group ? 0660 : 0600;
    const bool given = !allowed.group || ::chown(path.c_str(), static_cast<uid_t>(-1), *allowed.group) == 0;
    if (given && ::chmod(path.c_str(), mode) == 0) return {};
    return Error{
        AdminSocketErrc::not_guarded,
        "The rights of " + path + " cannot be set: " + std::strerror(errno) +
            ". The hub's account must be a member of admin.group."};
}

awaitable<Result<void>> HubProcess::Rooms::listen_for_administrators() {
    net::Endpoint at;
    at.path = options.admin_socket();
    std::error_code ignored;  // then listening says what is wrong
    std::filesystem::create_directories(std::filesystem::path(at.path).parent_path(), ignored);
    auto listener = net::Listener::open(executor, at);
    if (!listener)
        co_return Error{
            listener.error().code, "admin.socket: " + listener.error().message, listener.error().detail};
    BERTH_CO_CHECK(guard_socket(at.path, administrators));
    BERTH_CO_TRY(const auto limits, server_limits());
    for_administrators.emplace(
        connections,
        std::move(*listener),
        "administrators",
        limits,
        false,
        api->handler_for_administrators());
    for_administrators->start();
    co_return Result<void>{};
}

}  // namespace berth::app
