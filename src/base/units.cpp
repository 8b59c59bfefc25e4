#include "base/units.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace berth {
namespace {

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ')
        text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ')
        text.remove_suffix(1);
    return text;
}

// Splits "1.5 GiB" into 1.5 and "GiB".
std::optional<std::pair<double, std::string_view>> number_and_unit(std::string_view text) {
    text = trimmed(text);
    double number = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc{} || number < 0 || !std::isfinite(number)) return std::nullopt;
    return std::pair{number, trimmed(text.substr(static_cast<std::size_t>(end - text.data())))};
}

bool read_digits(std::string_view& text, std::size_t count, int& value) {
    if (text.size() < count) return false;
    value = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (text[i] < '0' || text[i] > '9') return false;
        value = value * 10 + (text[i] - '0');
    }
    text.remove_prefix(count);
    return true;
}

bool skip(std::string_view& text, char wanted) {
    if (text.empty() || text.front() != wanted) return false;
    text.remove_prefix(1);
    return true;
}

std::int64_t read_fraction_micros(std::string_view& text) {
    if (!skip(text, '.') && !skip(text, ',')) return 0;
    std::int64_t micros = 0;
    std::int64_t scale = 100'000;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
        micros += (text.front() - '0') * scale;
        scale /= 10;
        text.remove_prefix(1);
    }
    return micros;
}

// "Z", "+02:00", "-0530" or nothing.
std::optional<std::chrono::minutes> read_zone(std::string_view& text) {
    if (text.empty() || skip(text, 'Z') || skip(text, 'z')) return std::chrono::minutes{0};
    const int sign = text.front() == '-' ? -1 : 1;
    if (!skip(text, '+') && !skip(text, '-')) return std::nullopt;
    int hours = 0;
    int minutes = 0;
    if (!read_digits(text, 2, hours)) return std::nullopt;
    skip(text, ':');
    if (!text.empty() && !read_digits(text, 2, minutes)) return std::nullopt;
    return std::chrono::minutes{sign * (hours * 60 + minutes)};
}

}  // namespace

std::optional<Bytes> parse_bytes(std::string_view text) {
    const auto parts = number_and_unit(text);
    if (!parts) return std::nullopt;
    auto [number, unit] = *parts;
    constexpr std::string_view kLetters = "KMGTP";
    double factor = 1;
    if (!unit.empty() && unit != "B" && unit != "b") {
        const auto letter = kLetters.find(static_cast<char>(unit.front() & ~0x20));
        const auto rest = unit.substr(1);
        if (letter == std::string_view::npos ||
            !(rest.empty() || rest == "B" || rest == "iB" || rest == "i" || rest == "b"))
            return std::nullopt;
        factor = std::pow(1024.0, static_cast<double>(letter + 1));
    }
    const double total = number * factor;
    if (total >= 9.2e18) return std::nullopt;
    return Bytes{static_cast<std::uint64_t>(total)};
}

std::string format_bytes(Bytes bytes) {
    constexpr std::array<const char*, 6> kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    auto value = static_cast<double>(bytes.count);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < kUnits.size()) {
        value /= 1024;
        ++unit;
    }
    std::array<char, 32> text{};
    std::snprintf(
        text.data(), text.size(), std::floor(value) == value ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
    return text.data();
}

Timestamp now_utc() {
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

std::string format_rfc3339(Timestamp time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{time - day};
    std::string out;
    out.reserve(27);
    const auto add = [&out](char before, std::int64_t number, std::size_t width) {
        if (before != '\0') out += before;
        const auto digits = std::to_string(number);
        out.append(width > digits.size() ? width - digits.size() : 0, '0').append(digits);
    };
    add('\0', static_cast<int>(date.year()), 4);
    add('-', static_cast<unsigned>(date.month()), 2);
    add('-', static_cast<unsigned>(date.day()), 2);
    add('T', clock.hours().count(), 2);
    add(':', clock.minutes().count(), 2);
    add(':', clock.seconds().count(), 2);
    if (const auto micros = clock.subseconds().count(); micros != 0) add('.', micros, 6);
    return out + "Z";
}

std::optional<Timestamp> parse_rfc3339(std::string_view text) {
    text = trimmed(text);
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    if (!read_digits(text, 4, year) || !skip(text, '-') || !read_digits(text, 2, month) || !skip(text, '-') ||
        !read_digits(text, 2, day))
        return std::nullopt;
    const std::chrono::year_month_day date{
        std::chrono::year{year},
        std::chrono::month{static_cast<unsigned>(month)},
        std::chrono::day{static_cast<unsigned>(day)}};
    if (!date.ok()) return std::nullopt;
    Timestamp time = std::chrono::sys_days{date};
    if (text.empty()) return time;
    if (!skip(text, 'T') && !skip(text, 't') && !skip(text, ' ')) return std::nullopt;
    if (!read_digits(text, 2, hour) || !skip(text, ':') || !read_digits(text, 2, minute)) return std::nullopt;
    if (skip(text, ':') && !read_digits(text, 2, second)) return std::nullopt;
    if (hour > 23 || minute > 59 || second > 60) return std::nullopt;
    const auto micros = read_fraction_micros(text);
    const auto zone = read_zone(text);
    if (!zone || !text.empty()) return std::nullopt;
    return time + std::chrono::hours{hour} + std::chrono::minutes{minute} + std::chrono::seconds{second} +
           std::chrono::microseconds{micros} - *zone;
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
    const auto parts = number_and_unit(text);
    if (!parts) return std::nullopt;
    const auto& [number, unit] = *parts;
    double seconds = 1;
    if (unit == "ms")
        seconds = 0.001;
    else if (unit == "m" || unit == "min")
        seconds = 60;
    else if (unit == "h")
        seconds = 3600;
    else if (unit == "d")
        seconds = 86400;
    else if (!unit.empty() && unit != "s")
        return std::nullopt;
    return std::chrono::milliseconds{static_cast<std::int64_t>(std::llround(number * seconds * 1000))};
}

}  // namespace berth
