#include "http/message.hpp"
#include "input.hpp"

#include <string>

using namespace berth;

// A Cookie field of any bytes: every value found stands in it, and setting it again ends no line.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string field(fuzz::text_of(data, size));
    http::Request request;
    request.headers.add("Cookie", field);
    const auto all = request.cookies("a");
    const auto first = request.cookie("a");
    fuzz::check(first.has_value() == !all.empty(), "cookie() and cookies() agree");
    fuzz::check(!first || *first == all.front(), "cookie() is the first of cookies()");
    for (const auto& value : all) {
        fuzz::check(field.find(value) != std::string::npos, "the value stands in the field");
        http::Cookie cookie;
        cookie.name = "a";
        cookie.value = value;
        const auto line = http::set_cookie(cookie);
        fuzz::check(line.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos, "it is one line");
    }
    return 0;
}
