/* SPDX-License-Identifier: MIT */
#include "service/dom0/vifs/vifs.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container_of.h"
#include "base/decimal.h"
#include "base/mac_text.h"
#include "service/net/mac.h"

#define NS_PER_US UINT64_C(1000)

int vifs_init(struct vifs *vifs, const struct vifs_config *config)
{
    *vifs = (struct vifs){.config = *config};
    prng_init(&vifs->prng, config->seed, 1);
    int rc = net_init(&vifs->net, config->seed);
    if (rc == 0)
        vifs->net.turns.time = config->idle_time;
    return rc;
}

void vifs_drop_link(struct vifs_use *use)
{
    if (use->link != NULL)
        net_link_take_out(&use->link->net);
    free(use->link);
    use->link = NULL;
    timers_drop_clock(use->vifs->config.timers, &use->link_time);
}

void vifs_drop_trunk(struct vifs_trunk *trunk)
{
    net_link_take_out(&trunk->net.net);
    list_remove(&trunk->link);
    free(trunk);
}

void vifs_fini(struct vifs *vifs)
{
    struct list_node *node;

    assert(list_is_empty(&vifs->uses));
    while ((node = list_first(&vifs->trunks)) != NULL)
        vifs_drop_trunk(container_of(node, struct vifs_trunk, link));
    net_fini(&vifs->net);
}

struct vifs_use *vifs_next(const struct vifs *vifs, const struct vifs_use *use)
{
    struct list_node *node =
        use == NULL ? list_first(&vifs->uses) : list_next(&vifs->uses, &use->of_vifs);

    return container_or_null(node, struct vifs_use, of_vifs);
}

/* ---- the network behind a device ---- */

/* Where there is no rate the loop need not look at the domain's clock for it. */
static void limit(void *ctx, struct net_port *port, const struct vif_options *options)
{
    struct vifs_use *use = ctx;
    struct timers *timers = use->vifs->config.timers;

    if (options->rate_bytes != 0 && !list_is_linked(&use->credit_time.link))
        timers_add_clock(timers, &use->credit_time, use->clock);
    net_turns_limit(port, options->rate_bytes, options->rate_interval_us * NS_PER_US,
                    &use->credit_time);
    if (options->rate_bytes == 0)
        timers_drop_clock(timers, &use->credit_time);
}

static int join(void *ctx, struct net_port *port, const struct back_domain *domain,
                const struct vif_options *options, const char **what)
{
    struct vifs_use *use = ctx;
    struct net_port_config config = {
        .guard = use->spec.addresses, .mac = net_mac_get(options->mac), .time = &use->link_time};
    int rc;

    (void)domain; /* the use knows its clock */
    config.guard.mac_only = use->spec.antispoof;
    config.guard.mac = config.mac;
    rc = net_connect(&use->vifs->net, port, options->bridge, &config);
    if (rc < 0) {
        *what = rc == -ENOSPC ? "its bridge has no port left" : "its bridge cannot be joined";
        return rc;
    }
    limit(use, port, options);
    use->port = port;
    if (use->link != NULL)
        net_link_insert(&use->link->net, port,
                        use->link->spec.is_real ? use->vifs->config.real_time : &use->link_time);
    return 0;
}

static void leave(void *ctx, struct net_port *port)
{
    struct vifs_use *use = ctx;

    assert(use->port == port);
    if (use->link != NULL)
        net_link_take_out(&use->link->net);
    net_disconnect(port);
    use->port = NULL;
}

static const struct vif_network network = {.join = join, .limit = limit, .leave = leave};

/* ---- names and addresses ---- */

static bool mac_is_taken(const struct vifs *vifs, const uint8_t mac[NET_MAC_BYTES])
{
    for (const struct vifs_use *use = vifs_next(vifs, NULL); use != NULL;
         use = vifs_next(vifs, use)) {
        if (memcmp(use->options.mac, mac, NET_MAC_BYTES) == 0)
            return true;
    }
    return false;
}

/* Xen's part of the addresses. */
static void generate_mac(struct vifs_use *use, const struct vifs_owner *owner,
                         uint8_t mac[NET_MAC_BYTES])
{
    struct vifs *vifs = use->vifs;
    struct prng of_process;

    prng_init(&of_process, vifs->config.address_seed, (uint64_t)owner->pid << 16 | use->devid);
    do {
        uint64_t drawn = prng_next(owner->pid > 0 ? &of_process : &vifs->prng);

        mac[0] = 0x00;
        mac[1] = 0x16;
        mac[2] = 0x3e;
        mac[3] = (uint8_t)(drawn & 0x7f); /* as libxl does */
        mac[4] = (uint8_t)(drawn >> 8);
        mac[5] = (uint8_t)(drawn >> 16);
    } while (mac_is_taken(vifs, mac));
}

static int choose_mac(struct vifs_use *use, const struct vifs_owner *owner, bool soft,
                      struct why *why)
{
    char text[MAC_TEXT_SIZE];

