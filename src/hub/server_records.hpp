// Server records without their processes: create, rename, options, removal (hub-protocol §9.8). Hub strand
// only.
#pragma once

#include "access/permit.hpp"
#include "hub/context.hpp"
#include "hub/errors.hpp"

#include <optional>
#include <string>

namespace berth::hub {

struct RecordChange {
    std::optional<ServerName> name;
    std::optional<std::string> display_name;
    std::optional<json::value> user_options;
};

class ServerRecords {
public:
    explicit ServerRecords(Context& context) : context_(context) {}

    // Errors: server_exists, server_name_invalid, named_servers_off, server_limit, no_such_user.
    awaitable<Result<std::shared_ptr<Server>>> create(
        access::Permit permit, ServerKey key, RecordChange with);
    // Errors: no_such_server, not_stopped, server_exists, server_name_invalid, named_servers_off.
    awaitable<Result<std::shared_ptr<Server>>> change(access::Permit permit, ServerKey key, RecordChange to);
    // Removes a stopped named server's record. Errors: no_such_server, not_stopped.
    awaitable<Result<void>> remove(access::Permit permit, ServerKey key);

    // The same once its stop, under way, has come to its end; for whoever does not wait for it (§9.3).
    void remove_when_stopped(access::Permit permit, ServerKey key);

    // May a record of this name be made for this user now?
    Result<void> may_create(const ServerKey& key) const;

private:
    awaitable<> wait_and_remove(access::Permit permit, ServerKey key);
    Context& context_;
};

}  // namespace berth::hub
