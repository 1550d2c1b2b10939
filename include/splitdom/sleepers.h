/* SPDX-License-Identifier: MIT */
/*
 * sleepers: words on which threads of a domain sleep, each until Dom0 has answered one request.
 *
 * Xen has an event channel for a ring: the back end wakes the domain, and the domain its threads,
 * one after the other. Here a thread is what sleeps, so Dom0 can wake the one that has been
 * answered. Word i belongs to the request in flight whose id ends in i (bits 0 to 15), of any of
 * the domain's rings: their ids differ. A thread that is to sleep stores SLEEPER_ASLEEP there,
 * looks at its ring once more, and sleeps on the word, which is a futex. Dom0 shows an answer, and
 * then wakes who sleeps on the word of its id; whoever changes ASLEEP to AWAKE owes the futex_wake.
 *
 * This is no part of Xen's ABI. A front end that does not know of the words leaves them zero, and
 * is notified as rsp_event asks for. A back end that does not wake leaves woken_by_dom0 zero.
 *
 * The structure lies at SLEEPERS_OFFSET in page 0 of a domain's segment, behind the hints.
 */
#ifndef SPLITDOM_SLEEPERS_H
#define SPLITDOM_SLEEPERS_H

#include <stddef.h>
#include <stdint.h>

enum {
    SLEEPERS_OFFSET = 2304,
    SLEEPERS_MAX = 432,     /* to the end of the page */
    SLEEPERS_IDS = 1 << 16, /* an id modulo this is its word, if there is such a word */
};

/* Of a word. */
enum { SLEEPER_AWAKE = 0, SLEEPER_ASLEEP = 1 };

struct sleepers {
    uint32_t woken_by_dom0; /* Dom0 writes 1, before the domain gets the segment */
    uint8_t pad[60];
    uint32_t word[SLEEPERS_MAX]; /* the domain stores ASLEEP, either side AWAKE */
};

_Static_assert(SLEEPERS_OFFSET + sizeof(struct sleepers) == 4096, "the words fill the page");

#endif
