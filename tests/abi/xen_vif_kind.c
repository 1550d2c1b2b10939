/* SPDX-License-Identifier: MIT */
#include "xen_vif_kind.h"

#include <stddef.h>
#include <string.h>

static const struct xen_vif_kind kinds[] = {
    {.name = "linux",
     .nodes = {"request-rx-copy", "feature-rx-notify", "feature-sg", "feature-gso-tcpv4",
               "feature-gso-tcpv6", "feature-ipv6-csum-offload"},
     .split = true,
     .waits = true,
     .begins = true,
     .gso_types = 2,
     .frame_bytes_max = 65535,
     .pages = 256,
     .end = XEN_VIF_STEPS},
    {.name = "linux-crash",
     .nodes = {"request-rx-copy", "feature-rx-notify", "feature-sg", "feature-gso-tcpv4",
               "feature-gso-tcpv6", "feature-ipv6-csum-offload"},
     .split = true,
     .waits = true,
     .begins = true,
     .gso_types = 2,
     .frame_bytes_max = 65535,
     .pages = 256,
     .end = XEN_VIF_CRASH},
    /* That of Xen 4.2's tree: PV-GRUB, stub domains. */
    {.name = "mini-os-old",
     .nodes = {"request-rx-copy"},
     .in_one = true,
     .silent = true,
     .frame_bytes_max = 1514,
     .pages = 256,
     .end = XEN_VIF_STEPS},
    {.name = "mini-os",
     .nodes = {"feature-rx-notify", "feature-persistent", "request-rx-copy"},
     .split = true,
     .in_one = true,
     .frame_bytes_max = 1514,
     .pages = 256,
     .end = XEN_VIF_ANEW},
    {.name = "ipxe",
     .nodes = {"request-rx-copy", "feature-sg", "feature-no-csum-offload", "feature-rx-notify"},
     .waits = true,
     .resets = true,
     .no_csum = true,
     .frame_bytes_max = 9014,
     .pages = 16,
     .end = XEN_VIF_CLOSED},
    {.name = "openbsd",
     .nodes = {"request-rx-copy", "feature-rx-notify", "feature-sg", "feature-ipv6-csum-offload"},
     .frame_bytes_max = 9014,
     .pages = 256,
     .end = XEN_VIF_CLOSED},
    {.name = "freebsd",
     .nodes = {"request-rx-copy", "feature-rx-notify", "feature-no-csum-offload", "feature-sg",
               "feature-gso-tcpv4"},
     .waits = true,
     .begins = true,
     .no_csum = true,
     .gso_types = 1,
     .frame_bytes_max = 65535,
     .pages = 256,
     .end = XEN_VIF_CLOSED},
    /* Large frames only with a prefix that no back end makes any more. */
    {.name = "windows",
     .nodes = {"feature-gso-tcpv4-prefix", "feature-gso-tcpv6-prefix", "feature-ipv6-csum-offload",
               "request-rx-copy", "feature-sg", "feature-rx-notify"},
     .waits = true,
     .begins = true,
     .frame_bytes_max = 9014,
     .pages = 256,
     .end = XEN_VIF_STEPS},
};

const struct xen_vif_kind *xen_vif_kind_find(const char *name)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}