    if (use->spec.has_mac && !mac_is_taken(use->vifs, use->spec.mac)) {
        memcpy(use->options.mac, use->spec.mac, NET_MAC_BYTES);
        return 0;
    }
    if (use->spec.has_mac && !soft) {
        mac_text_format(use->spec.mac, text);
        return why_fail(why, -EEXIST, "another vif has the address %s: see 'service status'", text);
    }
    generate_mac(use, owner, use->options.mac);
    return 0;
}

static int choose_name(struct vifs_use *use, bool soft, struct why *why)
{
    const char *wanted = use->spec.name;
    bool taken = wanted[0] != '\0' && vifs_find_name(use->vifs, wanted) != NULL;

    if (taken && !soft)
        return why_fail(why, -EEXIST, "another vif has the name %s: see 'service status'", wanted);
    if (wanted[0] != '\0' && !taken) {
        snprintf(use->name, sizeof(use->name), "%s", wanted);
        use->options.vif_name = use->name;
    } else {
        snprintf(use->name, sizeof(use->name), "vif%u.%u", use->domid, use->devid);
        if (vifs_find_name(use->vifs, use->name) != NULL)
            return why_fail(why, -EEXIST, "another vif is called %s by its vifname", use->name);
    }
    return 0;
}

static int choose_bridge(struct vifs_use *use, struct why *why)
{
    const struct net *net = &use->vifs->net;
    const char *wanted = use->spec.bridge;
    const struct net_bridge *bridge =
        wanted[0] != '\0' ? net_find_bridge(net, wanted) : net_next_bridge(net, NULL);

    if (bridge == NULL)
        return why_fail(why, -ENODEV, "Could not find bridge device %s", wanted);
    use->options.bridge = bridge->name;
    return 0;
}

int vifs_prepare(struct vifs *vifs, const struct vifs_owner *owner, uint32_t devid,
                 const struct vif_spec *spec, bool soft, struct vifs_use **out, struct why *why)
{
    struct vifs_use *use = calloc(1, sizeof(*use));

    *out = NULL;
    if (use == NULL)
        return why_fail(why, -ENOMEM, "Dom0 is out of memory");
    use->vifs = vifs;
    use->domid = owner->domid;
    use->devid = devid;
    use->spec = *spec;
    use->options = (struct vif_options){.network = &network,
                                        .network_ctx = use,
                                        .rate_bytes = spec->rate_bytes,
                                        .rate_interval_us = spec->rate_interval_us,
                                        .mtu = spec->mtu,
                                        .untrusted = spec->untrusted,
                                        .stamps = true,
                                        .persistent = spec->persistent,
                                        .idle_time = vifs->config.idle_time};

    int rc = choose_bridge(use, why);

    if (rc == 0)
        rc = choose_mac(use, owner, soft, why);
    if (rc == 0)
        rc = choose_name(use, soft, why);
    if (rc < 0) {
        free(use);
        return rc;
    }
    use->clock = owner->clock;
    list_push_back(&vifs->uses, &use->of_vifs);
    *out = use;
    return 0;
}

void vifs_release(struct vifs_use *use)
{
    if (use == NULL)
        return;
    assert(use->port == NULL); /* its device has left */
    vifs_drop_link(use);
    list_remove(&use->of_vifs);
    timers_drop_clock(use->vifs->config.timers, &use->credit_time);
    free(use);
}

/* ---- which is meant ---- */

static const struct vifs_use *find_devid(const struct vifs *vifs, domid_t domid, uint32_t devid)
{
    const struct vifs_use *use = vifs_next(vifs, NULL);
    while (use != NULL && (use->domid != domid || use->devid != devid))
        use = vifs_next(vifs, use);
    return use;
}

uint32_t vifs_next_devid(const struct vifs *vifs, domid_t domid)
{
    uint32_t next = 0;

    for (const struct vifs_use *use = vifs_next(vifs, NULL); use != NULL;
         use = vifs_next(vifs, use)) {
        if (use->domid == domid && use->devid >= next)
            next = use->devid + 1;
    }
    if (next <= VIF_DEVID_MAX)
        return next;
    for (next = 0; next < VIF_DEVID_MAX && find_devid(vifs, domid, next) != NULL;)
        next++;
    return next;
}

struct vifs_use *vifs_find(const struct vifs *vifs, domid_t domid, const char *which)
{
    uint8_t mac[NET_MAC_BYTES];
    uint64_t devid = UINT64_MAX;
    bool is_devid = decimal_parse(which, 0, UINT32_MAX, &devid) == 0;

    if (!is_devid && mac_text_parse_single(which, mac) < 0)
        return NULL;
    for (struct vifs_use *use = vifs_next(vifs, NULL); use != NULL; use = vifs_next(vifs, use)) {
        if (use->domid == domid &&
            (is_devid ? use->devid == devid : memcmp(use->options.mac, mac, sizeof(mac)) == 0))
            return use;
    }
    return NULL;
}

struct vifs_use *vifs_find_name(const struct vifs *vifs, const char *name)
{
    struct vifs_use *use = vifs_next(vifs, NULL);

    while (use != NULL && strcmp(use->name, name) != 0)
        use = vifs_next(vifs, use);
    return use;
}
