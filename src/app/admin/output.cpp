#include "app/admin/output.hpp"

#include <algorithm>
#include <cstdio>
#include <iostream>

namespace berth::app {
namespace {

// Columns that a terminal needs, near enough: one a code point.
std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

const json::value* member(const json::value& object, std::string_view key) {
    const auto* whole = object.if_object();
    return whole == nullptr ? nullptr : whole->if_contains(key);
}

}  // namespace

std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        out += byte < 0x20 || byte == 0x7F ? ' ' : c;
    }
    return out;
}

void Table::print(std::string_view when_empty) const {
    if (rows_.empty()) {
        std::cout << when_empty << "\n";
        return;
    }
    std::vector<std::size_t> widths(heads_.size());
    auto measure = [&](const std::vector<std::string>& cells) {
        for (std::size_t i = 0; i < cells.size(); ++i)
            widths[i] = std::max(widths[i], width_of(cells[i]));
    };
    measure(heads_);
    for (const auto& row : rows_)
        measure(row);
    auto write = [&](const std::vector<std::string>& cells) {
        std::string line;
        for (std::size_t i = 0; i < cells.size(); ++i) {
            line += cells[i];
            if (i + 1 < cells.size()) line += std::string(widths[i] - width_of(cells[i]) + 2, ' ');
        }
        while (!line.empty() && line.back() == ' ')
            line.pop_back();
        std::cout << line << "\n";
    };
    write(heads_);
    for (const auto& row : rows_)
        write(row);
}

void print_json(const json::value& document) {
    std::cout << json::serialize(document) << "\n";
}

std::string cell(const json::value& object, std::string_view key) {
    const auto* value = member(object, key);
    if (value == nullptr || value->is_null()) return {};
    if (const auto* text = value->if_string()) return printable(*text);
    if (const auto* flag = value->if_bool()) return *flag ? "yes" : "no";
    if (const auto* list = value->if_array()) {
        std::string all;
        for (const auto& item : *list)
            all += (all.empty() ? "" : ",") +
                   (item.is_string() ? printable(item.get_string()) : json::serialize(item));
        return all;
    }
    return json::serialize(*value);
}

std::string time_cell(const json::value& object, std::string_view key) {
    auto text = cell(object, key);
    if (text.size() < 19 || text[10] != 'T') return text;
    text.resize(19);
    text[10] = ' ';
    return text;
}

bool is_true(const json::value& object, std::string_view key) {
    const auto* value = member(object, key);
    return value != nullptr && value->is_bool() && value->get_bool();
}

}  // namespace berth::app
