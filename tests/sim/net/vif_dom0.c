/* SPDX-License-Identifier: MIT */
/* Dom0, as its loop has it (service/loop/worker.c, dom0/dom0_network.c), on a strand. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "service/dom0/toolstack.h"
#include "service/dom0/vifs/vif_links.h"
#include "service/dom0/vifs/vif_rules.h"
#include "service/dom0/vifs/vifs.h"
#include "vif_world.h"
#include "xenstore/server/xs_local.h"

enum { STORE_BUDGET = 4, ROUNDS_PER_TURN = 4, LINK_WATCH_NS = 50000 };

static void on_lost(void *ctx)
{
    struct front *f = ctx;
    world_fail(f->world, "Dom0 gives domain %u up", f->domid);
}

static void on_gone(void *ctx, struct xenbus_back *back)
{
    struct front *f = ctx;
    (void)back;
    world_fail(f->world, "Dom0 takes the interface of domain %u away", f->domid);
}

static uint64_t now_of(void *ctx)
{
    (void)ctx;
    return strand_now_ns();
}

/* ---- domains ---- */

static void make_vif(struct front *f)
{
    struct world *w = f->world;
    struct vif_spec spec;
    struct why why;
    char text[128];
    const struct vifs_owner owner = {.domid = f->domid, .clock = &f->dom0_clock};
    int at =
        snprintf(text, sizeof(text), "mac=00:16:3e:00:00:%02x,bridge=br%u", f->mac[5], f->bridge);
    if (f->kind != FRONT_HOSTILE && world_pick(w, 4) == 0)
        snprintf(text + at, sizeof(text) - (size_t)at, ",rate=%uMb/s@%ums",
                 10 + world_pick(w, world_pick(w, 2) == 0 ? 50 : 2000), 1 + world_pick(w, 50));
    if (vif_spec_parse(text, &spec, &why) < 0 ||
        vifs_prepare(w->vifs, &owner, 0, &spec, false, &f->use, &why) < 0)
        abort();
    f->use->options.now_ns = now_of;
    f->use->options.max_queues = w->max_queues;
    f->use->options.stamps = world_pick(w, 3) != 0;
    f->use->options.persistent = world_pick(w, 3) == 0;
}

static void make_link(struct front *f)
{
    static const char *const plain[] = {
        "delay=%uus", "rate=%uMbit",         "rate=%uMbit delay=1ms queue=20",
        "loss=%u%%",  "delay=%uus way=down", "frame=real delay=%uus"};
    static const char *const odd[] = {"duplicate=%u%%",
                                      "delay=1ms jitter=%uus",
                                      "reorder=%u%% delay=1ms",
                                      "rate=%uMbit aqm=codel:50us:1ms ecn=on",
                                      "delay=%uus",
                                      "rate=%uMbit aqm=red:3000b:9000b:50%%"};
    struct world *w = f->world;
    char text[160], words[64], *answer = NULL;
    struct why why;
    const char *format =
        w->chances && world_pick(w, 2) == 0 ? odd[world_pick(w, 6)] : plain[world_pick(w, 6)];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(words, sizeof(words), format, 1 + world_pick(w, 60));
#pragma GCC diagnostic pop
    snprintf(text, sizeof(text), "vif%u.0 seed=%u %s", f->domid, world_pick(w, 1000), words);
    if (vif_links_command(w->vifs, text, &answer, &why) < 0)
        world_fail(w, "%s: %s", text, why.text);
    world_say(w, "net-link %s", text);
    free(answer);
}

