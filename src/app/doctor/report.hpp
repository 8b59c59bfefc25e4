// What `berth doctor` found: a line a check, and for each that is not fine what to do.
#pragma once

#include "base/json.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace berth::app {

enum class Verdict { ok, note, warn, fail };
std::string_view name_of(Verdict verdict);  // "OK", "NOTE", "WARN", "FAIL"

struct Finding {
    std::string check;  // "engine", "image notebook:latest": what a program looks for
    Verdict verdict = Verdict::ok;
    std::string found;
    std::string to_do;  // "" when nothing is
};

class Report {
public:
    void ok(std::string check, std::string found) {
        add(std::move(check), Verdict::ok, std::move(found), {});
    }
    void note(std::string check, std::string found) {
        add(std::move(check), Verdict::note, std::move(found), {});
    }
    void warn(std::string check, std::string found, std::string to_do) {
        add(std::move(check), Verdict::warn, std::move(found), std::move(to_do));
    }
    void fail(std::string check, std::string found, std::string to_do) {
        add(std::move(check), Verdict::fail, std::move(found), std::move(to_do));
    }

    const std::vector<Finding>& findings() const { return findings_; }
    std::size_t count(Verdict verdict) const;
    json::array to_json() const;

private:
    void add(std::string check, Verdict verdict, std::string found, std::string to_do);
    std::vector<Finding> findings_;
};

}  // namespace berth::app
