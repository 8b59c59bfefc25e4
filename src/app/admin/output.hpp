// What commands print: tables with aligned columns for people, JSON for programs.
#pragma once

#include "base/json.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace berth::app {

class Table {
public:
    explicit Table(std::vector<std::string> heads) : heads_(std::move(heads)) {}
    void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
    bool empty() const { return rows_.empty(); }
    // To standard output; `when_empty` instead of a table without rows.
    void print(std::string_view when_empty) const;

private:
    std::vector<std::string> heads_;
    std::vector<std::vector<std::string>> rows_;
};

// One document and a newline to standard output.
void print_json(const json::value& document);

// Members of an object as a cell: "" when absent or null; lists with commas; times without their fractions.
std::string cell(const json::value& object, std::string_view key);
std::string time_cell(const json::value& object, std::string_view key);
bool is_true(const json::value& object, std::string_view key);
// Without what a terminal would take for a command.
std::string printable(std::string_view text);

}  // namespace berth::app
