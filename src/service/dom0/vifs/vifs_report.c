/* SPDX-License-Identifier: MIT */
#include "service/dom0/vifs/vifs_report.h"

#include <inttypes.h>

#include "base/mac_text.h"
#include "service/dom0/vifs/vif_links.h"
#include "service/dom0/vifs/vif_rules.h"
#include "xenstore/xenbus_state.h"

static uint64_t dropped(const struct net_port *port)
{
    uint64_t sum = 0;

    for (int i = 0; i < NET_DROPS; i++)
        sum += port->drops[i];
    return sum;
}

static void print_port(const struct net_port *port, FILE *out)
{
    const char *before = " (";

    fprintf(out,
            "  %-15s tx %" PRIu64 " frames, %" PRIu64 " bytes; rx %" PRIu64 " frames, %" PRIu64
            " bytes; dropped %" PRIu64,
            port->name, port->in.frames, port->in.bytes, port->out.frames, port->out.bytes,
            dropped(port));
    for (int i = 0; i < NET_DROPS; i++) {
        if (port->drops[i] == 0)
            continue;
        fprintf(out, "%s%s %" PRIu64, before, net_drop_name((enum net_drop)i), port->drops[i]);
        before = ", ";
    }
    fprintf(out, "%s\n", before[0] == ',' ? ")" : "");
}

void vifs_report_print(const struct vifs *vifs, FILE *out)
{
    for (const struct net_bridge *bridge = net_next_bridge(&vifs->net, NULL); bridge != NULL;
         bridge = net_next_bridge(&vifs->net, bridge)) {
        if (bridge->port_count == 0 && bridge->stats.forwarded.frames == 0 &&
            bridge->stats.flooded.frames == 0)
            continue;
        fprintf(out,
                "bridge %s: %u ports, %u addresses; %" PRIu64 " frames forwarded, %" PRIu64
                " copies flooded\n",
                bridge->name, bridge->port_count, bridge->fdb.count, bridge->stats.forwarded.frames,
                bridge->stats.flooded.frames);
        for (const struct net_port *port = net_bridge_next_port(bridge, NULL); port != NULL;
             port = net_bridge_next_port(bridge, port))
            print_port(port, out);
    }
}

static void write_count(struct json *json, const char *frames, const char *bytes,
                        const struct net_count *count)
{
    json_u64(json, frames, count->frames);
    json_u64(json, bytes, count->bytes);
}

static void write_port(struct json *json, const struct net_port *port)
{
    write_count(json, "tx_frames", "tx_bytes", &port->in);
    write_count(json, "rx_frames", "rx_bytes", &port->out);
    json_object(json, "dropped");
    for (int i = 0; i < NET_DROPS; i++)
        json_u64(json, net_drop_name((enum net_drop)i), port->drops[i]);
    json_end(json);
}

void vifs_report_write_network(const struct vifs *vifs, struct json *json)
{
    json_array(json, "bridges");
    for (const struct net_bridge *bridge = net_next_bridge(&vifs->net, NULL); bridge != NULL;
         bridge = net_next_bridge(&vifs->net, bridge)) {
        json_object(json, NULL);
        json_string(json, "name", bridge->name);
        json_u64(json, "ports", bridge->port_count);
        json_u64(json, "addresses", bridge->fdb.count);
        json_u64(json, "addresses_moved", bridge->fdb.moved);
        json_u64(json, "addresses_recycled", bridge->fdb.recycled);
        write_count(json, "forwarded_frames", "forwarded_bytes", &bridge->stats.forwarded);
        write_count(json, "flooded_frames", "flooded_bytes", &bridge->stats.flooded);
        json_end(json);
    }
    json_end(json);
    vif_links_write_trunks(json, vifs);
    json_u64(json, "connections", vifs->net.rules.flows.count);
    vif_rules_write(json, &vifs->net.rules);
}

static void write_ring(struct json *json, const struct vif_stats *stats)
{
    json_u64(json, "tx_slots", stats->tx_slots);
    json_u64(json, "tx_errors", stats->tx_errors);
    json_u64(json, "rx_slots", stats->rx_slots);
    json_u64(json, "rx_errors", stats->rx_errors);
    json_u64(json, "rx_expired", stats->rx_expired);
    json_u64(json, "rx_stalls", stats->rx_stalls);
    json_u64(json, "notifies", stats->notifies);
}

void vifs_report_write(struct json *json, struct xenbus_back *back)
{
    const struct vif_options *options = vif_back_options(back);
    const struct net_port *port = vif_back_port(back);
    const struct vif_stats stats = vif_back_stats(back);
    char mac[MAC_TEXT_SIZE];

    mac_text_format(options->mac, mac);
    json_object(json, NULL);
    json_u64(json, "devid", back->key.devid);
    json_string(json, "name", port->name);
    json_string(json, "mac", mac);
    json_string(json, "bridge", options->bridge);
    json_string(json, "state", xenbus_state_name(back->state));
    json_bool(json, "stalled", vif_back_is_stalled(back));
    json_u64(json, "rate_bytes", options->rate_bytes);
    json_u64(json, "rate_interval_us", options->rate_interval_us);
    json_u64(json, "weight", port->weight);
    write_port(json, port);
    write_ring(json, &stats);
    json_u64(json, "persistent_grants", vif_back_persistent_grants(back));
    vif_links_write(json, options->network_ctx);
    json_end(json);
}
