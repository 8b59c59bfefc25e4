#include "hub/gpu_metrics.hpp"

#include "obs/metrics.hpp"

#include <map>

namespace berth::hub {
namespace {

obs::Family<obs::Gauge>& leases() {
    static auto& family = obs::gauge("berth_gpu_leases", "Live leases of GPUs by state");
    return family;
}
obs::Family<obs::Gauge>& allocated() {
    static auto& family = obs::gauge(
        "berth_gpu_allocated_ratio", "Places on GPUs that are leased, of those that may be given out");
    return family;
}
obs::Family<obs::Gauge>& queue_length() {
    static auto& family = obs::gauge("berth_gpu_queue_length", "Starts that wait for a GPU");
    return family;
}
obs::Family<obs::Gauge>& utilisation() {
    static auto& family = obs::gauge(
        "berth_gpu_utilization_ratio", "Share of time in which the GPU computed, as NVML reads it");
    return family;
}
obs::Family<obs::Gauge>& memory_used() {
    static auto& family = obs::gauge("berth_gpu_memory_used_bytes", "Memory of the GPU that is in use");
    return family;
}
obs::Family<obs::Gauge>& device_info() {
    static auto& family =
        obs::gauge("berth_gpu_device_info", "1 for each GPU, with its name and whether it may be given out");
    return family;
}
obs::Family<obs::Histogram>& queue_wait() {
    static auto& family = obs::histogram(
        "berth_gpu_queue_wait_seconds",
        "Time from asking for GPUs to having them",
        {1, 10, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 86400, 259200});
    return family;
}
obs::Family<obs::Counter>& reclaims() {
    static auto& family = obs::counter(
        "berth_gpu_idle_reclaims_total", "Servers stopped because somebody waited for their unused GPU");
    return family;
}

void show_devices(const gpu::Inventory& inventory) {
    for (const auto& device : inventory.devices()) {
        const obs::Labels labels{{"uuid", device.row.uuid.value}};
        for (const bool usable : {true, false}) {
            const obs::Labels info{
                {"uuid", device.row.uuid.value},
                {"name", device.row.name},
                {"eligible", usable ? "true" : "false"}};
            device_info().with(info).set(device.eligible() == usable ? 1 : 0);
        }
        if (!device.reading) continue;
        if (const auto load = device.reading->utilisation_percent)
            utilisation().with(labels).set(*load / 100.0);
        if (const auto used = device.reading->used_bytes)
            memory_used().with(labels).set(static_cast<double>(*used));
    }
}

}  // namespace

void show_gpu_metrics(const Context& context, const GpuQueue& queue) {
    using store::LeaseState;
    std::map<LeaseState, std::size_t> by_state;
    for (const auto& [id, row] : context.leases.all())
        ++by_state[row.state];
    for (const auto state :
         {LeaseState::reserved,
          LeaseState::bound,
          LeaseState::active,
          LeaseState::draining,
          LeaseState::lost})
        leases()
            .with({{"state", std::string(store::name_of(state))}})
            .set(static_cast<double>(by_state[state]));
    double places = 0;
    double taken = 0;
    for (const auto& view : context.leases.ledger().devices()) {
        if (!view.device.eligible) continue;
        places += view.device.capacity;
        taken += view.exclusively_held ? view.device.capacity : view.leases;
    }
    allocated().plain().set(places > 0 ? taken / places : 0);
    (void)reclaims().plain();  // 0 is an answer too
    (void)queue_wait().plain();
    queue_length().plain().set(static_cast<double>(queue.waiting()));
    show_devices(context.inventory);
}

void count_gpu_wait(double waited_seconds) {
    queue_wait().plain().observe(waited_seconds);
}

void count_gpu_reclaim() {
    reclaims().plain().add();
}

}  // namespace berth::hub
