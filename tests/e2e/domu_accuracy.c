/* SPDX-License-Identifier: MIT */
/*
 * domu_accuracy TDF SECONDS -- COMMAND...: how exact the clock is that programs under COMMAND read
 * (domu run --tdf TDF --). The TSC, which is not dilated there, is what all compare with.
 *
 *   skew    two processes of the domain: what one shows beyond the other at one TSC value
 *   drift   what the domain's clock, times TDF, gains on CLOCK_MONOTONIC over SECONDS
 *
 * Prints both. Exit 77: the kernel does not keep its time by the TSC.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { READERS = 3, INSIDE = 2, SAMPLES = 4000, LOOKS = 40 };

struct sample {
    double tsc, ns; /* exact to 2^53: a month of ticks */
};

/* Shared with what runs in the domain. */
struct board {
    int stop;
    int counts[READERS]; /* two inside, one outside */
    struct sample samples[READERS][SAMPLES];
    unsigned long long tsc_zero;
};

static struct board *board;

static unsigned long long tsc(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return 0;
#endif
}

/* The reading that took the shortest. */
static struct sample look(void)
{
    struct sample best = {0, 0};
    unsigned long long shortest = UINT64_MAX;
    for (int i = 0; i < LOOKS; i++) {
        struct timespec at;
        unsigned long long from = tsc();
        clock_gettime(CLOCK_MONOTONIC, &at);
        unsigned long long to = tsc();
        if (to - from >= shortest)
            continue;
        shortest = to - from;
        best.tsc = (double)(from - board->tsc_zero) + (double)(to - from) / 2;
        best.ns = (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
    }
    return best;
}

static void read_on(int reader, useconds_t pause_us)
{
    while (!__atomic_load_n(&board->stop, __ATOMIC_ACQUIRE)) {
        int count = board->counts[reader];
        if (count < SAMPLES) {
            board->samples[reader][count] = look();
            __atomic_store_n(&board->counts[reader], count + 1, __ATOMIC_RELEASE);
        }
        usleep(pause_us);
    }
    /* The last one is always of the end. */
    board->samples[reader][board->counts[reader] - 1] = look();
}

static void map_board(const char *path)
{
    FILE *file = fopen(path, "r+");
    if (file == NULL || ftruncate(fileno(file), sizeof(*board)) < 0)
        exit(1);
    board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    fclose(file);
    if (board == MAP_FAILED)
        exit(1);
}

static int inside(const char *path, useconds_t pause_us)
{
    map_board(path);
    for (int reader = 0; reader < INSIDE; reader++) {
        if (fork() == 0) {
            read_on(reader, pause_us);
            _exit(0);
        }
    }
    while (wait(NULL) > 0)
        ;
    return 0;
}

/* What this reader's clock shows at a TSC value: between its two samples around that. */
static double at_tsc(int reader, double when, int *hint)
{
    const struct sample *list = board->samples[reader];
    int last = board->counts[reader] - 1;
    while (*hint < last - 1 && list[*hint + 1].tsc < when)
        ++*hint;
    const struct sample *a = &list[*hint], *b = a + 1;
    return a->ns + (b->ns - a->ns) * (when - a->tsc) / (b->tsc - a->tsc);
}

static int by_size(const void *a, const void *b)
{
    double x = fabs(*(const double *)a), y = fabs(*(const double *)b);
    return x < y ? -1 : x > y;
}

/* What one process shows beyond the other: 99 of 100 samples have less. */
static double skew(void)
{
    static double off[SAMPLES];
    int count = 0, hint = 0;
    for (int i = 1; i + 1 < board->counts[1]; i++) {
        double when = board->samples[1][i].tsc;
        if (when < board->samples[0][0].tsc)
            continue;
        off[count++] = board->samples[1][i].ns - at_tsc(0, when, &hint);
    }
    if (count == 0)
        return INFINITY;
    qsort(off, (size_t)count, sizeof(off[0]), by_size);
    return fabs(off[count * 99 / 100]);
}

/* Parts in a million, between the first and the last sample of the domain. */
static double drift(double tdf)
{
    int hint = 0;
    const struct sample *first = &board->samples[0][1];
    const struct sample *last = &board->samples[0][board->counts[0] - 1];
    double real = -at_tsc(2, first->tsc, &hint);
    real += at_tsc(2, last->tsc, &hint);
    return ((last->ns - first->ns) * tdf / real - 1) * 1e6;
}

static double factor(const char *text)
{
    const char *slash = strchr(text, '/');
    return slash == NULL ? atof(text) : atof(text) / atof(slash + 1);
}

static int runs_by_tsc(void)
{
    char name[32] = "";
    FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "r");
    if (file == NULL)
        return 0;
    int is = fgets(name, sizeof(name), file) != NULL && strcmp(name, "tsc\n") == 0;
    fclose(file);
    return is;
}

int main(int argc, char **argv)
{
    char path[] = "/tmp/domu_accuracy.XXXXXX", pause_text[24], *command[64] = {NULL};
    if (argc == 4 && strcmp(argv[1], "inside") == 0)
        return inside(argv[2], (useconds_t)atoi(argv[3]));
    if (argc < 5 || argc > 50)
        return 2;
    if (!runs_by_tsc())
        return 77;
    const double tdf = factor(argv[1]), seconds = atof(argv[2]);
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    map_board(path);
    board->tsc_zero = tsc();
    /* As many samples as there is room for, over the whole time. */
    const double pause_us = seconds * 1e6 / (SAMPLES - 500);
    snprintf(pause_text, sizeof(pause_text), "%.0f", pause_us / tdf + 1);
    for (int i = 4; i < argc; i++)
        command[i - 4] = argv[i];
    char *more[] = {argv[0], (char[]){"inside"}, path, pause_text};
    memcpy(&command[argc - 4], more, sizeof(more));
    pid_t child = fork();
    if (child == 0) {
        execvp(command[0], command);
        _exit(1);
    }
    pid_t timer = fork();
    if (timer == 0) {
        usleep((useconds_t)(seconds * 1e6));
        __atomic_store_n(&board->stop, 1, __ATOMIC_RELEASE);
        _exit(0);
    }
    read_on(2, (useconds_t)pause_us);
    int status = 1;
    waitpid(timer, NULL, 0);
    waitpid(child, &status, 0);
    unlink(path);
    if (status != 0 || board->counts[0] < 10 || board->counts[1] < 10)
        return 1;
    /* The outer reader ended before the inner ones: their last samples lie a little beyond its. */
    printf("skew %.1f ns drift %.4f ppm\n", skew(), drift(tdf));
    return 0;
}
