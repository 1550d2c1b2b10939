/* SPDX-License-Identifier: MIT */
/* cases: what a hostile Dom0 does, and what a client must make of it; hostile_back.c runs them. */
#ifndef SPLITDOM_TESTS_HOSTILE_BACK_CASES_H
#define SPLITDOM_TESTS_HOSTILE_BACK_CASES_H

#include <stdbool.h>
#include <stdint.h>

#include "fakes/fake_dom0.h"

enum {
    BACK_THREADS = 4,
    BACK_READS = 3000,    /* that the client wants to make */
    BACK_LIE_AFTER = 100, /* requests that are answered honestly before */
};

/* The state of one Dom0 that lies: ctx of its script. */
struct back_liar {
    uint32_t variant; /* which of several lies, counted from 0 */
    uint32_t seen;    /* requests so far; atomic */
    struct blkif_request kept;
};

enum back_verdict {
    BACK_SERVED,  /* the client reads all that it wants */
    BACK_REFUSED, /* it does not even connect, and says why */
    BACK_FAILED,  /* it ends with an error, and says why */
    BACK_SERVED_OR_FAILED,
};

struct back_case {
    const char *name, *what; /* for people */
    enum back_verdict verdict;
    const char *message; /* that the client prints when it does not succeed, or a part of it */
    struct fake_dom0_script script;
    uint32_t variants; /* 0: one */
    uint32_t threads;  /* of the client; 0: BACK_THREADS */
    bool reconnects;   /* the client does */
    /* Once BACK_LIE_AFTER requests have come. */
    enum { THEN_NOTHING, THEN_DIES, THEN_RESTARTS, THEN_SIGNALS } then;
};

extern const struct back_case back_cases[];
extern const uint32_t back_case_count;

#endif
