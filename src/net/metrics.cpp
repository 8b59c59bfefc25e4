#include "net/metrics.hpp"

#include "obs/metrics.hpp"

namespace berth::net {
namespace {

obs::Counter& accept_pauses() {
    static auto& counter = obs::counter(
                               "berth_accept_pauses_total",
                               "Times that a listener paused because descriptors or memory had run out")
                               .plain();
    return counter;
}

}  // namespace

void declare_metrics() {
    (void)accept_pauses();
}

void count_accept_pause() {
    accept_pauses().add();
}

}  // namespace berth::net
