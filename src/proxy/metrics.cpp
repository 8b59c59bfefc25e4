#include "proxy/metrics.hpp"

#include "obs/metrics.hpp"

#include <array>
#include <atomic>
#include <string>

namespace berth::proxy {
namespace {

// One counter a status, found without a lock once it has been used.
class ByStatus {
public:
    ByStatus(const char* name, const char* help) : family_(obs::counter(name, help)) {}

    void count(unsigned status) {
        if (status >= known_.size()) return;
        auto* counter = known_[status].load(std::memory_order_acquire);
        if (counter == nullptr) {
            counter = &family_.with({{"status", std::to_string(status)}});
            known_[status].store(counter, std::memory_order_release);
        }
        counter->add();
    }

private:
    obs::Family<obs::Counter>& family_;
    std::array<std::atomic<obs::Counter*>, 600> known_{};
};

obs::Counter& refused_connections() {
    static auto& counter = obs::counter(
                               "berth_connections_refused_total",
                               "Connections closed at once because their address had as many as it may")
                               .plain();
    return counter;
}

obs::Gauge& open_connections(Side side) {
    static auto& family = obs::gauge(
        "berth_connections_open", "Connections open now: of clients, and to targets with the idle ones");
    static auto& clients = family.with({{"side", "client"}});
    static auto& targets = family.with({{"side", "target"}});
    return side == Side::client ? clients : targets;
}

}  // namespace

void count_web_request() {
    static auto& counter = obs::counter("requests_web", "Requests that were no upgrade").plain();
    counter.add();
}

void count_refused_connection() {
    refused_connections().add();
}

void declare_metrics() {
    (void)refused_connections();
    (void)open_connections(Side::client);
}

void count_open(Side side, int change) {
    open_connections(side).add(change);
}

void count_websocket() {
    static auto& counter = obs::counter("requests_ws", "Requests to open a WebSocket").plain();
    counter.add();
}

void count_answer(unsigned status) {
    static ByStatus counters("requests_proxy", "Answers to clients");
    counters.count(status);
}

void count_edge_answer(unsigned status) {
    static ByStatus counters("berth_edge_answers_total", "Answers from the files of an image");
    counters.count(status);
}

void count_api_answer(unsigned status) {
    static ByStatus counters("requests_api", "Answers of the REST API");
    counters.count(status);
}

void count_route_call(RouteCall call) {
    static auto& gets = obs::counter("api_route_get", "Times that one route or all were asked for").plain();
    static auto& adds = obs::counter("api_route_add", "Routes added or replaced").plain();
    static auto& removals = obs::counter("api_route_delete", "Routes deleted").plain();
    switch (call) {
        case RouteCall::get:
            return gets.add();
        case RouteCall::add:
            return adds.add();
        case RouteCall::remove:
            return removals.add();
    }
}

}  // namespace berth::proxy
