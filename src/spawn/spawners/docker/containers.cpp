#include "spawn/spawners/docker/containers.hpp"

#include "base/text.hpp"
#include "spawn/spawners/docker/create_request.hpp"

#include <algorithm>
#include <charconv>

namespace berth::spawn::docker {
namespace {

constexpr std::size_t kLongestLine = 1024 * 1024;

std::optional<std::int64_t> integer(const std::optional<std::string>& text) {
    if (!text || text->empty()) return std::nullopt;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc{} || end != text->data() + text->size()) return std::nullopt;
    return value;
}

std::vector<DeviceUuid> uuids_in(std::string_view text) {
    std::vector<DeviceUuid> uuids;
    for (const auto uuid : split(text, ',')) {
        if (!uuid.empty()) uuids.emplace_back(std::string(uuid));
    }
    return uuids;
}

std::string address_in(const json::object& networks, std::string_view preferred) {
    std::string any;
    for (const auto& [name, value] : networks) {
        const auto* network = value.if_object();
        const auto address = network ? string_at(*network, "IPAddress").value_or("") : "";
        if (!address.empty() && name == preferred) return address;
        if (!address.empty()) any = address;
    }
    return any;
}

std::string address_of(const json::object& container, std::string_view preferred) {
    const auto* settings = object_at(container, "NetworkSettings");
    const auto* networks = settings ? object_at(*settings, "Networks") : nullptr;
    return networks ? address_in(*networks, preferred) : "";
}

std::string without_slash(const std::string& name) {
    return name.starts_with('/') ? name.substr(1) : name;
}

std::vector<std::string> texts_in(const json::array* list) {
    std::vector<std::string> texts;
    if (!list) return texts;
    for (const auto& each : *list) {
        if (const auto* text = each.if_string()) texts.emplace_back(*text);
    }
    return texts;
}

void read_devices(const json::object& host, Inspected& container) {
    if (const auto* requests = array_at(host, "DeviceRequests")) {
        for (const auto& each : *requests) {
            const auto* request = each.if_object();
            if (!request) continue;
            const auto ids = texts_in(array_at(*request, "DeviceIDs"));
            container.requested_devices.insert(container.requested_devices.end(), ids.begin(), ids.end());
            if (ids.empty()) container.requested_devices.emplace_back("*");
        }
    }
    if (const auto* devices = array_at(host, "Devices")) {
        for (const auto& each : *devices) {
            const auto* device = each.if_object();
            if (device) container.device_nodes.push_back(string_at(*device, "PathOnHost").value_or(""));
        }
    }
    container.runtime = string_at(host, "Runtime").value_or("");
}

void read_state(const json::object& state, Inspected& container) {
    container.running = bool_at(state, "Running").value_or(false);
    container.out_of_memory = bool_at(state, "OOMKilled").value_or(false);
    container.pid = int_at(state, "Pid").value_or(0);
    const auto status = string_at(state, "Status").value_or("");
    const auto finished = parse_rfc3339(string_at(state, "FinishedAt").value_or(""));
    const bool has_ended = finished && *finished > Timestamp{};  // the engine writes year 1 for "never"
    if (!container.running && has_ended) container.finished = finished;
    if (!container.running && status != "created") {
        container.exit_code = static_cast<int>(int_at(state, "ExitCode").value_or(0));
    }
}

}  // namespace

std::optional<Identity> identity_of(const json::object& labels) {
    const auto instance = string_at(labels, label::kInstance);
    const auto server = integer(string_at(labels, label::kServer));
    const auto generation = integer(string_at(labels, label::kGeneration));
    if (!instance || !server || !generation) return std::nullopt;
    ServerKey key{
        UserName(string_at(labels, label::kUser).value_or("")),
        ServerName(string_at(labels, label::kServerName).value_or(""))};
    return Identity{*instance, ServerId{*server}, *generation, std::move(key)};
}

SpawnState state_of(std::string_view id, std::string_view name, std::string_view image) {
    // As DockerSpawner calls them.
    json::object state{{"object_id", id}, {"object_name", name}};
    if (!image.empty()) state[kImageOfState] = image;
    return state;
}

SpawnState Inspected::state() const {
    return state_of(id, name, image);
}

std::string url_of(std::string_view address, std::uint16_t port) {
    const bool is_v6 = address.find(':') != std::string_view::npos;
    const std::string host = is_v6 ? "[" + std::string(address) + "]" : std::string(address);
    return "http://" + host + ":" + std::to_string(port);
}

std::optional<Found> found_from_list(
    const json::object& entry, std::string_view network, std::uint16_t port) {
    const auto* labels = object_at(entry, "Labels");
    const auto identity = labels ? identity_of(*labels) : std::nullopt;
    const auto id = string_at(entry, "Id");
    if (!identity || !id) return std::nullopt;
    const auto names = texts_in(array_at(entry, "Names"));
    Found found;
    found.server = identity->server;
    found.generation = identity->generation;
    found.key = identity->key;
    found.object_name = names.empty() ? *id : without_slash(names.front());
    found.devices = uuids_in(string_at(*labels, label::kGpu).value_or(""));
    found.endpoint.state = state_of(*id, found.object_name, string_at(entry, "ImageID").value_or(""));
    if (const auto created = int_at(entry, "Created"))
        found.created = Timestamp(std::chrono::seconds(*created));
    const auto state = string_at(entry, "State").value_or("");
    const auto address = address_of(entry, network);
    if (state == "running" || state == "paused") {
        found.liveness = Liveness::running;
        if (!address.empty()) found.endpoint.url = url_of(address, port);
    }
    return found;
}

