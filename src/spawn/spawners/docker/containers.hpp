// What the engine's JSON says about a container, and the framing of its logs. Pure; input from outside.
#pragma once

#include "spawn/image_files.hpp"
#include "spawn/spawner.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::spawn::docker {

// From an entry of GET /containers/json. Empty when it lacks our labels.
std::optional<Found> found_from_list(const json::object& entry, std::string_view network, std::uint16_t port);
// What GET /containers/json says as a whole: ours, and what else runs, which may hold devices.
struct Running {
    std::string id;
    std::string name;
    // Of another Berth's container, from its label: nothing need be asked. None: it has to be looked at.
    std::optional<std::vector<std::string>> devices;
};
struct Machine {
    std::vector<Found> found;
    std::vector<Running> others;
};
std::optional<Machine> machine_in(
    std::string_view list, std::string_view instance, std::string_view network, std::uint16_t port);
// The GPUs a container was given, whoever started it (spawn::Foreign), from GET /containers/{id}/json.
std::vector<std::string> claims_of(const json::value& inspected);

// From GET /containers/{id}/json: labels of Config.
struct Identity {
    std::string instance;
    ServerId server{};
    std::int64_t generation = 0;
    ServerKey key;
};
std::optional<Identity> identity_of(const json::object& labels);

struct Inspected {
    std::string id;
    std::string name;
    std::string image;  // its id: "sha256:…"
    bool running = false;
    std::optional<int> exit_code;  // when it has run and ended
    bool out_of_memory = false;
    std::optional<Timestamp> finished;
    std::int64_t pid = 0;
    std::string address;  // on `network`, else on any; "" when it has none
    json::object labels;
    std::vector<std::string> environment;        // image and request together, as the engine keeps it
    std::vector<std::string> requested_devices;  // DeviceIDs of all device requests; "*" for one by Count
    std::vector<std::string> device_nodes;       // PathOnHost
    std::vector<std::string> mounts;             // their places inside
    std::string runtime;

    SpawnState state() const;
};
std::optional<Inspected> inspected(const json::value& document, std::string_view network);
SpawnState state_of(std::string_view id, std::string_view name, std::string_view image);
std::string url_of(std::string_view address, std::uint16_t port);

// The text of GET /containers/{id}/logs: frames of {stream, 0, 0, 0, length as 4 bytes}, or raw when the
// container has a terminal.
std::string log_text(std::string_view body);

// One of GET /events.
struct Event {
    std::string action;  // "die", "oom", "destroy"
    std::string id;
    std::optional<int> exit_code;
    Identity identity;
};
std::optional<Event> event_of(const json::value& document);

// The same, of a container that was put on a network or taken off it.
struct NetworkEvent {
    std::string container;  // its id
    std::string network;    // its name
    bool on_it = false;
};
std::optional<NetworkEvent> network_event_of(const json::value& document);

// Cuts a stream into its lines whatever its pieces are; longer ones than 1 MiB are dropped.
class Lines {
public:
    void add(std::string_view piece);
    std::optional<std::string> next();

private:
    std::string buffer_;
};

}  // namespace berth::spawn::docker
