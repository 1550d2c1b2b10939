/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer harness for the network inside Dom0: frames of all kinds through guards, bridges, the
 * rules' states, and a link between two bridges; rules in words, right and wrong, that come and go;
 * interfaces that come and go, have limits, and are full; time that goes on.
 *
 * After each frame: it was delivered, waits on the link, or was dropped and counted. What is
 * delivered has the bytes that were sent, never goes to the next bridge alone, and comes from the
 * address that its interface is held to. No port has more addresses, connections or copies than it
 * may have. A rule's words, printed, are that rule again. At the end nothing is left of anything.
 *
 * Byte 0: how interfaces are guarded, two bits each. Byte 1: the link's delay. Then operations: a
 * byte (its low 4 bits: what), then what that needs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/net_world.h"
#include "service/net/pressure.h"

enum { OPS_MAX = 200, SENDS_MAX = 10000, WORDS_MAX = 160, HZ = 1000000000 };

static void deliver(struct net_port *port, struct net_frame *frame, uint64_t at_ns)
{
    struct world *w = container_of(port, struct end, port)->world;
    const struct end *from = sender_of(w, frame);
    require((uint64_t)frame->stamp_ns == hash_of(frame) && at_ns >= frame->arrived_ns);
    require(!net_mac_is_link_local(net_mac_get(frame->data)));
    require(!from->config.guard.mac_only ||
            net_mac_get(frame->data + NET_MAC_BYTES) == from->config.guard.mac);
    w->delivered++;
}

/* ---- frames ---- */

static void input(struct world *w, struct end *end, const struct packet_writer *p)
{
    if (p->length_bytes < NET_FRAME_HEADER_BYTES || w->sends_left == 0)
        return;
    w->sends_left--;
    struct net_frame *frame = net_frame_new(p->length_bytes);
    require(frame != NULL);
    memcpy(frame->data, p->bytes, p->length_bytes);
    frame->stamp_ns = (int64_t)hash_of(frame);
    frame->arrived_ns = tdf_clock_now_ns(&w->clock);
    uint64_t before = fates(w);
    net_port_input(&end->port, frame);
    require(fates(w) > before);
    net_frame_put(frame);
}

/* The next one of many: with another source, or another port. */
static void vary(struct packet_writer *p, uint8_t what)
{
    const uint32_t at = (what & 1) != 0 ? 2 * NET_MAC_BYTES - 1 : 35;
    if (p->length_bytes > at && ++p->bytes[at] == 0)
        p->bytes[at - 1]++;
}

static void send_many(struct world *w, struct input *in)
{
    struct end *end = &w->end[take(in) % PORTS];
    uint8_t what = take(in);
    uint32_t count = what < 254 ? 1u + what % 16 : SENDS_MAX; /* addresses, or connections */
    struct packet_writer p;
    put_packet(&p, in);
    for (; count > 0; count--) {
        input(w, end, &p);
        vary(&p, what);
    }
}

static void send_raw(struct world *w, struct input *in)
{
    struct packet_writer p = {.length_bytes = 0};
    struct end *end = &w->end[take(in) % PORTS];
    p.length_bytes = (uint32_t)take_bytes(in, p.bytes, take(in));
    input(w, end, &p);
}

static uint32_t take_turn(struct net_port *port, uint32_t budget_bytes)
{
    struct end *end = container_of(port, struct end, port);
    uint32_t bytes = 0;
    for (; end->waits > 0 && bytes + port->copied_bytes < budget_bytes; end->waits--) {
        input(end->world, end, &end->next);
        bytes += end->next.length_bytes + 1;
    }
    return bytes;
}

static void have_turns(struct world *w, struct input *in)
{
    struct end *end = &w->end[take(in) % PORTS];
    put_packet(&end->next, in);
    end->waits = take(in);
    net_turns_ready(&end->port);
    w->net.turns.is_brief = (end->waits & 1) != 0;
    for (int i = 0; i < 8; i++)
        (void)net_turns_run(&w->net.turns);
}