std::optional<Machine> machine_in(
    std::string_view list, std::string_view instance, std::string_view network, std::uint16_t port) {
    const auto document = parse_json(list);
    const auto* entries = document ? document->if_array() : nullptr;
    if (entries == nullptr) return std::nullopt;
    Machine machine;
    for (const auto& entry : *entries) {
        const auto* object = entry.if_object();
        const auto id = object ? string_at(*object, "Id") : std::nullopt;
        if (!id) continue;
        const auto* labels = object_at(*object, "Labels");
        const auto identity = labels ? identity_of(*labels) : std::nullopt;
        if (identity && identity->instance == instance) {
            if (auto found = found_from_list(*object, network, port))
                machine.found.push_back(std::move(*found));
            continue;
        }
        const auto state = string_at(*object, "State").value_or("");
        if (state != "running" && state != "paused") continue;
        const auto names = texts_in(array_at(*object, "Names"));
        Running other{*id, names.empty() ? *id : without_slash(names.front()), std::nullopt};
        if (identity) {
            other.devices.emplace();
            for (const auto& uuid : uuids_in(string_at(*labels, label::kGpu).value_or("")))
                other.devices->push_back(uuid.value);
        }
        machine.others.push_back(std::move(other));
    }
    return machine;
}

std::optional<Inspected> inspected(const json::value& document, std::string_view network) {
    const auto* object = document.if_object();
    const auto id = object ? string_at(*object, "Id") : std::nullopt;
    if (!id) return std::nullopt;
    Inspected container;
    container.id = *id;
    container.name = without_slash(string_at(*object, "Name").value_or(""));
    container.image = string_at(*object, "Image").value_or("");
    container.address = address_of(*object, network);
    if (const auto* state = object_at(*object, "State")) read_state(*state, container);
    if (const auto* host = object_at(*object, "HostConfig")) read_devices(*host, container);
    if (const auto* mounts = array_at(*object, "Mounts")) {
        for (const auto& each : *mounts) {
            const auto* mount = each.if_object();
            if (mount) container.mounts.push_back(string_at(*mount, "Destination").value_or(""));
        }
    }
    if (const auto* config = object_at(*object, "Config")) {
        container.environment = texts_in(array_at(*config, "Env"));
        if (const auto* labels = object_at(*config, "Labels")) container.labels = *labels;
    }
    return container;
}

std::string log_text(std::string_view body) {
    std::string text;
    while (body.size() >= 8) {
        const bool framed =
            static_cast<unsigned char>(body[0]) <= 2 && body[1] == 0 && body[2] == 0 && body[3] == 0;
        if (!framed) break;
        std::size_t length = 0;
        for (std::size_t i = 4; i < 8; ++i)
            length = length * 256 + static_cast<unsigned char>(body[i]);
        const auto taken = std::min(length, body.size() - 8);
        text += body.substr(8, taken);
        body.remove_prefix(8 + taken);
    }
    return text.empty() ? std::string(body) : text;
}

std::optional<Event> event_of(const json::value& document) {
    const auto* object = document.if_object();
    const auto* actor = object ? object_at(*object, "Actor") : nullptr;
    const auto* attributes = actor ? object_at(*actor, "Attributes") : nullptr;
    const auto identity = attributes ? identity_of(*attributes) : std::nullopt;
    const auto action = object ? string_at(*object, "Action") : std::nullopt;
    if (!identity || !action) return std::nullopt;
    Event event{*action, string_at(*actor, "ID").value_or(""), std::nullopt, *identity};
    if (const auto code = integer(string_at(*attributes, "exitCode")))
        event.exit_code = static_cast<int>(*code);
    return event;
}

std::optional<NetworkEvent> network_event_of(const json::value& document) {
    const auto* object = document.if_object();
    const auto* actor = object ? object_at(*object, "Actor") : nullptr;
    const auto* attributes = actor ? object_at(*actor, "Attributes") : nullptr;
    if (attributes == nullptr || string_at(*object, "Type") != "network") return std::nullopt;
    const auto action = string_at(*object, "Action").value_or("");
    if (action != "connect" && action != "disconnect") return std::nullopt;
    NetworkEvent event;
    event.container = string_at(*attributes, "container").value_or("");
    event.network = string_at(*attributes, "name").value_or("");
    event.on_it = action == "connect";
    return event;
}

void Lines::add(std::string_view piece) {
    buffer_ += piece;
    if (buffer_.size() > kLongestLine && buffer_.find('\n') == std::string::npos) buffer_.clear();
}

std::optional<std::string> Lines::next() {
    const auto newline = buffer_.find('\n');
    if (newline == std::string::npos) return std::nullopt;
    std::string line = buffer_.substr(0, newline);
    buffer_.erase(0, newline + 1);
    return line;
}

}  // namespace berth::spawn::docker
