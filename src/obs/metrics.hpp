// Counters, gauges and histograms, shown at /hub/metrics in Prometheus' text format. A room declares its
// families in one file of its own (room/metrics.cpp) with a help sentence; names are
// berth_<noun>_<unit>[_total], seconds and bytes; labels have few values and never user names. Families live
// as long as the process; thread-safe. `with()` looks a label set up under a lock: on a hot path keep the
// reference it returns.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace berth::obs {

using Labels = std::map<std::string, std::string>;

class Counter {
public:
    virtual ~Counter() = default;
    virtual void add(double amount = 1) = 0;
    virtual double value() const = 0;
};

class Gauge {
public:
    virtual ~Gauge() = default;
    virtual void set(double value) = 0;
    virtual void add(double amount) = 0;
    virtual double value() const = 0;
};

class Histogram {
public:
    virtual ~Histogram() = default;
    virtual void observe(double value) = 0;
};

template <class Metric>
class Family {
public:
    virtual ~Family() = default;
    virtual Metric& with(const Labels& labels) = 0;
    Metric& plain() { return with({}); }
};

// Made once for each name (a second call with the same name answers the same family).
Family<Counter>& counter(const std::string& name, const std::string& help);
Family<Gauge>& gauge(const std::string& name, const std::string& help);
Family<Histogram>& histogram(
    const std::string& name, const std::string& help, std::vector<double> upper_bounds);

// What a histogram of durations observes.
inline double seconds_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Bounds for answers to requests, 5 ms to 10 s: those of Prometheus' own clients.
std::vector<double> request_bounds();

// Text exposition format 0.0.4 of everything.
std::string render();

}  // namespace berth::obs
