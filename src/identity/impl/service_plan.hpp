// What it takes to bring one service in line, shared by the REST API's way and the configuration's.
#pragma once

#include "identity/impl/state.hpp"

namespace berth::identity {

Result<Mutation> plan_service(
    Directory& directory,
    Directory::State& state,
    const config::ServiceOptions& options,
    bool from_config,
    Timestamp now);
Mutation plan_service_role(
    Directory& directory,
    Directory::State& state,
    const store::ServiceRow& service,
    const std::vector<std::string>& scopes);
Mutation plan_service_removal(
    Directory& directory, Directory::State& state, const store::ServiceRow& service);

}  // namespace berth::identity
