/* SPDX-License-Identifier: MIT */
/*
 * vif_spec: a network interface in words, as xl-network-configuration(5) has them:
 * `mac=00:16:3e:00:00:01,bridge=xenbr0,rate=10Mb/s@20ms`.
 *
 * Beyond xl: `antispoof=0` lets the domain send from addresses that are not its own;
 * `persistent=1` offers persistent grants; `ip=` is kept to by Dom0 itself. What xl takes and Dom0
 * can't do (emulated cards, other scripts, gateways, back ends in other domains, COLO) is refused
 * with the reason.
 */
#ifndef SPLITDOM_SERVICE_DOM0_VIFS_VIF_SPEC_H
#define SPLITDOM_SERVICE_DOM0_VIFS_VIF_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/why.h"
#include "service/net/bridge.h"
#include "service/net/guard.h"

enum {
    VIF_NAME_SIZE = 16, /* as a network device's, with the NUL */
    VIF_IP_TEXT_SIZE = 256,
    VIF_MTU_MIN = 68,
    VIF_MTU_MAX = 65535 - NET_FRAME_HEADER_BYTES - 4, /* one VLAN tag has room beside it */
    VIF_DEVID_MAX = 65535,
};

struct vif_spec {
    bool has_mac;
    uint8_t mac[NET_MAC_BYTES];
    char bridge[NET_BRIDGE_NAME_SIZE]; /* empty: the default */
    char name[VIF_NAME_SIZE];          /* vifname=; empty: vifDOMID.DEVID */
    int32_t devid;                     /* -1: the next free one */
    uint64_t rate_bytes;               /* in each interval, of what the domain sends; 0: no limit */
    uint32_t rate_interval_us;
    uint32_t mtu;
    bool untrusted;
    bool antispoof;
    bool persistent;            /* grants, if the front end wants them, too */
    char ip[VIF_IP_TEXT_SIZE];  /* as given */
    struct net_guard addresses; /* the same, read; nothing else of it counts */
};

/* The empty text is a vif with all defaults. Errors: -EINVAL with a line for people in why, in xl's
 * words where it has some. */
int vif_spec_parse(const char *text, struct vif_spec *out, struct why *why);

#endif
