#include "base/random.hpp"
#include "base/text.hpp"
#include "identity/impl/service_plan.hpp"
#include "identity/impl/state.hpp"
#include "identity/names.hpp"
#include "store/queries.hpp"

#include <algorithm>

namespace berth::identity {

const store::ServiceRow* Directory::find(const ServiceName& name) const {
    const auto found = state_->service_names.find(name.value);
    return found == state_->service_names.end() ? nullptr : found->second;
}

const store::ServiceRow* Directory::find(ServiceId id) const {
    const auto found = state_->services.find(number_of(id));
    return found == state_->services.end() ? nullptr : found->second.get();
}

std::vector<const store::ServiceRow*> Directory::services() const {
    std::vector<const store::ServiceRow*> all;
    for (const auto& [name, service] : state_->service_names)
        all.push_back(service);
    return all;
}

std::string Directory::service_prefix(const store::ServiceRow& service) const {
    return state_->base_path + "services/" + url_escape_path(service.name.value) + "/";
}

namespace {

Result<void> check_token_text(const config::ServiceOptions& options) {
    const auto& token = options.api_token.reveal();
    const bool printable =
        std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < '\x7f'; });
    if (token.size() >= 8 && token.size() <= 64 && printable) return {};
    return Error{
        DirectoryErrc::token_malformed,
        "The api_token of service '" + options.name +
            "' must have 8 to 64 printable characters without spaces; `openssl rand -hex 32` makes a good "
            "one."};
}

}  // namespace

// What the service is to be, beside what it is. `from_config` services are brought in line at every start.
Result<Mutation> plan_service(
    Directory& directory,
    Directory::State& state,
    const config::ServiceOptions& options,
    bool from_config,
    Timestamp now) {
    BERTH_TRY(const auto name, service_name(options.name));
    if (const auto known = access::check_known(options.scopes); !known)
        return Error{
            DirectoryErrc::unknown_scope, "Service '" + options.name + "': " + known.error().message};
    if (const auto known = access::check_known(options.oauth_client_allowed_scopes); !known)
        return Error{
            DirectoryErrc::unknown_scope, "Service '" + options.name + "': " + known.error().message};
    if (!options.api_token.empty()) BERTH_CHECK(check_token_text(options));

    const auto* present = directory.find(name);
    store::ServiceRow service;
    service.id = present != nullptr ? present->id : directory.ids().next<ServiceId>();
    service.name = name;
    service.admin = options.admin;
    service.url = options.url;
    service.info = options.info;
    service.display = options.display;
    service.from_config = from_config;
    const bool has_client =
        !options.api_token.empty() && !(options.url.empty() && options.oauth_redirect_uri.empty());
    if (has_client) service.oauth_client_id = "service-" + name.value;

    Mutation plan;
    plan.write = [service](store::Transaction& tx) { store::upsert(tx, service); };
    plan.apply = [&state, service] { state.put_service(service); };

    const auto hash = options.api_token.empty() ? "" : sha256_hex(options.api_token.reveal());
    bool has_token = hash.empty();
    for (const auto& [number, token] : state.tokens) {
        if (token->row.hashed == hash && token->row.service != service.id)
            return Error{
                DirectoryErrc::token_exists,
                "The api_token of service '" + options.name +
                    "' is somebody else's; give each service its own."};
        if (token->row.service != service.id) continue;
        if (token->row.hashed == hash)
            has_token = true;
        else if (from_config)
            plan = std::move(plan) + directory.prepare_token_removal(token->row.id);
    }
    if (!has_token) {
        store::TokenRow token;
        token.id = directory.ids().next<TokenId>();
        token.service = service.id;
        token.hashed = hash;
        token.client_id = kHubClient;
        token.scopes = {"inherit"};
        token.note = from_config ? "From the configuration" : "Given with the service";
        token.created = now;
        plan = std::move(plan) + directory.prepare_token(token);
    }
    const auto client_id = "service-" + name.value;
    if (has_client) {
        store::OAuthClientRow client;
        client.identifier = client_id;
        client.description = "JupyterHub service " + name.value;
        client.secret_hash = hash;
        client.redirect_uri = options.oauth_redirect_uri.empty()
                                  ? directory.service_prefix(service) + "oauth_callback"
                                  : options.oauth_redirect_uri;
        client.allowed_scopes = options.oauth_client_allowed_scopes;
        client.service = service.id;
        client.no_consent = options.oauth_no_confirm;
        plan = std::move(plan) + directory.prepare_client(client);
    } else if (directory.find_client(client_id) != nullptr) {
        plan = std::move(plan) + directory.prepare_client_removal(client_id);
    }
    return std::move(plan) + plan_service_role(directory, state, service, options.scopes);
}

// The scopes of a service are a role of its own.
Mutation plan_service_role(
    Directory& directory,
    Directory::State& state,
    const store::ServiceRow& service,
    const std::vector<std::string>& scopes) {
    const auto name = "service-" + service.name.value;
    const auto present = state.roles.find(name);
    Mutation plan;
    if (scopes.empty()) {
        if (present == state.roles.end()) return plan;
        plan.write = [id = present->second.id](store::Transaction& tx) { store::remove_role(tx, id); };
        plan.apply = [&state, name] {
            state.roles.erase(name);
            state.forget_scopes();
        };
        return plan;
    }
    store::RoleRow role;
    role.id = present != state.roles.end() ? present->second.id : directory.ids().next<RoleId>();
    role.name = name;
    role.description = "What service " + service.name.value + " may do";
    role.scopes = scopes;
    role.services = {service.id};
    plan.write = [role](store::Transaction& tx) { store::upsert(tx, role); };
    plan.apply = [&state, role] {
        state.roles[role.name] = role;
        state.forget_scopes();
    };
    return plan;
}

awaitable<Result<ServiceId>> Directory::create_service(
    config::ServiceOptions service, Timestamp now, Audit audit) {
    BERTH_CO_TRY(const auto name, service_name(service.name));
    const auto message = "Service " + name.value + " already exists";
    if (find(name) != nullptr) co_return Error{DirectoryErrc::service_exists, message};
    BERTH_CO_TRY(auto plan, plan_service(*this, *state_, service, false, now));
    const auto written = co_await commit(with_audit(std::move(plan), std::move(audit)));
    if (!written) co_return as_exists(written.error(), DirectoryErrc::service_exists, message);
    co_return find(name)->id;
}

Mutation plan_service_removal(
    Directory& directory, Directory::State& state, const store::ServiceRow& service) {
    Mutation plan = plan_service_role(directory, state, service, {});
    Mutation removal;
    removal.write = [id = service.id](store::Transaction& tx) { store::remove_service(tx, id); };
    removal.apply = [&state, id = service.id] { state.remove_service(id); };
    return std::move(plan) + std::move(removal);
}

awaitable<Result<void>> Directory::remove_service(ServiceId service, Audit audit) {
    const auto* entry = find(service);
    if (entry == nullptr) co_return Error{DirectoryErrc::no_such_service, "There is no such service."};
    if (entry->from_config)
        co_return Error{
            DirectoryErrc::service_from_config,
            "Service " + entry->name.value + " is made by the configuration; remove it there."};
    auto plan = plan_service_removal(*this, *state_, *entry);
    co_return co_await commit(with_audit(std::move(plan), std::move(audit)));
}

}  // namespace berth::identity
