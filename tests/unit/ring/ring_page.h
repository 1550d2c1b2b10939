/* SPDX-License-Identifier: MIT */
/* ring_page: a ring's page in ordinary memory, and the half of a ring that a test looks at: the
 * other one is played by writing the page. */
#ifndef SPLITDOM_TESTS_UNIT_RING_RING_PAGE_H
#define SPLITDOM_TESTS_UNIT_RING_RING_PAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ring/blkif_back_ring.h"
#include "ring/blkif_front_ring.h"

enum { NR_ENTS = 32 };

/* Where indices may begin: at the wrap, above all. */
static const uint32_t STARTS[] = {0, 7, 0x7ffffff8, UINT32_MAX - 3, UINT32_MAX};
enum { NR_STARTS = sizeof(STARTS) / sizeof(STARTS[0]) };

struct fixture {
    struct sring *sring;
    union {
        struct back_ring back;
        struct front_ring front;
        struct blkif_back_ring blkif_back;
        struct blkif_front_ring blkif_front;
    };
};

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (f == NULL || (f->sring = calloc(1, XEN_PAGE_SIZE)) == NULL)
        return -1;
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    free(f->sring);
    free(f);
    return 0;
}

#endif
