#include "gpu/topology.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

namespace berth::gpu {
namespace {

struct Links {
    std::size_t count = 0;
    std::vector<double> weight;  // row by row
    std::vector<double> sum;     // of each row
    double at(std::size_t a, std::size_t b) const { return weight[a * count + b]; }
};

// What a set is worth: with inside = w(S) and reach = the sum of its members' rows, cut = reach − 2·inside.
struct Worth {
    double score = 0;
    double inside = 0;
    bool better_than(const Worth& other) const {
        return score != other.score ? score > other.score : inside > other.inside;
    }
};

Worth worth_of(double inside, double reach, double lambda) {
    return {.score = inside - lambda * (reach - 2 * inside), .inside = inside};
}

Links links_of(const Choice& choice, std::span<const Candidate> candidates) {
    Links links;
    links.count = candidates.size();
    links.weight.resize(links.count * links.count);
    links.sum.resize(links.count);
    for (std::size_t a = 0; a < links.count; ++a) {
        for (std::size_t b = 0; b < a; ++b) {
            const double weight = choice.link(choice.links, candidates[a].order, candidates[b].order);
            links.weight[a * links.count + b] = links.weight[b * links.count + a] = weight;
            links.sum[a] += weight;
            links.sum[b] += weight;
        }
    }
    return links;
}

// Every subset in lexicographic order: the first of the best is the one wanted. For every candidate that may
// still join, the links to those chosen so far are carried along; nothing is allocated on the way.
class Exhaustive {
public:
    Exhaustive(const Links& links, std::size_t wanted, double lambda)
        : links_(links), wanted_(wanted), lambda_(lambda) {}

    std::vector<std::size_t> best() {
        if (wanted_ > 0) extend(0, 0, {});
        std::vector<std::size_t> set;
        set.reserve(wanted_);
        for (std::size_t at = 0; at < links_.count; ++at) {
            if ((best_ >> at & 1U) != 0) set.push_back(at);
        }
        return set;
    }

private:
    struct Chosen {
        std::uint32_t set = 0;  // a bit for each
        double inside = 0;
        double reach = 0;
    };
    using Row = std::array<double, kExactCandidates>;

    Chosen with(const Chosen& chosen, double to_chosen, std::size_t next) const {
        return {
            .set = chosen.set | 1U << next,
            .inside = chosen.inside + to_chosen,
            .reach = chosen.reach + links_.sum[next]};
    }

    void extend(std::size_t depth, std::size_t from, const Chosen& chosen) {
        const Row& to_chosen = to_chosen_[depth];
        const std::size_t end = links_.count - (wanted_ - depth) + 1;
        for (std::size_t next = from; next < end; ++next) {
            const Chosen more = with(chosen, to_chosen[next], next);
            const double* to_next = &links_.weight[next * links_.count];
            Row& then = to_chosen_[depth + 1];
            for (std::size_t other = next + 1; other < links_.count; ++other)
                then[other] = to_chosen[other] + to_next[other];
            if (depth + 2 < wanted_)
                extend(depth + 1, next + 1, more);
            else if (depth + 2 == wanted_)
                complete(more, next + 1, then);
            else
                judge(more);
        }
    }

    // Most of the sets: those that lack only one. A single comparison passes over what is worse.
    void complete(const Chosen& chosen, std::size_t from, const Row& to_chosen) {
        for (std::size_t last = from; last < links_.count; ++last) {
            const double inside = chosen.inside + to_chosen[last];
            const double reach = chosen.reach + links_.sum[last];
            if (worth_of(inside, reach, lambda_).score >= worth_.score)
                judge(with(chosen, to_chosen[last], last));
        }
    }

    void judge(const Chosen& whole) {
        const Worth worth = worth_of(whole.inside, whole.reach, lambda_);
        if (best_ != 0 && !worth.better_than(worth_)) return;
        best_ = whole.set;
        worth_ = worth;
    }

    const Links& links_;
    std::size_t wanted_;
    double lambda_;
    std::array<Row, kExactCandidates> to_chosen_{};
    std::uint32_t best_ = 0;
    Worth worth_{.score = std::numeric_limits<double>::lowest(), .inside = 0};
};

Worth worth_of(const Links& links, const std::vector<std::size_t>& set, double lambda) {
    double inside = 0, reach = 0;
    for (std::size_t i = 0; i < set.size(); ++i) {
        reach += links.sum[set[i]];
        for (std::size_t j = 0; j < i; ++j)
            inside += links.at(set[i], set[j]);
    }
    return worth_of(inside, reach, lambda);
}

bool contains(const std::vector<std::size_t>& set, std::size_t member) {
    return std::find(set.begin(), set.end(), member) != set.end();
}

std::vector<std::size_t> greedy(const Links& links, std::size_t wanted, double lambda) {
    std::vector<std::size_t> set;
    while (set.size() < wanted) {
        std::optional<std::size_t> best;
        Worth best_worth;
        for (std::size_t next = 0; next < links.count; ++next) {
            if (contains(set, next)) continue;
            set.push_back(next);
            const Worth worth = worth_of(links, set, lambda);
            set.pop_back();
            if (best && !worth.better_than(best_worth)) continue;
            best = next;
            best_worth = worth;
        }
        set.push_back(*best);
    }
    return set;
}

// Exchanges one member for one outsider as long as that helps; bounded, for each round is strictly better.
void swap_pairs(const Links& links, double lambda, std::vector<std::size_t>& set) {
    constexpr int kRounds = 64;
    for (int round = 0; round < kRounds; ++round) {
        auto best = set;
        Worth best_worth = worth_of(links, set, lambda);
        for (std::size_t i = 0; i < set.size(); ++i) {
            for (std::size_t other = 0; other < links.count; ++other) {
                if (contains(set, other)) continue;
                auto tried = set;
                tried[i] = other;
                const Worth worth = worth_of(links, tried, lambda);
                if (!worth.better_than(best_worth)) continue;
                best = std::move(tried);
                best_worth = worth;
            }
        }
        if (best == set) return;
        set = std::move(best);
    }
}

}  // namespace

std::vector<std::uint32_t> choose_by_links(const Choice& choice, std::span<const Candidate> candidates) {
    const Links links = links_of(choice, candidates);
    const std::size_t wanted = std::min<std::size_t>(choice.count, candidates.size());
    std::vector<std::size_t> set;
    if (candidates.size() <= kExactCandidates) {
        set = Exhaustive(links, wanted, choice.lambda).best();
    } else {
        set = greedy(links, wanted, choice.lambda);
        swap_pairs(links, choice.lambda, set);
    }
    std::vector<std::uint32_t> chosen;
    chosen.reserve(set.size());
    for (const std::size_t member : set)
        chosen.push_back(candidates[member].order);
    std::sort(chosen.begin(), chosen.end());
    return chosen;
}

}  // namespace berth::gpu
