/* SPDX-License-Identifier: MIT */
/*
 * tap_pump: carries frames between the queues of an interface of a domain and those of a tap
 * device, both ways, on a thread each. The next Dom0 of a domain that reconnects may give the
 * interface another address: then the tap device gets that, before the next frame. A socket in the
 * device's place knows neither addresses, blank checksums nor segments: the interface was opened
 * with no_offload.
 */
#ifndef SPLITDOM_BRIDGE_NET_TAP_PUMP_H
#define SPLITDOM_BRIDGE_NET_TAP_PUMP_H

#include <stdint.h>

#include "bridge/net/tap.h"
#include "splitdom/netfront.h"

struct tap_pump;

struct tap_pump_counts {
    uint64_t to_tap, from_tap; /* frames */
    uint64_t tap_refused;      /* the tap device was down, or full */
    uint64_t not_understood;   /* nobody could tell where the checksum is, or no such segments;
                                * too short for a frame, or too long */
    uint64_t vif_refused;      /* netfront_send did */
    uint64_t addresses;        /* that were new to the tap device */
};

/* Both outlive the pump. The tap device has no more queues than the interface. Errors: -ENOMEM,
 * -EAGAIN, -EMFILE, -ENFILE. */
int tap_pump_start(struct netfront *nf, const struct tap *tap, struct tap_pump **out);

/* A descriptor to poll, readable once the pump has ended by itself: not to be read or closed. */
int tap_pump_fd(const struct tap_pump *pump);
/* Why it has: -errno of the interface or of the tap device (*of_tap); 0: it runs. */
int tap_pump_error(struct tap_pump *pump, bool *of_tap);

void tap_pump_counts(struct tap_pump *pump, struct tap_pump_counts *out);

/* Ends the threads and frees the pump. What Dom0 has not taken yet it may still take. NULL is
 * allowed. */
void tap_pump_stop(struct tap_pump *pump);

#endif