/* ---- rules ---- */

static void check_words(const struct net_rule *rule)
{
    char words[512], again[512];
    struct net_rule parsed;
    struct why why;
    net_rule_format(rule, words, sizeof(words));
    require(net_rule_parse(words, &parsed, &why) == 0);
    net_rule_format(&parsed, again, sizeof(again));
    require(strcmp(words, again) == 0);
}

static void add_words(struct world *w, const char *words, uint32_t before)
{
    struct why why;
    uint32_t id;
    if (net_rules_add(&w->net.rules, words, before, &id, &why) < 0)
        return;
    for (const struct net_rule *rule = net_rules_next(&w->net.rules, NULL); rule != NULL;
         rule = net_rules_next(&w->net.rules, rule)) {
        if (rule->id == id)
            check_words(rule);
    }
}

static void add_rule(struct world *w, struct input *in)
{
    static const char *const choice[] = {"bridge=b0",
                                         "bridge=b1",
                                         "in=vif0",
                                         "in=to-b1",
                                         "out=vif1",
                                         "out=to-b0",
                                         "smac=00:16:3e:00:00:01",
                                         "dmac=ff:ff:ff:ff:ff:ff",
                                         "type=ip",
                                         "type=ip6",
                                         "type=arp",
                                         "type=vlan",
                                         "from=10.0.0.1",
                                         "to=10.0.0.0/30",
                                         "from=fe80::/10",
                                         "proto=tcp",
                                         "proto=udp",
                                         "proto=icmp",
                                         "proto=icmp6",
                                         "sport=80",
                                         "dport=80-82",
                                         "state=new",
                                         "state=established,related",
                                         "state=invalid"};
    static const char *const action[] = {
        "accept",      "drop",        "limit=1/second", "limit=1000/second:7",
        "mirror=vif2", "mirror=vif3", "mirror=to-b1",   "mirror=to-b0"};
    char words[WORDS_MAX] = "";
    uint8_t what = take(in), length = 0;
    for (int i = what & 3; i > 0; i--) {
        const char *word = choice[take(in) % (sizeof(choice) / sizeof(choice[0]))];
        length += (uint8_t)snprintf(words + length, sizeof(words) - length, "%s ", word);
    }
    (void)snprintf(words + length, sizeof(words) - length, "%s", action[what >> 2 & 7]);
    add_words(w, words, what >> 5);
}

static void add_any_rule(struct world *w, struct input *in)
{
    char words[WORDS_MAX] = "";
    (void)take_bytes(in, words, take(in) % (WORDS_MAX - 1));
    add_words(w, words, 0);
}

/* ---- interfaces ---- */

static void toggle(struct world *w, struct input *in)
{
    uint8_t what = take(in);
    struct end *end = &w->end[what % PORTS];
    if (net_port_bridge(&end->port) != NULL)
        net_disconnect(&end->port);
    else
        require(net_connect(&w->net, &end->port, (what & 0x80) != 0 ? "b1" : "b0", &end->config) ==
                0);
}

static void limit(struct world *w, struct input *in)
{
    struct end *end = &w->end[take(in) % PORTS];
    uint64_t bytes = take_u16(in), interval_ns = UINT64_C(1) + take_u32(in);
    if (net_port_bridge(&end->port) != NULL)
        net_turns_limit(&end->port, bytes, interval_ns, &w->time);
}

static void fill(struct world *w, struct input *in)
{
    struct end *end = &w->end[take(in) % PORTS];
    end->is_full = !end->is_full;
    if (end->is_full)
        net_pressure_begin(&end->port);
    else
        net_pressure_end(&end->port);
}

static void configure_trunk(struct world *w, struct input *in)
{
    uint8_t what = take(in);
    const struct net_pipe_config config = {.delay_ns = (what & 3) * UINT64_C(1000),
                                           .rate_bps = (what & 4) != 0 ? 1000000 : 0};
    net_link_configure(&w->trunk, (what & 8) != 0 ? NET_WAY_UP : NET_WAY_DOWN, &config);
}

