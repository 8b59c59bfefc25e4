/* The exported calls. Layouts are NVML's, written down anew and checked here, so that a mistake in Berth's
   own (src/gpu/nvml_abi.hpp) shows. Not thread-safe: the agent has one thread. */
#define _GNU_SOURCE
#include "model.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))

typedef void* device_t;
enum {
    kOk = 0,
    kUninitialised = 1,
    kInvalid = 2,
    kNotSupported = 3,
    kNotFound = 6,
    kTooSmall = 7,
    kNoDriver = 9,
    kStructVersion = 25
};

struct pci_info {
    char legacy[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char bus_id[32];
};
_Static_assert(sizeof(struct pci_info) == 68 && offsetof(struct pci_info, bus_id) == 36, "nvmlPciInfo_t");
struct utilisation {
    unsigned gpu, memory;
};
struct memory {
    unsigned long long total, free, used;
};
_Static_assert(sizeof(struct memory) == 24, "nvmlMemory_t");
struct memory_v2 {
    unsigned version;
    unsigned long long total, reserved, free, used;
};
_Static_assert(sizeof(struct memory_v2) == 40 && offsetof(struct memory_v2, total) == 8, "nvmlMemory_v2_t");

static int initialised;

static void wait_out(const struct fault* f) {
    struct timespec slice = {f->hang_ms == 0 ? 3600 : f->hang_ms / 1000, (f->hang_ms % 1000) * 1000000L};
    do {
        nanosleep(&slice, NULL);
    } while (f->hang_ms == 0);
}

/* What the model makes of this call: 0 to go on, else the code to answer. May hang. */
static int fault_of(const char* call, int index) {
    const struct model* m = model_now();
    for (unsigned i = 0; i < m->faults; ++i) {
        const struct fault* f = &m->fault[i];
        if (strcmp(f->call, call) != 0 || (f->index >= 0 && f->index != index)) continue;
        if (f->hangs) wait_out(f);
        if (f->code > 0) return f->code;
    }
    return kOk;
}

static int call_without_device(const char* call) {
    if (!initialised) return kUninitialised;
    return fault_of(call, -1);
}

/* Handles are the index plus one: they stay valid when the model is read again, and one that fell out is lost
 * (15). */
static int call_with_device(const char* call, device_t handle, const struct gpu** gpu) {
    if (!initialised) return kUninitialised;
    uintptr_t number = (uintptr_t)handle;
    if (number == 0 || number > kMaxGpus) return kInvalid;
    const struct model* m = model_now();
    int code = fault_of(call, (int)number - 1);
    if (code != kOk) return code;
    if (number > m->gpus) return 15;
    *gpu = &m->gpu[number - 1];
    return kOk;
}

static int put_text(char* out, unsigned size, const char* text) {
    if (!out) return kInvalid;
    if (strlen(text) + 1 > size) return kTooSmall;
    memcpy(out, text, strlen(text) + 1);
    return kOk;
}

EXPORT const char* nvmlErrorString(int code) {
    switch (code) {
        case 0:
            return "Success";
        case 1:
            return "Uninitialized";
        case 2:
            return "Invalid Argument";
        case 3:
            return "Not Supported";
        case 4:
            return "Insufficient Permissions";
        case 6:
            return "Not Found";
        case 7:
            return "Insufficient Size";
        case 9:
            return "Driver Not Loaded";
        case 10:
            return "Timeout";
        case 14:
            return "Corrupted infoROM";
        case 15:
            return "GPU is lost";
        case 16:
            return "GPU requires reset";
        case 17:
            return "The operating system has blocked the request";
        case 18:
            return "Driver/library version mismatch";
        case 25:
            return "Argument version mismatch";
        default:
            return "Unknown Error";
    }
}

static int initialise(void) {
    int code = fault_of("nvmlInit", -1);
    if (code != kOk) return code;
    if (model_now()->missing) return kNoDriver;
    ++initialised;
    return kOk;
}

#ifndef STANDIN_HOLLOW
EXPORT int nvmlInit_v2(void) {
    return initialise();
}
EXPORT int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    return initialise();
}
#else
EXPORT int nvmlInit(void) {
    return initialise();
}
#endif

