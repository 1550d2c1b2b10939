/* SPDX-License-Identifier: MIT */
/* segment_fixture: a segment as Dom0 made it. */
#ifndef SPLITDOM_TESTS_UNIT_RING_SEGMENT_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_RING_SEGMENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "ring/segment.h"

enum { NR_PAGES = 40, DOMID = 7 };

struct fixture {
    struct segment segment;
    int fd;
};

static inline int setup(void **state)
{
    static struct fixture f;
    *state = &f;
    return segment_create(NR_PAGES, DOMID, &f.segment, &f.fd);
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    segment_detach(&f->segment);
    return close(f->fd);
}

#endif
