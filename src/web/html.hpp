// Builds HTML so that a forgotten escape does not compile: markup comes from literals only, everything else
// is escaped text. Private to web/.
#pragma once

#include "base/text.hpp"

#include <string>
#include <string_view>

namespace berth::web {

// Markup as it stands in the source. Only a literal makes one.
class Markup {
public:
    consteval Markup(const char* literal) : text_(literal) {}  // NOLINT(google-explicit-constructor)
    constexpr std::string_view text() const { return text_; }

private:
    std::string_view text_;
};

class Html {
public:
    Html() = default;

    Html& raw(Markup markup) {
        out_ += markup.text();
        return *this;
    }
    // For content and for attribute values in double quotes.
    Html& text(std::string_view value) {
        out_ += html_escape(value);
        return *this;
    }
    // ` name="value"`
    Html& attribute(Markup name, std::string_view value) {
        out_ += ' ';
        out_ += name.text();
        out_ += "=\"";
        out_ += html_escape(value);
        out_ += '"';
        return *this;
    }
    Html& add(const Html& other) {
        out_ += other.out_;
        return *this;
    }
    // Already safe for the content of a script element: made by json_for_script() and by nobody else.
    Html& script_data(const std::string& json) {
        out_ += json;
        return *this;
    }

    bool empty() const { return out_.empty(); }
    std::string take() && { return std::move(out_); }

private:
    std::string out_;
};

}  // namespace berth::web
