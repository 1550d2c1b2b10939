/* SPDX-License-Identifier: MIT */
#include "service/back/vif/vif_nodes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "base/mac_text.h"

enum { MTU_DEFAULT = 1500, NUMBER_TEXT = 40, RATE_TEXT = 64 };

static void put_mac(const struct vif_options *options, back_node_fn *put, void *ctx)
{
    char mac[MAC_TEXT_SIZE];
    mac_text_format(options->mac, mac);
    put(ctx, "mac", mac);
}

static void put_number(back_node_fn *put, void *ctx, const char *node, uint32_t value)
{
    char number[NUMBER_TEXT];
    snprintf(number, sizeof(number), "%u", value);
    put(ctx, node, number);
}

void vif_nodes_of_front(const struct back_spec *spec, back_node_fn *put, void *ctx)
{
    const struct vif_options *options = spec->options;
    put_number(put, ctx, "handle", spec->devid);
    put_mac(options, put, ctx);
    put(ctx, "trusted", options->untrusted ? "0" : "1");
    put_number(put, ctx, "mtu", options->mtu != 0 ? options->mtu : MTU_DEFAULT);
}

/* No `script`: none is run. */
void vif_nodes_of_back(const struct back_spec *spec, domid_t domid, back_node_fn *put, void *ctx)
{
    const struct vif_options *options = spec->options;
    char rate[NUMBER_TEXT];
    put_number(put, ctx, "frontend-id", domid);
    put(ctx, "online", "1");
    put(ctx, "state", "1");
    if (options->vif_name != NULL)
        put(ctx, "vifname", options->vif_name);
    put_mac(options, put, ctx);
    if (options->rate_bytes != 0) {
        snprintf(rate, sizeof(rate), "%" PRIu64 ",%u", options->rate_bytes,
                 options->rate_interval_us);
        put(ctx, "rate", rate);
    }
    put(ctx, "bridge", options->bridge);
    put_number(put, ctx, "handle", spec->devid);
    put(ctx, "type", "vif");
    put(ctx, "hotplug-status", "");
}

/* In the order of Linux's back end. What it has and we have not is not there: feature-xdp-headroom,
 * feature-multicast-control, feature-dynamic-multicast-control, feature-ctrl-ring. */
int vif_nodes_offer(struct xenbus_back *back, const struct vif_options *options)
{
    static const struct {
        const char *node, *value;
    } features[] = {
        {"feature-sg", "1"},
        {"feature-gso-tcpv4", "1"},
        {"feature-gso-tcpv6", "1"},
        {"feature-ipv6-csum-offload", "1"},
        {"feature-rx-copy", "1"},
        {"feature-rx-flip", "0"},
        {"feature-split-event-channels", "1"},
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(features) / sizeof(features[0]); i++)
        rc = xenbus_back_put(back, features[i].node, "%s", features[i].value);
    if (rc == 0)
        rc = xenbus_back_put(back, "multi-queue-max-queues", "%u", options->max_queues);
    if (rc == 0 && options->stamps)
        rc = xenbus_back_put(back, "feature-splitdom-stamp", "1");
    if (rc == 0 && options->persistent)
        rc = xenbus_back_put(back, "feature-persistent", "1");
    return rc;
}

int vif_nodes_rate(struct xenbus_back *back, uint64_t *bytes, uint32_t *interval_us)
{
    char path[XENBUS_PATH_MAX], text[RATE_TEXT];
    uint64_t value = 0, interval = 0;
    xenbus_back_path(path, &back->key, "rate");
    int rc = xs_local_read(back->host->store, path, text, sizeof(text));
    if (rc >= 0) {
        size_t digits = strcspn(text, ",");
        rc = decimal_parse_bytes(text, digits, 1, INT64_MAX, &value);
        if (rc == 0)
            rc = text[digits] == ',' ? decimal_parse(text + digits + 1, 0, UINT32_MAX, &interval)
                                     : -EINVAL;
    }
    if (rc < 0 && rc != -ENOENT)
        return rc;
    *bytes = interval > 0 ? value : 0;
    *interval_us = (uint32_t)interval;
    return 0;
}

int vif_nodes_joined(struct xenbus_back *back)
{
    return xenbus_back_put(back, "hotplug-status", "connected");
}

void vif_nodes_not_joined(struct xenbus_back *back, const char *why)
{
    if (xenbus_back_put(back, "hotplug-status", "error") == 0)
        (void)xenbus_back_put(back, "hotplug-error", "%s", why);
}

void vif_nodes_left(struct xenbus_back *back)
{
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &back->key, "hotplug-status");
    (void)xs_local_rm(back->host->store, path);
}
