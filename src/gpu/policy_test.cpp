#include "gpu/policy.hpp"

#include "gpu/topology.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <random>
#include <set>

namespace berth::gpu {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

const Timestamp kNow(hours(24 * 365 * 50));
using Orders = std::vector<std::uint32_t>;

std::vector<Candidate> candidates(std::initializer_list<std::uint32_t> leases) {
    std::vector<Candidate> all;
    for (const auto each : leases)
        all.push_back({.order = static_cast<std::uint32_t>(all.size()), .leases = each});
    return all;
}

TEST(Policy, NamesGoBothWays) {
    for (const auto policy :
         {Policy::least_allocated,
          Policy::pack,
          Policy::spread,
          Policy::round_robin,
          Policy::lru,
          Policy::affinity,
          Policy::load,
          Policy::topology}) {
        EXPECT_EQ(policy_named(name_of(policy)), policy);
    }
    EXPECT_FALSE(policy_named("newest"));
}

TEST(Policy, LeastAllocatedAndPackAreOpposites) {
    const auto all = candidates({2, 1, 3, 1});
    EXPECT_EQ(choose({.policy = Policy::least_allocated, .count = 1}, all), Orders{1});
    EXPECT_EQ(choose({.policy = Policy::least_allocated, .count = 3}, all), (Orders{0, 1, 3}));
    EXPECT_EQ(choose({.policy = Policy::pack, .count = 1}, all), Orders{2});
    EXPECT_EQ(choose({.policy = Policy::pack, .count = 2}, all), (Orders{0, 2}));
}

TEST(Policy, SpreadLooksAtTheNeighboursFirst) {
    auto all = candidates({0, 1, 1, 0});
    for (auto& each : all)
        each.neighbours = each.order < 2 ? 3 : 1;
    EXPECT_EQ(choose({.policy = Policy::spread, .count = 1}, all), Orders{3});
}

// I15: any window of |C| single grants touches each device once.
TEST(Policy, RoundRobinTouchesEachOnce) {
    for (std::uint32_t size = 1; size <= 7; ++size) {
        std::vector<Candidate> all(size);
        for (std::uint32_t i = 0; i < size; ++i)
            all[i].order = i * 2 + 1;
        Choice choice{.policy = Policy::round_robin};
        Orders granted;
        for (int i = 0; i < 30; ++i) {
            const auto chosen = choose(choice, all);
            choice.cursor = cursor_after(choice.cursor, chosen);
            granted.push_back(chosen.at(0));
        }
        for (std::size_t from = 0; from + size <= granted.size(); ++from) {
            const auto begin = granted.begin() + static_cast<std::ptrdiff_t>(from);
            EXPECT_EQ(std::set<std::uint32_t>(begin, begin + size).size(), size);
        }
    }
}

TEST(Policy, LruTakesTheOneAtRestLongest) {
    auto all = candidates({0, 0, 0});
    all[0].last_release = kNow - hours(1);
    all[1].last_release = kNow - hours(5);
    EXPECT_EQ(choose({.policy = Policy::lru, .count = 1}, all), Orders{2});  // never used
    all[2].last_release = kNow - hours(2);
    EXPECT_EQ(choose({.policy = Policy::lru, .count = 1}, all), Orders{1});
}

TEST(Policy, AffinityLastsADay) {
    auto all = candidates({0, 0});
    all[0].last_release = kNow - hours(30);
    all[1].last_release = kNow - hours(23);
    all[1].last_used_by_asker = true;
    EXPECT_EQ(choose({.policy = Policy::affinity, .count = 1, .now = kNow}, all), Orders{1});
    EXPECT_EQ(choose({.policy = Policy::affinity, .count = 1, .now = kNow + hours(2)}, all), Orders{0});
}

TEST(Policy, LoadDoesNotSendACrowdToTheSameDevice) {
    auto all = candidates({1, 0, 0});
    all[0].load_percent = 9;
    all[1].load_percent = 15;
    all[2].load_percent = 18;
    Choice choice{.policy = Policy::load, .count = 1, .now = kNow};
    EXPECT_EQ(choose(choice, all), Orders{0});
    all[0].last_grant = kNow - seconds(59);
    EXPECT_EQ(choose(choice, all), Orders{1});
    all[1].memory_percent = 50;
    EXPECT_EQ(choose(choice, all), Orders{2});
    choice.now += seconds(1);
    EXPECT_EQ(choose(choice, all), Orders{0});
}

using Matrix = std::vector<std::vector<std::uint32_t>>;

std::uint32_t link_in(const void* links, std::uint32_t a, std::uint32_t b) {
    return (*static_cast<const Matrix*>(links))[a][b];
}

Matrix random_links(std::uint32_t size, std::mt19937& random) {
    constexpr std::array<std::uint32_t, 7> kWeights{10, 20, 30, 40, 50, 100, 200};
    Matrix matrix(size, std::vector<std::uint32_t>(size));
    for (std::uint32_t a = 0; a < size; ++a) {
        for (std::uint32_t b = 0; b < a; ++b)
            matrix[a][b] = matrix[b][a] = kWeights[random() % kWeights.size()];
    }
    return matrix;
}

// By the definition: inside − λ·cut over every subset, ties by inside and then by device order.
Orders brute_force(const Matrix& links, std::uint32_t size, std::uint32_t count, double lambda) {
    Orders best;
    double best_score = 0, best_inside = 0;
    for (std::uint32_t bits = 0; bits < (1U << size); ++bits) {
        if (static_cast<std::uint32_t>(std::popcount(bits)) != count) continue;
        double inside = 0, cut = 0;
        Orders set;
        for (std::uint32_t a = 0; a < size; ++a) {
            if (bits & (1U << a)) set.push_back(a);
            for (std::uint32_t b = 0; b < a; ++b) {
                const bool has_a = bits & (1U << a), has_b = bits & (1U << b);
                if (has_a && has_b) inside += links[a][b];
                if (has_a != has_b) cut += links[a][b];
            }
        }
        const double score = inside - lambda * cut;
        const auto better = std::tuple(score, inside) > std::tuple(best_score, best_inside);
        const auto equal = score == best_score && inside == best_inside;
        if (best.empty() || better || (equal && set < best)) {
            best = set;
            best_score = score;
            best_inside = inside;
        }
    }
    return best;
}

// I16.
TEST(Policy, TopologyEqualsBruteForce) {
    std::mt19937 random(7);
    for (std::uint32_t size = 2; size <= 10; ++size) {
        for (int round = 0; round < 12; ++round) {
            const Matrix links = random_links(size, random);
            std::vector<Candidate> all(size);
            for (std::uint32_t i = 0; i < size; ++i)
                all[i].order = i;
            for (std::uint32_t count = 1; count < size; ++count) {
                for (const double lambda : {0.0, 1.0, 4.0}) {
                    Choice choice{
                        .policy = Policy::topology,
                        .count = count,
                        .now = {},
                        .cursor = 0,
                        .link = link_in,
                        .links = &links,
                        .lambda = lambda};
                    EXPECT_EQ(choose(choice, all), brute_force(links, size, count, lambda));
                }
            }
        }
    }
}

TEST(Policy, TopologyTakesAPairWithoutBreakingOthers) {
    // Two pairs with bridges and a single one: one device alone takes the single one, two take a pair.
    Matrix links(5, std::vector<std::uint32_t>(5, 10));
    links[0][1] = links[1][0] = links[2][3] = links[3][2] = 100;
    std::vector<Candidate> all(5);
    for (std::uint32_t i = 0; i < 5; ++i)
        all[i].order = i;
    Choice choice{
        .policy = Policy::topology, .count = 1, .now = {}, .cursor = 0, .link = link_in, .links = &links};
    EXPECT_EQ(choose(choice, all), Orders{4});
    choice.count = 2;
    EXPECT_EQ(choose(choice, all), (Orders{0, 1}));
}

TEST(Policy, TopologyOfManyFindsABoardOfItsOwn) {
    // Six boards of four: greedy with swaps must not mix boards.
    Matrix links(24, std::vector<std::uint32_t>(24, 10));
    std::vector<Candidate> all(24);
    for (std::uint32_t a = 0; a < 24; ++a) {
        all[a].order = a;
        for (std::uint32_t b = 0; b < 24; ++b)
            if (a != b && a % 6 == b % 6) links[a][b] = 200;
    }
    const Choice choice{
        .policy = Policy::topology, .count = 4, .now = {}, .cursor = 0, .link = link_in, .links = &links};
    EXPECT_EQ(choose(choice, all), (Orders{0, 6, 12, 18}));
}

}  // namespace
}  // namespace berth::gpu
