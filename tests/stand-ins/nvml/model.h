/* The model behind the stand-in NVML: README.md has its format. */
#ifndef BERTH_STANDIN_MODEL_H
#define BERTH_STANDIN_MODEL_H

enum { kMaxNvLinks = 18, kSystemLevel = 50, kMaxGpus = 64, kMaxProcesses = 64, kMaxFaults = 64, kTextSize = 96 };

struct process {
    unsigned pid;
    unsigned long long bytes;
};

struct gpu {
    char uuid[kTextSize];
    char name[kTextSize];
    char pci[32];
    unsigned minor;
    unsigned long long memory;
    unsigned long long used;
    unsigned utilisation;
    unsigned temperature;
    unsigned power_mw;
    unsigned long long energy_mj; /* used by now, on top of what its power adds up to */
    unsigned nvlinks; /* active ones, from 0 up; where each leads: a GPU's index, or kMaxGpus for a switch */
    unsigned char nvlink[kMaxNvLinks];
    unsigned char level[kMaxGpus]; /* of the common ancestor with each GPU */
    unsigned processes;
    struct process process[kMaxProcesses];
};

struct fault {
    char call[kTextSize];
    int code;  /* answered, when above 0 */
    int index; /* -1: every GPU */
    int hangs;
    long hang_ms; /* 0: for ever */
};

struct model {
    char driver[80];
    int cuda;
    int missing; /* the file that was named is not there */
    unsigned stride;
    unsigned gpus;
    struct gpu gpu[kMaxGpus];
    unsigned faults;
    struct fault fault[kMaxFaults];
};

/* The model as it is now; the pointer stays valid, what it shows changes with the file. */
const struct model* model_now(void);

#endif
