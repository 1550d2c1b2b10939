/* SPDX-License-Identifier: MIT */
/* traffic_options: what `domu traffic` is asked to do. */
#ifndef SPLITDOM_RUN_TRAFFIC_TRAFFIC_OPTIONS_H
#define SPLITDOM_RUN_TRAFFIC_TRAFFIC_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "run/traffic/traffic_frame.h"
#include "run/vif_session.h"

#define TRAFFIC_HELP                                                                               \
    "    --to MAC              send to that address, else only receive\n"                          \
    "    --rate N              frames a second of the domain's time (no limit)\n"                  \
    "    --size A[-B]          bytes of a frame, 60..65535; A-B: any in between (60)\n"            \
    "    --gso MSS             each frame stands for TCP segments of MSS bytes\n"                  \
    "    --count N             send so many frames\n"                                              \
    "    --echo                send back what comes\n"                                             \
    "    --seconds S           end after so much of the domain's time\n"                           \
    "    --streams N           receiving: end when N senders say that they are done\n"             \
    "    --queues N            queues, each with its own sender and receiver (1)\n"                \
    "    --linger S            wait so much longer for frames on their way (1)\n"                  \
    "    --json                the report as JSON\n" VIF_OPTIONS_HELP

struct traffic_options {
    struct vif_options vif; /* with queues, at least 1 */
    bool sends;
    uint8_t to[TRAFFIC_MAC_BYTES];
    uint64_t rate; /* 0: as fast as it goes */
    uint32_t size_min, size_max;
    uint16_t gso_size; /* 0: none */
    uint64_t count;    /* 0: no end */
    bool echoes;
    uint64_t time_ns; /* 0: no end */
    uint64_t linger_ns;
    uint32_t streams; /* 0: no end */
    bool json;
};

/* Errors: -EINVAL, with the line in why. */
int traffic_options_parse(int argc, char **argv, struct traffic_options *out, struct why *why);

#endif
