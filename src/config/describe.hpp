// What every option is called, means and may be: said once, here. Reading a file, checking it, printing what
// is in force, the commented defaults and docs/configuration.md are all visitors over this description (style
// §6). Pure; called at start and by `berth config`.
#pragma once

#include "config/options.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace berth::config {

struct Doc {
    std::string_view key;
    std::string_view help;             // one sentence for the administrator
    std::string_view jupyterhub = {};  // the option it stands for
    std::int64_t min = 0;              // numbers, and durations in seconds
    std::int64_t max = std::numeric_limits<std::int64_t>::max();
    std::vector<std::string_view> allowed = {};  // texts: empty means any
};

// Every type an option can have. The pointer goes to the member of the struct being described.
using Field = std::variant<
    std::string*,
    bool*,
    std::uint16_t*,
    std::uint32_t*,
    seconds*,
    std::optional<double>*,
    std::optional<std::uint32_t>*,
    std::optional<seconds>*,
    std::optional<Bytes>*,
    Secret*,
    std::vector<std::string>*,
    std::map<std::string, std::string>*,
    std::map<std::string, std::vector<std::string>>*,
    json::object*>;
// "text", "number", "duration" …: what the documentation and the wrong-type message say.
std::string_view type_name(const Field& field);

class Visitor;

// A list of structs (profiles, services …), element by element.
class Items {
public:
    virtual ~Items() = default;
    virtual std::size_t size() const = 0;
    virtual void clear() = 0;
    virtual void add() = 0;  // a default element at the end
    virtual void describe(std::size_t index, Visitor& visitor) = 0;
    virtual void describe_blank(Visitor& visitor) const = 0;  // the keys of an element, with their defaults
    // Some elements may be written as one text; "" when these may not.
    virtual std::string_view short_form() const = 0;  // "source:target[:ro]"
    virtual bool set_from_text(std::size_t index, std::string_view text) = 0;
};

class Visitor {
public:
    virtual ~Visitor() = default;
    virtual void field(const Doc& doc, const Field& field) = 0;
    virtual void section(const Doc& doc, const std::function<void(Visitor&)>& describe_fields) = 0;
    virtual void list(const Doc& doc, Items& items) = 0;
};

void describe(Visitor& visitor, Options& options);

}  // namespace berth::config
