// Lists of structs for describe(): one view over any vector, and the elements that may be written as one
// text.
#pragma once

#include "base/text.hpp"
#include "config/describe.hpp"

namespace berth::config {

inline bool from_text(VolumeMount& mount, std::string_view text) {
    auto parts = split(text, ':');
    mount.read_only = parts.size() == 3 && parts[2] == "ro";
    if (parts.size() == 3 && parts[2] != "ro" && parts[2] != "rw") return false;
    if (parts.size() < 2 || parts.size() > 3) return false;
    mount.source = parts[0];
    mount.target = parts[1];
    return true;
}
inline bool from_text(GpuDeviceOptions& device, std::string_view text) {
    device.uuid = text;
    return !text.empty();
}
template <class T>
bool from_text(T&, std::string_view) {
    return false;
}

template <class T>
constexpr std::string_view kShortForm;
template <>
inline constexpr std::string_view kShortForm<VolumeMount> = "source:target[:ro]";
template <>
inline constexpr std::string_view kShortForm<GpuDeviceOptions> = "uuid";

template <class T>
class ItemsOf final : public Items {
public:
    using Describe = void (*)(Visitor&, T&);
    ItemsOf(std::vector<T>& items, Describe describe_item) : items_(items), describe_(describe_item) {}

    std::size_t size() const override { return items_.size(); }
    void clear() override { items_.clear(); }
    void add() override { items_.emplace_back(); }
    void describe(std::size_t index, Visitor& visitor) override { describe_(visitor, items_[index]); }
    void describe_blank(Visitor& visitor) const override {
        T blank;
        describe_(visitor, blank);
    }
    std::string_view short_form() const override { return kShortForm<T>; }
    bool set_from_text(std::size_t index, std::string_view text) override {
        return from_text(items_[index], text);
    }

private:
    std::vector<T>& items_;
    Describe describe_;
};

template <class T>
void list_of(Visitor& v, const Doc& doc, std::vector<T>& items, void (*describe_item)(Visitor&, T&)) {
    ItemsOf<T> view(items, describe_item);
    v.list(doc, view);
}

// describe_cull.cpp
void describe_cull(Visitor& v, CullOptions& o);
// describe_spawn.cpp
void describe_spawn(Visitor& v, SpawnOptions& o);
void describe_docker(Visitor& v, DockerOptions& o);
void describe_local(Visitor& v, LocalOptions& o);
void describe_profile(Visitor& v, Profile& o);
// describe_gpu.cpp
void describe_gpu(Visitor& v, GpuOptions& o);

}  // namespace berth::config
