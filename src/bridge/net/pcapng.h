/* SPDX-License-Identifier: MIT */
/*
 * pcapng: a capture of one interface, with nanoseconds and two clocks: each frame has the time of
 * one of them as its time, and that of the other one as a comment.
 *
 * https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html; native byte order. After a
 * failed write ferror(out) is true. One thread.
 */
#ifndef SPLITDOM_BRIDGE_NET_PCAPNG_H
#define SPLITDOM_BRIDGE_NET_PCAPNG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct pcapng_interface {
    const char *name;
    uint8_t mac[6];
    bool domain_time; /* frames have the domain's time, and the real one as a comment */
};

struct pcapng_frame {
    const void *data;
    uint32_t captured_bytes; /* at data */
    uint32_t length_bytes;   /* of the frame as it was */
    uint64_t real_ns;        /* CLOCK_REALTIME */
    uint64_t domain_ns;      /* the domain's clock */
};

/* The head of the file. */
void pcapng_begin(FILE *out, const struct pcapng_interface *interface);
void pcapng_put(FILE *out, const struct pcapng_interface *interface,
                const struct pcapng_frame *frame);

#endif
