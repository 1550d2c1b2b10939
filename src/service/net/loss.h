/* SPDX-License-Identifier: MIT */
/*
 * net_loss: which frames a link loses: each by itself with one probability, or by the model of
 * Gilbert and Elliott: a good and a bad state, each with a loss of its own (tc-netem(8): `loss
 * random`, `loss gemodel p r 1-h 1-k`). Two draws a frame, whatever the model.
 */
#ifndef SPLITDOM_SERVICE_NET_LOSS_H
#define SPLITDOM_SERVICE_NET_LOSS_H

#include <stdbool.h>
#include <stdint.h>

#include "service/net/chance.h"

struct net_loss_config {
    bool gilbert_elliott;        /* else good_loss alone counts */
    struct net_chance to_bad;    /* p: from good to bad, before each frame */
    struct net_chance to_good;   /* r */
    struct net_chance bad_loss;  /* 1-h */
    struct net_chance good_loss; /* 1-k, or the loss of frames by themselves */
};

struct net_loss {
    struct prng prng;
    bool is_bad;
};

void net_loss_init(struct net_loss *loss, uint64_t seed);
/* The next frame's fate. */
bool net_loss_loses(struct net_loss *loss, const struct net_loss_config *config);

/* "1%", or "gemodel,P,R,1-H,1-K" separated by ':' ("gemodel:1%:10%:70%:0.1%"; what is left out: r =
 * 1-p, 1-h = 100%, 1-k = 0). Errors: -EINVAL, -ERANGE. */
int net_loss_parse(const char *text, struct net_loss_config *out);

#endif
