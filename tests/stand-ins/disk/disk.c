// A disk and a clock that do as a test says (README.md), laid over the real ones of one process by LD_PRELOAD.
// Everything goes to the kernel by syscall(), so nothing here depends on what the C library is doing.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static pthread_mutex_t talking = PTHREAD_MUTEX_INITIALIZER;
static int judge = -1;  // the test, at the other end of a socket
static pid_t judge_of = 0;
static const long long* clock_offset = NULL;  // nanoseconds, in a page shared with the test

__attribute__((constructor)) static void find_clock(void) {
    const char* path = getenv("BERTH_CLOCK_FILE");
    if (path == NULL) return;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    void* page = mmap(NULL, sizeof *clock_offset, PROT_READ, MAP_SHARED, fd, 0);
    if (page != MAP_FAILED) clock_offset = page;
    close(fd);
}

static int connected_judge(void) {
    if (judge >= 0 && judge_of == getpid()) return judge;  // a forked child gets its own
    const char* path = getenv("BERTH_DISK_SOCKET");
    if (path == NULL) return -1;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof at.sun_path) return -1;
    memcpy(at.sun_path, path, strlen(path));
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (connect(fd, (const struct sockaddr*)&at, sizeof at) != 0) {
        close(fd);
        return -1;
    }
    judge = fd;
    judge_of = getpid();
    return fd;
}

// Which file of the database is it? 'w' its log, 'd' itself, 0 none of it.
static char kind_of(int fd) {
    char link[32];
    char path[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = '\0';
    const char* name = strrchr(path, '/');
    if (name == NULL) return 0;
    if (strcmp(name, "/berth.sqlite-wal") == 0) return 'w';
    if (strcmp(name, "/berth.sqlite") == 0) return 'd';
    return 0;
}

// Tells the test what is about to happen and does as it answers: 0 to go on, or the errno to fail with.
static int judged(char what, char kind) {
    if (getenv("BERTH_DISK_SOCKET") == NULL) return 0;
    int verdict = 0;
    pthread_mutex_lock(&talking);
    const int fd = connected_judge();
    const char question[2] = {what, kind};
    char answer = 'g';
    if (fd >= 0 && send(fd, question, 2, MSG_NOSIGNAL) == 2) {
        ssize_t got = 0;
        do {
            got = recv(fd, &answer, 1, 0);
        } while (got < 0 && errno == EINTR);
        if (got != 1) answer = 'g';  // the test has ended
    }
    if (answer == 'k') {
        raise(SIGKILL);
        for (;;) pause();
    }
    if (answer == 'n') verdict = ENOSPC;
    if (answer == 'e') verdict = EIO;
    pthread_mutex_unlock(&talking);
    return verdict;
}

static int refused_write(int fd) {
    const int kept = errno;
    const char kind = kind_of(fd);
    const int verdict = kind == 0 ? 0 : judged('w', kind);
    errno = verdict == 0 ? kept : verdict;
    return verdict;
}

EXPORT ssize_t write(int fd, const void* data, size_t size) {
    if (refused_write(fd)) return -1;
    return syscall(SYS_write, fd, data, size);
}

EXPORT ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
    if (refused_write(fd)) return -1;
    return syscall(SYS_pwrite64, fd, data, size, at);
}

EXPORT ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
    if (refused_write(fd)) return -1;
    return syscall(SYS_pwrite64, fd, data, size, at);
}

static int synced(int fd, long number) {
    const char kind = kind_of(fd);
    int verdict = kind == 0 ? 0 : judged('s', kind);
    if (verdict != 0) {
        errno = verdict;
        return -1;
    }
    const int result = (int)syscall(number, fd);
    const int kept = errno;
    if (kind != 0) verdict = judged('S', kind);
    errno = verdict != 0 ? verdict : kept;
    return verdict != 0 ? -1 : result;
}

EXPORT int fsync(int fd) { return synced(fd, SYS_fsync); }
EXPORT int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

static void shift(long long* seconds, long long* nanoseconds) {
    if (clock_offset == NULL) return;
    const long long offset = __atomic_load_n(clock_offset, __ATOMIC_RELAXED);
    *seconds += offset / 1000000000;
    *nanoseconds += offset % 1000000000;
    if (*nanoseconds >= 1000000000) {
        *nanoseconds -= 1000000000;
        ++*seconds;
    } else if (*nanoseconds < 0) {
        *nanoseconds += 1000000000;
        --*seconds;
    }
}

EXPORT int clock_gettime(clockid_t which, struct timespec* into) {
    const int result = (int)syscall(SYS_clock_gettime, which, into);
    if (result != 0 || (which != CLOCK_REALTIME && which != CLOCK_REALTIME_COARSE)) return result;
    long long seconds = into->tv_sec;
    long long nanoseconds = into->tv_nsec;
    shift(&seconds, &nanoseconds);
    into->tv_sec = (time_t)seconds;
    into->tv_nsec = (long)nanoseconds;
    return 0;
}

EXPORT int gettimeofday(struct timeval* restrict into, void* restrict zone) {
    (void)zone;
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    into->tv_sec = now.tv_sec;
    into->tv_usec = now.tv_nsec / 1000;
    return 0;
}

EXPORT time_t time(time_t* into) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return (time_t)-1;
    if (into != NULL) *into = now.tv_sec;
    return now.tv_sec;
}
