#include "spawn/names.hpp"

#include "base/random.hpp"
#include "base/text.hpp"

namespace berth::spawn {
namespace {

constexpr std::string_view kUser = "{username}";
constexpr std::string_view kServer = "{servername}";
constexpr std::size_t kLongestVolumeName = 200;  // a folder's name may have 255 bytes
constexpr std::size_t kDigestDigits = 20;

std::string digest_of(std::string_view text) {
    return "." + sha256_hex(text).substr(0, kDigestDigits);
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

bool occurs_once(std::string_view text, std::string_view part) {
    const auto first = text.find(part);
    return first != std::string_view::npos && text.find(part, first + 1) == std::string_view::npos;
}

// Escaped names are made of [a-z0-9] and "-xx" only, so "--" and every other character end one for certain.
bool separates(std::string_view text) {
    constexpr std::string_view kEscaped = "abcdefghijklmnopqrstuvwxyz0123456789-";
    return contains(text, "--") || text.find_first_not_of(kEscaped) != std::string_view::npos;
}

// Can the two names always be read back from the filled template?
bool keeps_apart(std::string_view text) {
    if (!occurs_once(text, kUser) || !occurs_once(text, kServer)) return false;
    const auto user = text.find(kUser);
    const auto server = text.find(kServer);
    const auto begin = user < server ? user + kUser.size() : server + kServer.size();
    const auto end = user < server ? server : user;
    return separates(text.substr(begin, end - begin));
}

std::string filled(std::string_view text, const ServerKey& key) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        if (text.substr(i).starts_with(kUser)) {
            out += container_escape(key.user.value);
            i += kUser.size();
        } else if (text.substr(i).starts_with(kServer)) {
            out += container_escape(key.server.value);
            i += kServer.size();
        } else {
            out += text[i++];
        }
    }
    return out;
}

// What Docker takes as a name: [a-zA-Z0-9][a-zA-Z0-9_.-]+. '.' never comes from an escaped name.
std::string acceptable(std::string name, std::size_t longest) {
    const bool starts_well =
        !name.empty() && name.front() != '-' && name.front() != '.' && name.front() != '_';
    if (!starts_well) name.insert(0, "0.");
    if (name.size() < 2) name += '.';
    if (name.size() <= longest) return name;
    const std::string digest = digest_of(name);
    return name.substr(0, longest - digest.size()) + digest;
}

std::string fill_and_trim(std::string_view text, const ServerKey& key) {
    std::string name = filled(text, key);
    if (key.server.empty() && text.ends_with(kServer)) {
        while (!name.empty() && name.back() == '-')
            name.pop_back();
    }
    return name;
}

std::string component(std::string_view text, const ServerKey& key) {
    if (!contains(text, kUser) && !contains(text, kServer)) return std::string(text);
    std::string name = fill_and_trim(text, key);
    const bool of_one_server = contains(text, kUser) && contains(text, kServer);
    if (of_one_server && !key.server.empty() && !keeps_apart(text)) name += digest_of(key.full_name());
    return name;
}

}  // namespace

std::string object_name(std::string_view name_template, const ServerKey& key) {
    if (name_template.empty()) name_template = kDefaultNameTemplate;
    std::string name = fill_and_trim(name_template, key);
    const bool by_user = contains(name_template, kUser);
    if (!keeps_apart(name_template) && (!by_user || !key.server.empty())) name += digest_of(key.full_name());
    return acceptable(std::move(name), kLongestName);
}

std::string volume_source(std::string_view source_template, const ServerKey& key) {
    if (!source_template.starts_with('/')) {
        return acceptable(component(source_template, key), kLongestVolumeName);
    }
    std::string path;
    for (const auto part : split(source_template.substr(1), '/')) {
        const bool has_name = contains(part, kUser) || contains(part, kServer);
        path += '/';
        path += has_name ? acceptable(component(part, key), kLongestVolumeName) : std::string(part);
    }
    return path;
}

}  // namespace berth::spawn