static void domain_birth(struct front *f)
{
    struct world *w = f->world;
    uint32_t queues = f->kind == FRONT_OURS ? f->want_queues : 1;
    laws_device_begins(f);
    f->tdf = (struct tdf){1, 1};
    if (f->kind == FRONT_OURS) {
        uint32_t pages = segment_pages_for(queues * (2 * f->page_slots + 2));
        if (segment_create(pages, f->domid, &f->segment, &f->fd) < 0)
            abort();
    } else {
        if (fake_netfront_open(&f->other, f->domid,
                               world_pick(w, 2) == 0 ? 0 : UINT32_MAX - world_pick(w, 300)) < 0)
            abort();
        f->segment = f->other.segment;
    }
    if (tdf_clock_init(&f->dom0_clock, &w->source, f->segment.shared_info, 1 + 2 * WORLD_QUEUES_MAX,
                       f->tdf) < 0 ||
        xs_server_introduce(w->store, f->domid) < 0 ||
        toolstack_create_domain(w->store, &(struct toolstack_domain){.domid = f->domid}) < 0)
        abort();
    make_vif(f);
    const struct back_spec device = {&vif_class, 0, &f->use->options};
    if (toolstack_create_device(w->store, f->domid, &device) < 0)
        abort();
    poll_peer_init(&f->peer, f->segment.hints);
    f->evtchn = (struct evtchn_table){0};
    evtchn_table_reserve(&f->evtchn, SEGMENT_STORE_EVTCHN, 0);
    for (uint32_t i = 0; i < 2 * WORLD_QUEUES_MAX; i++)
        f->port[i] = (evtchn_port_t)evtchn_table_alloc(&f->evtchn, 1 + i);
    f->doorbell = false;
    f->settings = (struct back_settings){.weight = 1 + world_pick(w, 1000), .disk_scale = {1, 1}};
    f->seen_by_dom0 = (struct back_domain){.domid = f->domid,
                                           .segment = &f->segment,
                                           .fault_slot = -1,
                                           .evtchn = &f->evtchn,
                                           .clock = &f->dom0_clock,
                                           .tdf = &f->tdf,
                                           .peer = &f->peer,
                                           .settings = &f->settings};
    const struct back_owner owner = {.lost = on_lost, .gone = on_gone, .ctx = f};
    if (xenbus_back_create(&w->host, &f->seen_by_dom0, &device, &owner, &f->back) < 0)
        abort();
    if (w->links && world_pick(w, 2) == 0)
        make_link(f);
    f->phase = FRONT_WAITS;
}

/* Its memory, too. */
static void domain_death(struct front *f)
{
    f->phase = FRONT_ABSENT;
    if (f->back == NULL)
        return;
    xenbus_back_destroy(f->back);
    f->back = NULL;
    vifs_release(f->use);
    f->use = NULL;
    if (toolstack_remove_domain(f->world->store, f->domid) < 0)
        abort();
    xs_server_release(f->world->store, f->domid);
    if (f->kind == FRONT_OURS) {
        segment_detach(&f->segment);
        close(f->fd);
    } else {
        fake_netfront_close(&f->other);
    }
}

/* ---- the administrator ---- */

static void add_rule(struct world *w)
{
    static const char *const rules[] = {"add proto=tcp drop",
                                        "add limit=1000/second",
                                        "add in=vif1.0 drop",
                                        "add accept",
                                        "flush",
                                        "flush",
                                        "add state=new drop",
                                        "add mirror=vif2.0"};
    uint32_t which = world_pick(w, w->chances ? 8 : 7);
    char *answer = NULL;
    struct why why;
    int rc = vif_rules_command(&w->vifs->net.rules, rules[which], &answer, &why);
    if (rc < 0)
        world_fail(w, "rule %s: %s", rules[which], why.text);
    w->copies |= which == 7;
    free(answer);
}

static void administer(struct world *w)
{
    if (w->draining || world_pick(w, 60) != 0)
        return;
    struct front *f = &w->front[world_pick(w, WORLD_FRONTS)];
    if (w->links && f->back != NULL && (w->chances || f->use->link == NULL))
        make_link(f);
    else if (w->links && f->back != NULL && f->use->link != NULL && world_pick(w, 3) == 0)
        vifs_drop_link(f->use);
    else if (world_pick(w, 4) == 0)
        add_rule(w);
}

/* ---- the loop ---- */

static void look_at_events(struct world *w)
{
    for (int i = 0; i < WORLD_FRONTS; i++) {
        struct front *f = &w->front[i];
        if (f->doorbell && f->back != NULL)
            pollables_wake(&w->loop, &f->peer);
        f->doorbell = false;
        if (f->phase == FRONT_DEAD)
            domain_death(f);
        else if (f->phase == FRONT_ASKED)
            domain_birth(f);
    }
    if (timers_next_deadline(&w->timers) <= strand_now_ns())
        (void)timers_run(&w->timers);
    administer(w);
}

static bool has_reason(void *ctx)
{
    struct world *w = ctx;
    bool any = w->dom0_ends || !w->dom0_asleep || !xs_server_idle(w->store) ||
               timers_next_deadline(&w->timers) <= strand_now_ns();
    for (int i = 0; i < WORLD_FRONTS; i++) {
        const struct front *f = &w->front[i];
        any |= f->doorbell || f->phase == FRONT_DEAD || f->phase == FRONT_ASKED;
    }
    return any;
}