EXPORT int nvmlShutdown(void) {
    if (!initialised) return kUninitialised;
    --initialised;
    return kOk;
}

EXPORT int nvmlSystemGetDriverVersion(char* out, unsigned size) {
    int code = call_without_device("nvmlSystemGetDriverVersion");
    return code != kOk ? code : put_text(out, size, model_now()->driver);
}

EXPORT int nvmlSystemGetNVMLVersion(char* out, unsigned size) {
    char text[96];
    snprintf(text, sizeof text, "12.%s", model_now()->driver);
    int code = call_without_device("nvmlSystemGetNVMLVersion");
    return code != kOk ? code : put_text(out, size, text);
}

EXPORT int nvmlSystemGetCudaDriverVersion_v2(int* out) {
    int code = call_without_device("nvmlSystemGetCudaDriverVersion_v2");
    if (code == kOk) *out = model_now()->cuda;
    return code;
}

EXPORT int nvmlDeviceGetCount_v2(unsigned* out) {
    int code = call_without_device("nvmlDeviceGetCount_v2");
    if (code == kOk) *out = model_now()->gpus;
    return code;
}

EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, device_t* out) {
    if (!initialised) return kUninitialised;
    int code = fault_of("nvmlDeviceGetHandleByIndex_v2", (int)index);
    if (code != kOk) return code;
    if (index >= model_now()->gpus) return kInvalid;
    *out = (device_t)(uintptr_t)(index + 1);
    return kOk;
}

EXPORT int nvmlDeviceGetHandleByUUID(const char* uuid, device_t* out) {
    int code = call_without_device("nvmlDeviceGetHandleByUUID");
    if (code != kOk) return code;
    const struct model* m = model_now();
    for (unsigned i = 0; i < m->gpus; ++i) {
        if (strcmp(m->gpu[i].uuid, uuid) == 0) return nvmlDeviceGetHandleByIndex_v2(i, out);
    }
    return kNotFound;
}

EXPORT int nvmlDeviceGetHandleByPciBusId_v2(const char* bus_id, device_t* out) {
    int code = call_without_device("nvmlDeviceGetHandleByPciBusId_v2");
    if (code != kOk) return code;
    const struct model* m = model_now();
    for (unsigned i = 0; i < m->gpus; ++i) {
        if (strcmp(m->gpu[i].pci, bus_id) == 0) return nvmlDeviceGetHandleByIndex_v2(i, out);
    }
    return kNotFound;
}

EXPORT int nvmlDeviceGetUUID(device_t device, char* out, unsigned size) {
    const struct gpu* g = NULL;
    int code = call_with_device("nvmlDeviceGetUUID", device, &g);
    return code != kOk ? code : put_text(out, size, g->uuid);
}

EXPORT int nvmlDeviceGetName(device_t device, char* out, unsigned size) {
    const struct gpu* g = NULL;
    int code = call_with_device("nvmlDeviceGetName", device, &g);
    return code != kOk ? code : put_text(out, size, g->name);
}

