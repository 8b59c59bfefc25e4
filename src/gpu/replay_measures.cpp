#include "gpu/replay.hpp"

#include <algorithm>

namespace berth::gpu {

std::string_view name_of(Discipline discipline) {
    switch (discipline) {
        case Discipline::hold_until_logout:
            return "hold-until-logout";
        case Discipline::first_come:
            return "first-come-exclusive";
        case Discipline::berth:
            return "berth";
    }
    return "unknown";
}

double jain_index(const std::vector<double>& values) {
    double sum = 0, squares = 0;
    for (const double value : values) {
        sum += value;
        squares += value * value;
    }
    return squares > 0 ? sum * sum / (static_cast<double>(values.size()) * squares) : 1;
}

std::vector<double> fair_parts(const std::vector<double>& wanted, double total) {
    std::vector<std::pair<double, std::size_t>> ascending;
    for (std::size_t i = 0; i < wanted.size(); ++i)
        ascending.emplace_back(wanted[i], i);
    std::sort(ascending.begin(), ascending.end());
    std::vector<double> parts(wanted.size());
    auto left = static_cast<double>(ascending.size());
    for (const auto& [want, i] : ascending) {
        parts[i] = std::min(want, total / left);
        total -= parts[i];
        --left;
    }
    return parts;
}

}  // namespace berth::gpu
