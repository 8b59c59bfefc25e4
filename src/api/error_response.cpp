#include "api/error_response.hpp"

#include "access/permit.hpp"
#include "api/json_text.hpp"
#include "async/blocking_pool.hpp"
#include "base/random.hpp"
#include "gate/gate.hpp"
#include "gpu/ledger.hpp"
#include "hub/errors.hpp"
#include "identity/authenticator.hpp"
#include "identity/errors.hpp"
#include "identity/names.hpp"
#include "identity/oauth/provider.hpp"
#include "spawn/spawner.hpp"
#include "store/store.hpp"

#include <charconv>
#include <random>

namespace berth::api {

std::string_view text_of(ApiErrc reason) {
    switch (reason) {
        case ApiErrc::not_found:
            return "not_found";
        case ApiErrc::bad_request:
            return "bad_request";
        case ApiErrc::conflict:
            return "conflict";
        case ApiErrc::forbidden:
            return "forbidden";
        case ApiErrc::method_not_allowed:
            return "method_not_allowed";
        case ApiErrc::start_failed:
            return "start_failed";
        case ApiErrc::too_many:
            return "too_many";
        case ApiErrc::unprocessable:
            return "unprocessable";
    }
    return "api";
}

Error bad_request(std::string message) {
    return {ApiErrc::bad_request, std::move(message)};
}
Error not_found(std::string message) {
    return {ApiErrc::not_found, std::move(message)};
}

namespace {

unsigned status_for(ApiErrc reason) {
    switch (reason) {
        case ApiErrc::not_found:
            return 404;
        case ApiErrc::bad_request:
            return 400;
        case ApiErrc::conflict:
            return 409;
        case ApiErrc::forbidden:
            return 403;
        case ApiErrc::method_not_allowed:
            return 405;
        case ApiErrc::start_failed:
            return 500;
        case ApiErrc::too_many:
            return 429;
        case ApiErrc::unprocessable:
            return 422;
    }
    return 500;
}

unsigned status_for(access::AccessErrc reason) {
    switch (reason) {
        case access::AccessErrc::not_authenticated:
            return 403;  // never 401 (hub-protocol §22.1)
        case access::AccessErrc::missing_scope:
            return 403;
        case access::AccessErrc::hidden:
            return 404;
        case access::AccessErrc::admin_only:
            return 403;
    }
    return 500;
}

unsigned status_for(gate::GateErrc) {
    return 403;
}

unsigned status_for(hub::HubErrc reason) {
    switch (reason) {
        case hub::HubErrc::no_such_user:
        case hub::HubErrc::no_such_server:
        case hub::HubErrc::no_such_reservation:
            return 404;
        case hub::HubErrc::server_exists:
        case hub::HubErrc::no_end_near:
        case hub::HubErrc::no_more_extensions:
            return 409;
        case hub::HubErrc::active_server_limit:
            return 429;
        case hub::HubErrc::already_running:
        case hub::HubErrc::stop_pending:
        case hub::HubErrc::start_pending:
        case hub::HubErrc::server_name_invalid:
        case hub::HubErrc::named_servers_off:
        case hub::HubErrc::server_limit:
        case hub::HubErrc::no_such_profile:
        case hub::HubErrc::options_invalid:
        case hub::HubErrc::image_not_allowed:
        case hub::HubErrc::too_many_gpus:
        case hub::HubErrc::not_stopped:
            return 400;
        case hub::HubErrc::profile_not_allowed:
        case hub::HubErrc::project_not_allowed:
        case hub::HubErrc::gpu_rule:
            return 403;
        case hub::HubErrc::start_cancelled:
        case hub::HubErrc::not_ready_in_time:
        case hub::HubErrc::gpu_wait_over:
            return 500;
        case hub::HubErrc::proxy_unreachable:
        case hub::HubErrc::closed:
            return 503;
    }
    return 500;
}

unsigned status_for(gpu::DeviceErrc reason) {
    switch (reason) {
        case gpu::DeviceErrc::none_free:
        case gpu::DeviceErrc::not_enough_free:
            return 429;
        default:
            return 400;
    }
}

unsigned status_for(identity::DirectoryErrc reason) {
    switch (reason) {
        case identity::DirectoryErrc::no_such_user:
        case identity::DirectoryErrc::no_such_group:
        case identity::DirectoryErrc::no_such_service:
        case identity::DirectoryErrc::no_such_token:
            return 404;
        case identity::DirectoryErrc::user_exists:
        case identity::DirectoryErrc::group_exists:
        case identity::DirectoryErrc::service_exists:
        case identity::DirectoryErrc::token_exists:
        case identity::DirectoryErrc::changed_meanwhile:
            return 409;
        case identity::DirectoryErrc::service_from_config:
            return 405;
        case identity::DirectoryErrc::no_such_role:
        case identity::DirectoryErrc::role_is_fixed:
        case identity::DirectoryErrc::unknown_scope:
        case identity::DirectoryErrc::scopes_not_held:
        case identity::DirectoryErrc::token_malformed:
        case identity::DirectoryErrc::password_too_short:
        case identity::DirectoryErrc::password_too_long:
            return 400;
        case identity::DirectoryErrc::invite_invalid:
            return 404;
    }
    return 500;
}

unsigned status_for(identity::SignInErrc reason) {
    switch (reason) {
        case identity::SignInErrc::wrong_credentials:
        case identity::SignInErrc::not_allowed:
            return 403;
        case identity::SignInErrc::throttled:
            return 429;
        case identity::SignInErrc::authenticator_failed:
            return 500;
    }
    return 500;
}

unsigned status_for(store::StoreErrc reason) {
    return reason == store::StoreErrc::constraint ? 409 : 503;
}
unsigned status_for(identity::NameErrc) {
    return 400;
}
unsigned status_for(access::ScopeErrc) {
    return 400;
}
unsigned status_for(spawn::SpawnErrc) {
    return 500;
}
unsigned status_for(PoolErrc) {
    return 503;
}
unsigned status_for(identity::OAuthErrc reason) {
    return static_cast<unsigned>(identity::http_status(reason));
}

// True, with the status, when the error is one of Enum's.
template <class Enum>
bool try_category(const Error& error, unsigned& status) {
    if (error.code.category() != make_error_code(Enum{}).category()) return false;
    status = status_for(static_cast<Enum>(error.code.value()));
    return true;
}
template <class... Enums>
unsigned first_category(const Error& error) {
    unsigned status = 500;
    (void)(try_category<Enums>(error, status) || ...);
    return status;
}

}  // namespace

unsigned status_of(const Error& error) {
    return first_category<
        ApiErrc,
        access::AccessErrc,
        gate::GateErrc,
        hub::HubErrc,
        gpu::DeviceErrc,
        identity::DirectoryErrc,
        identity::SignInErrc,
        identity::NameErrc,
        identity::OAuthErrc,
        access::ScopeErrc,
        spawn::SpawnErrc,
        store::StoreErrc,
        PoolErrc>(error);
}

unsigned retry_after(const Error& error) {
    static thread_local std::minstd_rand spread{std::random_device{}()};
    if (error.is(hub::HubErrc::active_server_limit)) return 30 + static_cast<unsigned>(spread() % 31);
    unsigned seconds = 0;  // of a throttled sign-in; the detail says how many
    if (error.is(identity::SignInErrc::throttled))
        std::from_chars(error.detail.data(), error.detail.data() + error.detail.size(), seconds);
    return status_of(error) == 503 ? 5 : seconds;
}

std::string message_of(const Error& error) {
    return error.message.empty() ? std::string(http::reason_phrase(status_of(error))) : error.message;
}

http::Response json_error(unsigned status, std::string_view message) {
    std::string body;
    JsonObject object(body);
    object.number("status", status);
    object.text("message", message.empty() ? http::reason_phrase(status) : message);
    object.end();
    http::Response response;
    response.status = status;
    response.headers.add("Content-Type", "application/json");
    response.body = std::move(body);
    return response;
}

http::Response json_error(const Error& error) {
    auto response = json_error(status_of(error), message_of(error));
    if (const auto seconds = retry_after(error)) response.headers.add("Retry-After", std::to_string(seconds));
    return response;
}

}  // namespace berth::api
