// Log lines are an event name plus fields: log::info("server.started", {{"user", u}, {"took_seconds", 3.2}}).
// Names are noun.verb_past. error = somebody must act; warn = we coped; info = state changed; debug = for us.
// Values longer than 1 KiB are cut; control characters are escaped; secrets have no conversion to Value.
// Thread-safe. Before configure() lines go to stderr as text at level info.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace berth::log {

enum class Level { debug, info, warn, error };
enum class Format { text, json };

class Value {
public:
    // Implicit on purpose: fields read as literals. NOLINTBEGIN(google-explicit-constructor)
    Value(std::string_view text) : value_(std::string(text)) {}
    Value(const std::string& text) : value_(text) {}
    Value(const char* text) : value_(std::string(text)) {}
    Value(std::int64_t number) : value_(number) {}
    Value(int number) : value_(std::int64_t{number}) {}
    Value(unsigned number) : value_(std::int64_t{number}) {}
    Value(std::size_t number) : value_(static_cast<std::int64_t>(number)) {}
    Value(double number) : value_(number) {}
    Value(bool flag) : value_(flag) {}
    // NOLINTEND(google-explicit-constructor)

    const std::variant<std::string, std::int64_t, double, bool>& get() const { return value_; }

private:
    std::variant<std::string, std::int64_t, double, bool> value_;
};

struct Field {
    std::string_view name;
    Value value;
};
using Fields = std::initializer_list<Field>;

void configure(Level level, Format format);
// From now on lines go to the end of this file, and so does all else that is written to stdout and stderr,
// such as a crash's last words. Before it would grow over `most` it becomes NAME.1.EXTENSION, in the place of
// the one before, and is begun anew. For the start of a process. Throws when it cannot be opened.
void to_file(const std::string& path, std::size_t most);
bool enabled(Level level);
void write(Level level, std::string_view event, Fields fields);

inline void debug(std::string_view event, Fields fields = {}) {
    if (enabled(Level::debug)) write(Level::debug, event, fields);
}
inline void info(std::string_view event, Fields fields = {}) {
    write(Level::info, event, fields);
}
inline void warn(std::string_view event, Fields fields = {}) {
    write(Level::warn, event, fields);
}
inline void error(std::string_view event, Fields fields = {}) {
    write(Level::error, event, fields);
}

}  // namespace berth::log