static void turn(struct world *w)
{
    uint32_t work = 1;
    w->dom0_asleep = false;
    strand_step(); /* a turn takes time, also one in which nothing happens */
    strand_mute(true);
    look_at_events(w);
    strand_mute(false);
    for (uint32_t round = 0; work > 0 && round < ROUNDS_PER_TURN; round++) {
        work = pollables_turn(&w->loop, strand_now_ns());
        work += net_turns_run(&w->vifs->net.turns) > 0 || net_turns_waits(&w->vifs->net.turns);
        strand_mute(true);
        work += xs_server_run(w->store, STORE_BUDGET);
        strand_mute(false);
    }
    if (work == 0)
        w->dom0_asleep =
            pollables_settle(&w->loop, strand_now_ns()) && !net_turns_waits(&w->vifs->net.turns);
}

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

static void dom0_runs(void *arg)
{
    struct world *w = arg;
    for (;;) {
        (void)strand_await(has_reason, w, 0);
        if (w->dom0_ends)
            (void)strand_await(never, NULL, 0);
        turn(w);
    }
}

static void join_bridges(struct world *w)
{
    static const char *const trunks[] = {"br0 br1 delay=100us", "br0 br1 rate=500Mbit",
                                         "br0 br1 loss=1%"};
    char *answer = NULL;
    struct why why;
    if (world_pick(w, 3) == 0)
        return;
    if (vif_links_command(w->vifs, trunks[world_pick(w, 3)], &answer, &why) < 0)
        world_fail(w, "the bridges cannot be joined: %s", why.text);
    free(answer);
}

void dom0_birth(struct world *w)
{
    w->max_queues = 1 + world_pick(w, WORLD_QUEUES_MAX);
    timers_init(&w->timers);
    if (xs_server_create(NULL, &w->store) < 0 ||
        tdf_clock_init(&w->real_clock, &w->source, NULL, 0, (struct tdf){1, 1}) < 0)
        abort();
    timers_add_clock(&w->timers, &w->real_time, &w->real_clock);
    w->loop = (struct pollables){.no_spin = world_pick(w, 2)};
    w->host = (struct back_host){
        .store = w->store, .log = w->log, .log_limit = &w->log_limit, .pollables = &w->loop};
    const struct vifs_config config = {.timers = &w->timers,
                                       .real_time = &w->real_time,
                                       .idle_time = &w->real_time,
                                       .close_watch_ns = LINK_WATCH_NS,
                                       .seed = prng_next(&w->random),
                                       .address_seed = 1};
    w->vifs = calloc(1, sizeof(*w->vifs));
    if (w->vifs == NULL || vifs_init(w->vifs, &config) < 0)
        abort();
    for (uint32_t i = 0; i < 2; i++) {
        char name[8];
        struct net_bridge *bridge;
        snprintf(name, sizeof(name), "br%u", i);
        if (net_add_bridge(&w->vifs->net, name, &bridge) < 0)
            abort();
        laws_hook_bridge(w, bridge);
    }
    if (w->links)
        join_bridges(w);
    w->dom0_lives = true;
    w->dom0_asleep = w->dom0_ends = w->copies = false;
    strand_start(&w->dom0, dom0_runs, w);
}

bool dom0_limits(const struct front *f)
{
    return f->use->spec.rate_bytes != 0;
}

void dom0_kill(struct world *w)
{
    w->dom0_lives = false;
    for (int i = 0; i < WORLD_FRONTS; i++) {
        struct front *f = &w->front[i];
        if (f->kind != FRONT_OURS && f->phase != FRONT_ABSENT)
            f->phase = FRONT_DEAD; /* it dies with its Dom0 */
    }
}

bool dom0_may_be_buried(const struct world *w)
{
    bool may = true;
    for (int i = 0; i < WORLD_FRONTS; i++)
        may &= w->front[i].phase == FRONT_ABSENT || w->front[i].phase == FRONT_DEAD;
    return may;
}

/* It was killed in the middle of something, which it ends first, unseen by anybody: else what it
 * had allocated would stay. */
void dom0_bury(struct world *w)
{
    w->dom0_ends = true;
    strand_go_on(&w->dom0, UINT32_MAX);
    strand_kill(&w->dom0);
    for (int i = 0; i < WORLD_FRONTS; i++)
        domain_death(&w->front[i]);
    vifs_fini(w->vifs);
    free(w->vifs);
    xs_server_destroy(w->store);
    w->store = NULL;
}
