#include "app/doctor/report.hpp"

#include <algorithm>

namespace berth::app {

std::string_view name_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::ok:
            return "OK";
        case Verdict::note:
            return "NOTE";
        case Verdict::warn:
            return "WARN";
        case Verdict::fail:
            return "FAIL";
    }
    return "FAIL";
}

void Report::add(std::string check, Verdict verdict, std::string found, std::string to_do) {
    findings_.push_back({std::move(check), verdict, std::move(found), std::move(to_do)});
}

std::size_t Report::count(Verdict verdict) const {
    return static_cast<std::size_t>(
        std::count_if(findings_.begin(), findings_.end(), [verdict](const Finding& each) {
            return each.verdict == verdict;
        }));
}

json::array Report::to_json() const {
    json::array all;
    for (const auto& each : findings_)
        all.push_back(json::object{
            {"check", each.check},
            {"verdict", name_of(each.verdict)},
            {"found", each.found},
            {"to_do", each.to_do}});
    return all;
}

}  // namespace berth::app
