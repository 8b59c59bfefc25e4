// The JSON of users, servers, tokens, groups and services, reduced to what the asker may read (hub-protocol
// §4.2, §9.1, §11.2). Written straight into a string: these are the answers asked for most.
#pragma once

#include "api/call.hpp"
#include "api/json_text.hpp"

#include <string>
#include <string_view>

namespace berth::api {

// A place in the queue for GPUs, taken or offered. `held_back_by`: the rule in the way whatever is free; ""
// none.
json::object place_model(const gpu::Estimate& estimate, const std::string& held_back_by);

enum class Servers { active, all };  // ?include_stopped_servers
enum class AuthState {
    hidden,
    shown_as_null
};  // Berth stores none; the key is there for those who may read it

// What one principal may read of users: its scopes looked up once, for any number of models.
class UserView {
public:
    UserView(const Dependencies& hub, const access::Principal& reader);
    // With further scopes that count for models only (whoami adds `identify`, §4.1).
    UserView(const Dependencies& hub, const access::ScopeSet& scopes);

    // Appends the model; false, with nothing appended, when the reader may see nothing of this user.
    bool append(std::string& out, const identity::User& user, Servers servers) const;
    // The members of it, into an object that is open.
    bool append_members(JsonObject& object, const identity::User& user, Servers servers) const;
    void append_server(std::string& out, const hub::Server& server) const;

private:
    struct Right {
        const access::Reach* reach = nullptr;
        bool covers(const access::Target& target, const access::Memberships& memberships) const {
            return reach != nullptr && (reach->everywhere || reach->covers(target, memberships));
        }
    };
    void append_servers(std::string& out, const identity::User& user, Servers which) const;

    const Dependencies& hub_;
    std::string base_path_;
    Right name_, all_, groups_, activity_, roles_, servers_, server_state_, auth_state_;
};

// "reserved for group ml until …" of a device that is kept for others than the asker; "" when it is not.
std::string reserved_text(
    Dependencies& hub, const Call& call, const DeviceUuid& device, const hub::GpuQueue::Ask& asker);

// {"at", "because", "seconds_left", "extensions_left", "extension_seconds"}: what is told of a near end.
void append_ending(std::string& out, const hub::Ending& ending);
json::object token_model(const Dependencies& hub, const identity::Token& token);
// Appends it; false, with nothing appended, when the reader may see nothing of it.
bool append_group(
    std::string& out, const Dependencies& hub, const access::Principal& reader, const identity::Group& group);
// Nothing when the reader may see nothing of it.
std::optional<json::object> service_model(
    const Dependencies& hub, const access::Principal& reader, const store::ServiceRow& service);

// "https://hub.example.org" when public_url says so, else "".
std::string public_origin(const Dependencies& hub);
http::Response json_text(unsigned status, std::string body);

}  // namespace berth::api
