#include "obs/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <memory>
#include <mutex>
#include <sstream>

namespace berth::obs {
namespace {

class CounterOver final : public Counter {
public:
    explicit CounterOver(prometheus::Counter& counter) : counter_(counter) {}
    void add(double amount) override { counter_.Increment(amount); }
    double value() const override { return counter_.Value(); }

private:
    prometheus::Counter& counter_;
};

class GaugeOver final : public Gauge {
public:
    explicit GaugeOver(prometheus::Gauge& gauge) : gauge_(gauge) {}
    void set(double value) override { gauge_.Set(value); }
    void add(double amount) override { gauge_.Increment(amount); }
    double value() const override { return gauge_.Value(); }

private:
    prometheus::Gauge& gauge_;
};

class HistogramOver final : public Histogram {
public:
    explicit HistogramOver(prometheus::Histogram& histogram) : histogram_(histogram) {}
    void observe(double value) override { histogram_.Observe(value); }

private:
    prometheus::Histogram& histogram_;
};

// Guards `metrics_`; `make` asks prometheus for the metric of a label set that was not seen before.
template <class Metric, class Over, class Make>
class FamilyOver final : public Family<Metric> {
public:
    explicit FamilyOver(Make make) : make_(std::move(make)) {}
    Metric& with(const Labels& labels) override {
        const std::lock_guard lock(mutex_);
        auto& metric = metrics_[labels];
        if (!metric) metric = std::make_unique<Over>(make_(labels));
        return *metric;
    }

private:
    Make make_;
    std::mutex mutex_;
    std::map<Labels, std::unique_ptr<Metric>> metrics_;
};

// Everything there is. `mutex` guards the maps.
struct All {
    std::mutex mutex;
    prometheus::Registry registry;
    std::map<std::string, std::unique_ptr<Family<Counter>>> counters;
    std::map<std::string, std::unique_ptr<Family<Gauge>>> gauges;
    std::map<std::string, std::unique_ptr<Family<Histogram>>> histograms;
};
All& all() {
    static All instance;
    return instance;
}

template <class Metric, class Over, class Make>
Family<Metric>& family(
    std::map<std::string, std::unique_ptr<Family<Metric>>>& families, const std::string& name, Make make) {
    const std::lock_guard lock(all().mutex);
    auto& slot = families[name];
    if (!slot) slot = std::make_unique<FamilyOver<Metric, Over, decltype(make())>>(make());
    return *slot;
}

}  // namespace

Family<Counter>& counter(const std::string& name, const std::string& help) {
    return family<Counter, CounterOver>(all().counters, name, [&] {
        auto& built = prometheus::BuildCounter().Name(name).Help(help).Register(all().registry);
        return [&built](const Labels& labels) -> prometheus::Counter& { return built.Add(labels); };
    });
}

Family<Gauge>& gauge(const std::string& name, const std::string& help) {
    return family<Gauge, GaugeOver>(all().gauges, name, [&] {
        auto& built = prometheus::BuildGauge().Name(name).Help(help).Register(all().registry);
        return [&built](const Labels& labels) -> prometheus::Gauge& { return built.Add(labels); };
    });
}

Family<Histogram>& histogram(
    const std::string& name, const std::string& help, std::vector<double> upper_bounds) {
    return family<Histogram, HistogramOver>(all().histograms, name, [&] {
        auto& built = prometheus::BuildHistogram().Name(name).Help(help).Register(all().registry);
        return [&built, upper_bounds](const Labels& labels) -> prometheus::Histogram& {
            return built.Add(labels, upper_bounds);
        };
    });
}

std::vector<double> request_bounds() {
    return {.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10};
}

std::string render() {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, all().registry.Collect());
    return out.str();
}

}  // namespace berth::obs
