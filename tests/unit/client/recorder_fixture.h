/* SPDX-License-Identifier: MIT */
/* recorder_fixture: a recorder in a directory of its own, and what its two files hold. */
#ifndef SPLITDOM_TESTS_UNIT_CLIENT_RECORDER_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_CLIENT_RECORDER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/why.h"
#include "client/recorder.h"

enum { PID = 1234, THREADS = 4 };

struct fixture {
    char directory[64];
    char sectors[96];
    char read[96];
    struct stopwatch watch;
    struct recorder *recorder;
    struct why why;
};

static inline uint64_t no_time(void *clock)
{
    (void)clock;
    return 0;
}

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    snprintf(f->directory, sizeof(f->directory), "/tmp/test_recorder.XXXXXX");
    if (mkdtemp(f->directory) == NULL)
        return -1;
    snprintf(f->sectors, sizeof(f->sectors), "%s/sectors.%d", f->directory, PID);
    snprintf(f->read, sizeof(f->read), "%s/read.%d", f->directory, PID);
    stopwatch_init(&f->watch, no_time, NULL);
    stopwatch_start(&f->watch, THREADS);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    unlink(f->sectors);
    unlink(f->read);
    rmdir(f->directory);
    stopwatch_destroy(&f->watch);
    free(f);
    return 0;
}

static inline int open_recorder(struct fixture *f, bool writer_thread)
{
    const struct recorder_options options = {
        .directory = f->directory, .pid = PID, .room = 1, .writer_thread = writer_thread};

    return recorder_open(&options, &f->recorder, &f->why);
}

/* The data of a sector begins with its number. */
static inline void fill(unsigned char *data, uint64_t sector, uint32_t count)
{
    memset(data, 0xa5, (size_t)count * RECORDER_SECTOR_BYTES);
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t number = sector + i;
        memcpy(data + (size_t)i * RECORDER_SECTOR_BYTES, &number, sizeof(number));
    }
}

static inline int add(struct fixture *f, uint64_t sector, uint32_t count)
{
    unsigned char data[88 * RECORDER_SECTOR_BYTES];

    fill(data, sector, count);
    return recorder_add(f->recorder, &f->watch, sector, count, data);
}

/* Both files hold the same records, each with the data of its sector. Returns how many. With check,
 * calls it for each. */
static inline uint64_t read_back(struct fixture *f, void (*check)(uint64_t index, uint64_t sector))
{
    FILE *sectors = fopen(f->sectors, "r");
    FILE *read = fopen(f->read, "r");
    unsigned char data[RECORDER_SECTOR_BYTES];
    uint64_t sector, number, count = 0;
    char line[64];

    assert_non_null(sectors);
    assert_non_null(read);
    while (fgets(line, sizeof(line), sectors) != NULL) {
        assert_non_null(strchr(line, '\n'));
        sector = strtoull(line, NULL, 10);
        assert_int_equal(fread(data, sizeof(data), 1, read), 1);
        memcpy(&number, data, sizeof(number));
        assert_true(number == sector);
        assert_int_equal(data[RECORDER_SECTOR_BYTES - 1], 0xa5);
        if (check != NULL)
            check(count, sector);
        count++;
    }
    assert_int_equal(fgetc(read), EOF);
    fclose(sectors);
    fclose(read);
    return count;
}

#endif
