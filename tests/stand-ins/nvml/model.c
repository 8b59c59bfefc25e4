#define _GNU_SOURCE
#include "model.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static struct model current;

/* A UUID that looks like one and is the same on every run: two rounds of FNV-1a over the GPU's number. */
static void default_uuid(unsigned number, char* out) {
    uint64_t half[2];
    for (unsigned round = 0; round < 2; ++round) {
        uint64_t hash = 14695981039346656037ULL;
        const char* text = "berth stand-in";
        for (const char* at = text; *at; ++at)
            hash = (hash ^ (uint64_t)(unsigned char)*at) * 1099511628211ULL;
        for (unsigned spread = 0; spread < 16; ++spread) {
            hash = (hash ^ (number * 2U + round + spread)) * 1099511628211ULL;
        }
        half[round] = hash;
    }
    snprintf(
        out,
        kTextSize,
        "GPU-%08x-%04x-%04x-%04x-%012llx",
        (unsigned)(half[0] >> 32),
        (unsigned)(half[0] >> 16) & 0xffff,
        (unsigned)half[0] & 0xffff,
        (unsigned)(half[1] >> 48),
        (unsigned long long)(half[1] & 0xffffffffffffULL));
}

static struct gpu* add_gpu(struct model* m) {
    if (m->gpus == kMaxGpus) return &m->gpu[kMaxGpus - 1];
    unsigned number = m->gpus++;
    struct gpu* g = &m->gpu[number];
    memset(g, 0, sizeof *g);
    default_uuid(number, g->uuid);
    snprintf(g->name, sizeof g->name, "NVIDIA H100 80GB HBM3");
    snprintf(g->pci, sizeof g->pci, "00000000:%02X:00.0", 0x10 + number);
    g->minor = number;
    g->memory = 81559ULL << 20;
    g->used = 0;
    g->temperature = 34;
    g->power_mw = 70000;
    memset(g->level, kSystemLevel, sizeof g->level);
    return g;
}

static void add_nvlinks(struct gpu* g, unsigned to, unsigned count) {
    while (count-- > 0 && g->nvlinks < kMaxNvLinks)
        g->nvlink[g->nvlinks++] = (unsigned char)to;
}

/* Of the whole machine; they follow the GPUs that they name. */
static void take_link_word(struct model* m, const char* word, const char* rest) {
    unsigned a = 0, b = 0, number = 0;
    if (!strcmp(word, "nvswitch") && sscanf(rest, "%u %u", &a, &number) == 2 && a < m->gpus)
        add_nvlinks(&m->gpu[a], kMaxGpus, number);
    const int pair = sscanf(rest, "%u %u %u", &a, &b, &number) == 3 && a < m->gpus && b < m->gpus && a != b;
    if (pair && !strcmp(word, "nvlink")) {
        add_nvlinks(&m->gpu[a], b, number);
        add_nvlinks(&m->gpu[b], a, number);
    }
    if (pair && !strcmp(word, "ancestor"))
        m->gpu[a].level[b] = m->gpu[b].level[a] = (unsigned char)number;
}

static void add_fault(struct model* m, const char* rest, int hangs) {
    if (m->faults == kMaxFaults) return;
    struct fault* f = &m->fault[m->faults];
    memset(f, 0, sizeof *f);
    long number = 0;
    f->index = -1;
    if (sscanf(rest, "%95s %ld %d", f->call, &number, &f->index) < 2) return;
    f->hangs = hangs;
    if (hangs) {
        f->hang_ms = number;
    } else {
        f->code = (int)number;
    }
    ++m->faults;
}

static void take_gpu_word(struct gpu* g, const char* word, const char* rest) {
    unsigned long long number = strtoull(rest, NULL, 10);
    if (!strcmp(word, "uuid")) snprintf(g->uuid, sizeof g->uuid, "%.90s", rest);
    if (!strcmp(word, "name")) snprintf(g->name, sizeof g->name, "%.90s", rest);
    if (!strcmp(word, "pci")) snprintf(g->pci, sizeof g->pci, "%.30s", rest);
    if (!strcmp(word, "minor")) g->minor = (unsigned)number;
    if (!strcmp(word, "memory_mib")) g->memory = number << 20;
    if (!strcmp(word, "used_mib")) g->used = number << 20;
    if (!strcmp(word, "utilisation")) g->utilisation = (unsigned)number;
    if (!strcmp(word, "temperature")) g->temperature = (unsigned)number;
    if (!strcmp(word, "power_mw")) g->power_mw = (unsigned)number;
    if (!strcmp(word, "energy_mj")) g->energy_mj = number;
    if (!strcmp(word, "process") && g->processes < kMaxProcesses) {
        unsigned pid = 0;
        unsigned long long mib = 0;
        if (sscanf(rest, "%u %llu", &pid, &mib) < 1) return;
        g->process[g->processes].pid = pid;
        g->process[g->processes++].bytes = mib << 20;
    }
}

static void take_line(struct model* m, struct gpu** gpu, char* line) {
    line[strcspn(line, "#\r\n")] = '\0';
    char word[32] = "";
    int used = 0;
    if (sscanf(line, " %31s %n", word, &used) < 1) return;
    char* rest = line + used;
    for (size_t length = strlen(rest); length > 0 && rest[length - 1] == ' '; --length)
        rest[length - 1] = '\0';
    if (!strcmp(word, "driver")) snprintf(m->driver, sizeof m->driver, "%.70s", rest);
    if (!strcmp(word, "cuda")) m->cuda = atoi(rest);
    if (!strcmp(word, "stride")) m->stride = (unsigned)atoi(rest);
    if (!strcmp(word, "error")) add_fault(m, rest, 0);
    if (!strcmp(word, "hang")) add_fault(m, rest, 1);
    if (!strcmp(word, "gpu")) *gpu = add_gpu(m);
    if (!strcmp(word, "gpus")) {
        for (int left = atoi(rest); left > 0; --left)
            *gpu = add_gpu(m);
    }
    take_link_word(m, word, rest);
    if (*gpu) take_gpu_word(*gpu, word, rest);
}

static void start(struct model* m) {
    memset(m, 0, sizeof *m);
    snprintf(m->driver, sizeof m->driver, "550.54.15");
    m->cuda = 12040;
    m->stride = 24;
}

static void read_model(struct model* m, const char* path) {
    start(m);
    FILE* file = fopen(path, "re");
    if (!file) {
        m->missing = 1;
        return;
    }
    char line[512];
    struct gpu* gpu = NULL;
    while (fgets(line, sizeof line, file))
        take_line(m, &gpu, line);
    fclose(file);
}

const struct model* model_now(void) {
    static struct timespec seen;
    static off_t size = -1;
    static int ready = 0;
    const char* path = getenv("BERTH_NVML_MODEL");
    if (!path || !*path) {
        if (!ready) {
            start(&current);
            add_gpu(&current);
            add_gpu(&current);
            ready = 1;
        }
        return &current;
    }
    struct stat now;
    if (stat(path, &now) != 0) {
        start(&current);
        current.missing = 1;
        ready = 0;
        return &current;
    }
    if (!ready || now.st_mtim.tv_sec != seen.tv_sec || now.st_mtim.tv_nsec != seen.tv_nsec ||
        now.st_size != size) {
        read_model(&current, path);
        seen = now.st_mtim;
        size = now.st_size;
        ready = 1;
    }
    return &current;
}
