/* SPDX-License-Identifier: MIT */
/* grant_map_fixture: a segment with grants, and its map. */
#ifndef SPLITDOM_TESTS_UNIT_RING_GRANT_MAP_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_RING_GRANT_MAP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "ring/barrier.h"
#include "ring/grant_map.h"

enum {
    NR_PAGES = 40,
    DOMID = 7,
    REF = 20,
    PINS_MAX = UINT16_MAX - 1,
    IN_USE = GTF_reading | GTF_writing,
};

struct fixture {
    struct segment segment;
    struct grant_map map;
};

static inline int setup(void **state)
{
    int fd;
    struct fixture *f = calloc(1, sizeof(*f));
    if (f == NULL || segment_create(NR_PAGES, DOMID, &f->segment, &fd) < 0)
        return -1;
    close(fd);
    *state = f;
    return grant_map_init(&f->map, &f->segment, DOM0_DOMID);
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    grant_map_fini(&f->map);
    segment_detach(&f->segment);
    free(f);
    return 0;
}

#endif
