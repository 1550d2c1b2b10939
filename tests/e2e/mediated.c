/* SPDX-License-Identifier: MIT */
/*
 * mediated: runs a program on a clock made by hand, without a service.
 *
 *     mediated SHIM TDF [-t] [-a] [-o] [-c MS:TDF]... PROGRAM ARGUMENTS...
 *
 * -t: rdtsc is dilated, too. -a: a slower rate is announced, and comes when the programs are ready.
 * -o: the session is of another version. -c: so many real milliseconds later (after the one before)
 * the rate becomes TDF, 0 for a pause. The program's exit code; 128 and its signal's number if one
 * has ended it.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "ring/barrier.h"
#include "ring/futex.h"
#include "run/mediate.h"
#include "run/mediate_hold.h"
#include "run/mediate_private.h"
#include "tdf/clock.h"

extern char **environ;

#define PATIENCE_NS (UINT64_C(30) * 1000000000)

enum { CHANGES_MAX = 4096, TICK_NS = 200000, IDLE_TICK_NS = 5000000 };

struct change {
    uint64_t at_ns;
    struct tdf tdf;
};

static struct tdf parse(const char *text)
{
    struct tdf tdf;

    if (tdf_parse(text, &tdf) < 0)
        errx(2, "no TDF: %s", text);
    return tdf;
}

struct dom0 {
    struct tdf_clock clock;
    uint32_t ready; /* atomic: a version, | 1 */
};

static void ready(void *ctx, uint32_t version)
{
    struct dom0 *dom0 = ctx;

    store_full_u32(&dom0->ready, version | 1);
}

static void wake(struct dom0 *dom0)
{
    futex_wake(&dom0->clock.shared->vcpu_info[0].time.version, 16, FUTEX_SCOPE_SHARED);
}

/* As Dom0 does, but with more patience. */
static void announce(struct dom0 *dom0, struct tdf tdf)
{
    const struct timespec nap = clock_timespec(20000);
    const uint64_t end_ns = clock_monotonic_ns() + PATIENCE_NS;
    uint64_t again_ns = 0, now_ns;

    if (load_full_u32(&dom0->ready) == 0)
        return;
    do {
        now_ns = clock_monotonic_ns();
        if (now_ns > end_ns)
            errx(3, "nobody is ready for a slower rate");
        if (now_ns > again_ns) { /* the programs may have given up, on a machine that is busy */
            if (tdf_clock_announce(&dom0->clock, tdf) < 0)
                return;
            wake(dom0);
            again_ns = now_ns + 2 * (uint64_t)MEDIATE_HOLD_NS;
        }
        clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
    } while (load_full_u32(&dom0->ready) != (dom0->clock.time.version | 1));
}

static int wait_for(pid_t pid, struct dom0 *dom0, struct mediate *m, const struct change *changes,
                    int count)
{
    uint64_t start_ns = clock_monotonic_ns(), anchored_ns = start_ns;
    int status, done = 0;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        struct timespec tick = clock_timespec(done < count ? TICK_NS : IDLE_TICK_NS);
        uint64_t now_ns = clock_monotonic_ns();
        if (done < count && now_ns - start_ns >= changes[done].at_ns) {
            announce(dom0, changes[done].tdf);
            tdf_clock_set_tdf(&dom0->clock, changes[done].tdf);
            wake(dom0);
            mediate_changed(m, changes[done++].tdf);
        } else if (now_ns - anchored_ns > TDF_REANCHOR_NS / 2) {
            tdf_clock_reanchor(&dom0->clock);
            anchored_ns = now_ns;
        }
        clock_nanosleep(CLOCK_MONOTONIC, 0, &tick, NULL);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char *argv[])
{
    static struct change changes[CHANGES_MAX];
    static struct tdf_source source;
    static struct dom0 dom0;
    struct mediate_why why;
    struct mediate *m;
    int at = 3, count = 0;
    uint64_t at_ns = 0;

    if (argc < 4)
        errx(2, "usage: mediated SHIM TDF [-t] [-a] [-o] [-c MS:TDF]... PROGRAM ARGUMENTS...");
    bool tsc = at < argc && strcmp(argv[at], "-t") == 0;
    at += tsc;
    bool announces = at < argc && strcmp(argv[at], "-a") == 0;
    at += announces;
    bool other = at < argc && strcmp(argv[at], "-o") == 0;
    at += other;
    for (; at + 1 < argc && strcmp(argv[at], "-c") == 0 && count < CHANGES_MAX; at += 2) {
        char *colon = strchr(argv[at + 1], ':');
        if (colon == NULL)
            errx(2, "no change: %s", argv[at + 1]);
        at_ns += strtoull(argv[at + 1], NULL, 10) * 1000000;
        changes[count++] = (struct change){.at_ns = at_ns, .tdf = parse(colon + 1)};
    }
    if (at == argc)
        errx(2, "no program");
    int fd = memfd_create("clock", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, 4096) < 0)
        err(1, "clock");
    struct shared_info *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        err(1, "clock");
    struct tdf tdf = parse(argv[2]);
    tdf_source_real(&source);
    if (tdf_clock_init(&dom0.clock, &source, page, 2, tdf) < 0)
        errx(1, "no clock");
    struct mediate_config config = {.clock_fd = fd,
                                    .shim_path = argv[1],
                                    .tdf = tdf,
                                    .tsc = tsc,
                                    .ready = announces ? ready : NULL,
                                    .ctx = &dom0};
    if (mediate_prepare(&config, &m, &why) < 0)
        errx(1, "%s", why.text);
    if (other)
        m->session->magic += sizeof(uint64_t);
    pid_t pid = fork();
    if (pid == 0)
        _exit(mediate_exec(m, argv[at], &argv[at], environ));
    if (announces && mediate_watch(m) < 0)
        errx(1, "no thread");
    int code = pid < 0 ? 1 : wait_for(pid, &dom0, m, changes, count);
    mediate_close(m);
    return code;
}