#define GETTER(function, field)                             \
    EXPORT int function(device_t device, unsigned* out) {   \
        const struct gpu* g = NULL;                         \
        int code = call_with_device(#function, device, &g); \
        if (code == kOk) *out = field;                      \
        return code;                                        \
    }
GETTER(nvmlDeviceGetMinorNumber, g->minor)
GETTER(nvmlDeviceGetIndex, (unsigned)((uintptr_t)device - 1))
GETTER(nvmlDeviceGetPowerUsage, g->power_mw)

/* What the GPU's power added up to since it was asked for the first time: it only grows, as NVML's does. */
EXPORT int nvmlDeviceGetTotalEnergyConsumption(device_t device, unsigned long long* out) {
    static double used_mj[kMaxGpus];
    static struct timespec seen[kMaxGpus];
    const struct gpu* g = NULL;
    int code = call_with_device("nvmlDeviceGetTotalEnergyConsumption", device, &g);
    if (code != kOk) return code;
    const unsigned index = (unsigned)((uintptr_t)device - 1);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (seen[index].tv_sec != 0) {
        const double passed =
            (double)(now.tv_sec - seen[index].tv_sec) + (double)(now.tv_nsec - seen[index].tv_nsec) / 1e9;
        used_mj[index] += passed * g->power_mw;
    }
    seen[index] = now;
    *out = g->energy_mj + (unsigned long long)used_mj[index];
    return kOk;
}

EXPORT int nvmlDeviceGetTemperature(device_t device, int sensor, unsigned* out) {
    const struct gpu* g = NULL;
    int code = call_with_device("nvmlDeviceGetTemperature", device, &g);
    if (code != kOk) return code;
    if (sensor != 0) return kInvalid;
    *out = g->temperature;
    return kOk;
}

EXPORT int nvmlDeviceGetUtilizationRates(device_t device, struct utilisation* out) {
    const struct gpu* g = NULL;
    int code = call_with_device("nvmlDeviceGetUtilizationRates", device, &g);
    if (code != kOk) return code;
    out->gpu = g->utilisation;
    out->memory = g->utilisation / 2;
    return kOk;
}

EXPORT int nvmlDeviceGetMemoryInfo(device_t device, struct memory* out) {
    const struct gpu* g = NULL;
    int code = call_with_device("nvmlDeviceGetMemoryInfo", device, &g);
    if (code != kOk) return code;
    *out = (struct memory){g->memory, g->memory - g->used, g->used};
    return kOk;
}

static int no_mig(const char* call, device_t device) {
    const struct gpu* g = NULL;
    int code = call_with_device(call, device, &g);
    return code != kOk ? code : kNotSupported;
}

EXPORT int nvmlDeviceGetMigMode(device_t device, unsigned* now, unsigned* pending) {
    (void)now, (void)pending;
    return no_mig("nvmlDeviceGetMigMode", device);
}

EXPORT int nvmlDeviceGetCudaComputeCapability(device_t device, int* major, int* minor) {
    const struct gpu* g = NULL;
    int code = call_with_device("nvmlDeviceGetCudaComputeCapability", device, &g);
    if (code != kOk) return code;
    *major = 9;
    *minor = 0;
    return kOk;
}

EXPORT int nvmlDeviceGetPciInfo_v3(device_t device, struct pci_info* out) {
    const struct gpu* g = NULL;
    int code = call_with_device("nvmlDeviceGetPciInfo_v3", device, &g);
    if (code != kOk) return code;
    memset(out, 0, sizeof *out);
    sscanf(g->pci, "%x:%x:%x", &out->domain, &out->bus, &out->device);
    snprintf(out->bus_id, sizeof out->bus_id, "%.31s", g->pci);
    snprintf(out->legacy, sizeof out->legacy, "%.15s", g->pci + 4);
    out->device_id = 0x233010DE;
    return kOk;
}

/* "level": 0 internal, 10 one switch, 20 several, 30 host bridge, 40 NUMA node, 50 system. */
EXPORT int nvmlDeviceGetTopologyCommonAncestor(device_t device, device_t other, unsigned* out) {
    const struct gpu* g = NULL;
    const struct gpu* o = NULL;
    int code = call_with_device("nvmlDeviceGetTopologyCommonAncestor", device, &g);
    if (code == kOk) code = call_with_device("nvmlDeviceGetTopologyCommonAncestor", other, &o);
    if (code == kOk) *out = g == o ? 0 : g->level[o - model_now()->gpu];
    return code;
}

static int call_with_link(const char* call, device_t device, unsigned link, const struct gpu** gpu) {
    int code = call_with_device(call, device, gpu);
    if (code != kOk) return code;
    if ((*gpu)->nvlinks == 0) return kNotSupported;
    return link >= kMaxNvLinks ? kInvalid : kOk;
}

EXPORT int nvmlDeviceGetNvLinkState(device_t device, unsigned link, unsigned* active) {
    const struct gpu* g = NULL;
    int code = call_with_link("nvmlDeviceGetNvLinkState", device, link, &g);
    if (code == kOk) *active = link < g->nvlinks;
    return code;
}

EXPORT int nvmlDeviceGetNvLinkRemotePciInfo_v2(device_t device, unsigned link, struct pci_info* out) {
    const struct gpu* g = NULL;
    int code = call_with_link("nvmlDeviceGetNvLinkRemotePciInfo_v2", device, link, &g);
    if (code != kOk) return code;
    if (link >= g->nvlinks) return kInvalid;
    memset(out, 0, sizeof *out);
    snprintf(out->bus_id, sizeof out->bus_id, "00000000:FF:00.0"); /* a switch */
    if (g->nvlink[link] < kMaxGpus)
        snprintf(out->bus_id, sizeof out->bus_id, "%.31s", model_now()->gpu[g->nvlink[link]].pci);
    sscanf(out->bus_id, "%x:%x:%x", &out->domain, &out->bus, &out->device);
    return kOk;
}

#ifndef STANDIN_R450
EXPORT int nvmlDeviceGetNvLinkRemoteDeviceType(device_t device, unsigned link, unsigned* out) {
    const struct gpu* g = NULL;
    int code = call_with_link("nvmlDeviceGetNvLinkRemoteDeviceType", device, link, &g);
    if (code != kOk) return code;
    if (link >= g->nvlinks) return kInvalid;
    *out = g->nvlink[link] < kMaxGpus ? 0 : 2;
    return kOk;
}
#endif

/* Writes entries of the model's stride: pid, memory, instances (24 bytes and more), protected memory (32). */
static int put_processes(const char* call, device_t device, unsigned* count, void* out, unsigned stride) {
    const struct gpu* g = NULL;
    int code = call_with_device(call, device, &g);
    if (code != kOk) return code;
    if (!count) return kInvalid;
    const unsigned room = *count;
    *count = g->processes;
    if (g->processes == 0) return kOk;
    if (room < g->processes || !out) return kTooSmall;
    const unsigned no_instance = 0xFFFFFFFF;
    const unsigned long long nothing = 0;
    for (unsigned i = 0; i < g->processes; ++i) {
        char* entry = (char*)out + (size_t)i * stride;
        memset(entry, 0, stride);
        memcpy(entry, &g->process[i].pid, sizeof(unsigned));
        memcpy(entry + 8, &g->process[i].bytes, sizeof(unsigned long long));
        if (stride < 24) continue;
        memcpy(entry + 16, &no_instance, sizeof no_instance);
        memcpy(entry + 20, &no_instance, sizeof no_instance);
        if (stride >= 32) memcpy(entry + 24, &nothing, sizeof nothing);
    }
    return kOk;
}

EXPORT int nvmlDeviceGetComputeRunningProcesses_v2(device_t device, unsigned* count, void* out) {
    return put_processes("nvmlDeviceGetComputeRunningProcesses_v2", device, count, out, 24);
}

#ifndef STANDIN_R450
EXPORT int nvmlDeviceGetComputeRunningProcesses_v3(device_t device, unsigned* count, void* out) {
    return put_processes("nvmlDeviceGetComputeRunningProcesses_v3", device, count, out, model_now()->stride);
}

EXPORT int nvmlDeviceGetGraphicsRunningProcesses_v3(device_t device, unsigned* count, void* out) {
    (void)out;
    const struct gpu* g = NULL;
    int code = call_with_device("nvmlDeviceGetGraphicsRunningProcesses_v3", device, &g);
    if (code == kOk) *count = 0;
    return code;
}

EXPORT int nvmlDeviceGetMemoryInfo_v2(device_t device, struct memory_v2* out) {
    const struct gpu* g = NULL;
    int code = call_with_device("nvmlDeviceGetMemoryInfo_v2", device, &g);
    if (code != kOk) return code;
    if (out->version != 0x02000028) return kStructVersion;
    const unsigned long long reserved = 512ULL << 20;
    *out = (struct memory_v2){out->version, g->memory, reserved, g->memory - g->used - reserved, g->used};
    return kOk;
}
#endif