/* ---- the whole ---- */

static const struct net_port_ops ops = {.deliver = deliver, .take = take_turn};

static void open_world(struct world *w, struct input *in)
{
    const struct tdf one = {1, 1};
    uint8_t guards = take(in), delay = take(in);
    const struct net_pipe_config pipe[NET_WAYS] = {{.delay_ns = delay & 0xf}, {.delay_ns = delay}};
    require(tdf_source_manual(&w->source, HZ, HZ, 0) == 0);
    require(tdf_clock_init(&w->clock, &w->source, NULL, 0, one) == 0);
    timers_init(&w->timers);
    timers_add_clock(&w->timers, &w->time, &w->clock);
    require(net_init(&w->net, 1) == 0);
    w->net.turns.time = &w->time;
    require(net_add_bridge(&w->net, "b0", &w->bridge[0]) == 0);
    require(net_add_bridge(&w->net, "b1", &w->bridge[1]) == 0);
    net_link_init(&w->trunk, pipe);
    require(net_link_join(&w->trunk, w->bridge[0], w->bridge[1], &w->time) == 0);
    for (uint32_t i = 0; i < PORTS; i++) {
        struct end *end = &w->end[i];
        char name[NET_PORT_NAME_SIZE];
        end->world = w;
        end->config = (struct net_port_config){.mac = own_mac(i), .time = &w->time};
        end->config.guard = (struct net_guard){.mac_only = (guards & 1) != 0, .mac = own_mac(i)};
        if ((guards & 2) != 0)
            require(net_guard_add(&end->config.guard, (i & 1) != 0 ? "fd00::2" : "10.0.0.1") == 0);
        guards >>= 2;
        (void)snprintf(name, sizeof(name), "vif%u", i);
        net_port_init(&end->port, &ops, name, 256);
        require(net_connect(&w->net, &end->port, i < 3 ? "b0" : "b1", &end->config) == 0);
    }
    w->sends_left = SENDS_MAX;
}

static void close_world(struct world *w)
{
    check_bridges(w);
    for (int i = 0; i < PORTS; i++) {
        net_disconnect(&w->end[i].port);
        if (w->end[i].is_full)
            net_pressure_end(&w->end[i].port);
    }
    net_link_take_out(&w->trunk);
    require(w->net.rules.flows.count == 0);
    for (int i = 0; i < BRIDGES; i++)
        require(w->bridge[i]->fdb.count == 0);
    net_fini(&w->net);
    timers_drop_clock(&w->timers, &w->time);
}

static void step(struct world *w, struct input *in, int i)
{
    uint8_t what = take(in);
    switch (what & 15) {
    case 0:
        send_raw(w, in);
        break;
    case 1:
        add_rule(w, in);
        break;
    case 2:
        add_any_rule(w, in);
        break;
    case 3:
        (void)net_rules_delete(&w->net.rules, take(in));
        break;
    case 4:
        toggle(w, in);
        break;
    case 5:
        tdf_source_advance_ns(&w->source, UINT64_C(1) << take(in) % 42);
        (void)timers_run(&w->timers);
        break;
    case 6:
        have_turns(w, in);
        break;
    case 7:
        limit(w, in);
        break;
    case 8:
        fill(w, in);
        break;
    case 9:
        configure_trunk(w, in);
        break;
    default:
        send_many(w, in);
        break;
    }
    check_rules(w);
    if (i % 16 == 0)
        check_bridges(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {.data = data, .left = size};
    struct world *w = calloc(1, sizeof(*w));
    require(w != NULL);
    open_world(w, &in);
    for (int i = 0; i < OPS_MAX && in.left > 0; i++)
        step(w, &in, i);
    close_world(w);
    free(w);
    return 0;
}
