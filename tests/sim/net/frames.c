/* SPDX-License-Identifier: MIT */
/*
 * frames: two network interfaces, each the other's network, on a seeded scheduler: whatever order
 * sends, turns, looks, sleeps, posts and reconnects come in, each frame arrives whole and once, in
 * order, or is counted as dropped once.
 *
 *     frames --seeds FROM:COUNT
 *
 * Doorbells and events are used only when the other side asked for them, and who sleeps does not
 * look: so a wake-up that is lost leaves frames behind, which the end of each seed notices.
 * Exit status: 0 all held; 1 a law was broken, with the seed to repeat it; 2 wrong arguments.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "fakes/fake_vif.h"
#include "ring/evtchn.h"

enum { STEPS = 3000, IDS_MAX = 65536, ID_AT = 14, HEAD_BYTES = 18, TURNS_MAX = 100000 };

struct side {
    struct fake_vif v;
    struct side *other;
    struct vif_stats total; /* of connections that have ended */
    bool awake;             /* the front end looks at its rings */
    bool posts;             /* it posts pages; else it is slow */
    uint32_t next_id;       /* of what it sends */
    uint32_t last_seen;     /* id + 1 of what it received last */
    uint64_t sent, received;
    uint64_t tx_lost;  /* on the tx ring when a connection ended */
    uint64_t taken_in; /* frames moved to it from the other one's network */
};

struct sim {
    struct side side[2];
    struct prng random;
    uint64_t seed;
    uint32_t step;
    struct fake_rx got;
    uint8_t bytes[FAKE_NETFRONT_FRAME_MAX];
};

static void broken_law(const struct sim *s, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));

static void broken_law(const struct sim *s, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "frames: seed %llu, step %u: ", (unsigned long long)s->seed, s->step);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static uint32_t below(struct sim *s, uint32_t bound)
{
    return (uint32_t)prng_below(&s->random, bound);
}

static void fill(uint8_t *data, uint32_t length_bytes, uint32_t id)
{
    fake_network_fill(data, length_bytes, id);
    memcpy(data + ID_AT, &id, sizeof(id));
}

static void ring(struct side *side, bool notify)
{
    if (notify)
        pollables_wake(&side->v.loop, &side->v.peer);
}

static void send_frame(struct sim *s, struct side *side)
{
    static const uint32_t sizes[] = {64, 1514, 9014, 65535};
    uint32_t most = sizes[below(s, 4)];
    uint32_t length = HEAD_BYTES + below(s, most - HEAD_BYTES + 1);
    struct fake_tx how = {.piece_bytes = length > 18 * 1000 ? 0 : 1000 + below(s, 3000)};
    bool notify;
    if (side->next_id == IDS_MAX)
        return;
    if (below(s, 4) == 0)
        how.gso_type = (uint8_t)(1 + below(s, 2));
    how.gso_size = 1448;
    fill(s->bytes, length, side->next_id);
    if (fake_netfront_send(&side->v.front, s->bytes, length, &how, &notify) == 0)
        return;
    side->next_id++;
    side->sent++;
    ring(side, notify);
}

static void post(struct sim *s, struct side *side, uint32_t most)
{
    bool notify;
    (void)fake_netfront_post(&side->v.front, 1 + below(s, most), &notify);
    ring(side, notify);
}

static void check_frame(struct sim *s, struct side *side)
{
    uint32_t id;
    if (s->got.failed)
        broken_law(s, "a page could not be written");
    if (s->got.length_bytes < HEAD_BYTES)
        broken_law(s, "a frame of %u bytes", s->got.length_bytes);
    memcpy(&id, s->got.data + ID_AT, sizeof(id));
    if (id < side->last_seen || id >= side->other->next_id)
        broken_law(s, "frame %u comes after %u", id, side->last_seen);
    fill(s->bytes, s->got.length_bytes, id);
    if (memcmp(s->bytes, s->got.data, s->got.length_bytes) != 0)
        broken_law(s, "frame %u is not what was sent", id);
    side->last_seen = id + 1;
    side->received++;
}

static void take_answers(struct sim *s, struct side *side)
{
    struct netif_tx_response rsp;
    int rc;
    while ((rc = netif_tx_take_response(&side->v.front.tx, &rsp)) == 1) {
        if (rsp.status != NETIF_RSP_OKAY && rsp.status != NETIF_RSP_NULL)
            broken_law(s, "status %d", rsp.status);
    }
    if (rc < 0)
        broken_law(s, "the tx ring's index");
}

/* Takes all that there is, then sleeps, as a front end does: asks for events and looks again. */
static void front_runs(struct sim *s, struct side *side)
{
    int rc;
    do {
        take_answers(s, side);
        while ((rc = fake_netfront_receive(&side->v.front, &s->got)) == 1)
            check_frame(s, side);
        if (rc < 0)
            broken_law(s, "the rx ring's slots make no frame");
        if (side->posts)
            post(s, side, NETIF_RING_ENTRIES);
    } while (front_ring_final_check(&side->v.front.tx.half) ||
             front_ring_final_check(&side->v.front.rx.half));
    side->awake = false;
}

/* An event wakes the front end. */
static void look_for_events(struct side *side)
{
    struct shared_info *si = side->v.front.segment.shared_info;
    uint64_t pending = si->evtchn_pending[0];
    si->evtchn_pending[0] = 0;
    si->vcpu_info[FAKE_VIF_VCPU].evtchn_upcall_pending = 0;
    si->vcpu_info[FAKE_VIF_VCPU].evtchn_pending_sel = 0;
    side->awake = side->awake || pending != 0;
}

/* What came off one's ring goes to the other one. */
static void carry(struct side *side)
{
    struct fake_network *net = &side->v.net;
    for (uint32_t i = 0; i < net->count; i++) {
        side->other->taken_in++;
        net_port_output(&side->other->v.port, net->frame[i], fake_vif_now_ns(&side->other->v));
    }
    fake_network_clear(net);
}

static void back_turns(struct sim *s, struct side *side)
{
    switch (below(s, 3)) {
    case 0:
        (void)pollables_turn(&side->v.loop, fake_vif_now_ns(&side->v));
        break;
    case 1:
        (void)net_turns_run(&side->v.net.turns);
        carry(side);
        break;
    default:
        (void)pollables_settle(&side->v.loop, fake_vif_now_ns(&side->v));
        break;
    }
}

/* What is on the tx ring then is lost, as ever. */
static void end_connection(struct sim *s, struct side *side)
{
    front_runs(s, side);
    fake_vif_disconnect(&side->v, &side->total);
    side->tx_lost = side->sent - side->total.tx_frames;
}

static void start_connection(struct sim *s, struct side *side)
{
    fake_netfront_restart(&side->v.front, below(s, 2) == 0 ? 0 : UINT32_MAX - below(s, 300));
    side->v.config.features.sg = below(s, 8) != 0;
    side->v.config.features.gso_tcpv4 = below(s, 4) != 0;
    side->v.config.features.stamps = below(s, 2) != 0;
    if (fake_vif_connect(&side->v) < 0)
        broken_law(s, "cannot connect");
    side->awake = true;
}

static void reconnect(struct sim *s, struct side *side)
{
    end_connection(s, side);
    start_connection(s, side);
}

static void one_step(struct sim *s)
{
    struct side *side = &s->side[below(s, 2)];
    uint32_t what = below(s, 100);
    look_for_events(side);
    if (what < 25)
        send_frame(s, side);
    else if (what < 75)
        back_turns(s, side);
    else if (what < 90 && side->awake)
        front_runs(s, side);
    else if (what < 94)
        post(s, side, 40);
    else if (what < 96)
        side->posts = below(s, 3) != 0;
    else if (what < 98)
        tdf_source_advance_ns(&side->v.time,
                              below(s, 20) == 0 ? VIF_STALL_NS : below(s, 2000000000));
    else if (below(s, 20) == 0)
        reconnect(s, side);
}

static uint64_t waiting(const struct side *side)
{
    return side->v.q->waiting_count;
}

static bool is_quiet(const struct side *side)
{
    return side->v.loop.active_count == 0 && !net_turns_waits(&side->v.net.turns) && !side->awake;
}

/* Everybody goes on until nobody has a reason to. */
static void come_to_rest(struct sim *s)
{
    for (uint32_t turn = 0; turn < TURNS_MAX; turn++) {
        bool quiet = true;
        for (uint32_t i = 0; i < 2; i++) {
            struct side *side = &s->side[i];
            tdf_source_advance_ns(&side->v.time, 100000); /* spins end */
            look_for_events(side);
            if (side->awake)
                front_runs(s, side);
            (void)pollables_turn(&side->v.loop, fake_vif_now_ns(&side->v));
            (void)net_turns_run(&side->v.net.turns);
            carry(side);
            (void)pollables_settle(&side->v.loop, fake_vif_now_ns(&side->v));
            look_for_events(side);
        }
        for (uint32_t i = 0; i < 2; i++)
            quiet = quiet && is_quiet(&s->side[i]);
        if (quiet)
            return;
    }
    broken_law(s, "it does not come to rest");
}

/* First with frames that wait for pages, as far as front ends are slow; then these post some. */
static void run_down(struct sim *s)
{
    come_to_rest(s);
    for (uint32_t i = 0; i < 2; i++) {
        s->side[i].awake = !s->side[i].posts;
        s->side[i].posts = true;
    }
    come_to_rest(s);
}

static void check_laws(struct sim *s)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct side *side = &s->side[i];
        if (waiting(side) != 0 || side->v.front.tx.half.rsp_cons != side->v.front.tx.half.req_prod)
            broken_law(s, "side %u sleeps over frames: a wake-up was lost", i);
        vif_stats_add(&side->total, &side->v.q->stats);
        const struct vif_stats *total = &side->total;
        if (total->tx_frames + side->tx_lost != side->sent)
            broken_law(s, "side %u: sent %llu, taken %llu", i, (unsigned long long)side->sent,
                       (unsigned long long)total->tx_frames);
        if (side->other->taken_in != total->tx_frames)
            broken_law(s, "side %u: frames are lost on the way", i);
        if (vif_stats_delivered(total) != side->taken_in)
            broken_law(s, "side %u: %llu frames delivered, %llu accounted for", i,
                       (unsigned long long)side->taken_in,
                       (unsigned long long)vif_stats_delivered(total));
        if (total->rx_frames != side->received)
            broken_law(s, "side %u: %llu frames put on the ring, %llu received", i,
                       (unsigned long long)total->rx_frames, (unsigned long long)side->received);
        uint64_t drops = fake_vif_drops(&side->v);
        if (side->v.port.out.frames + drops != side->taken_in ||
            side->v.port.out.frames != side->received)
            broken_law(s, "side %u: the port counts %llu and %llu drops", i,
                       (unsigned long long)side->v.port.out.frames, (unsigned long long)drops);
    }
}

/* Returns the frames received. */
static uint64_t run(struct sim *s, uint64_t seed)
{
    memset(s, 0, sizeof(*s));
    s->seed = seed;
    prng_init(&s->random, seed, 1);
    for (uint32_t i = 0; i < 2; i++) {
        s->side[i].other = &s->side[1 - i];
        s->side[i].posts = true;
        if (fake_vif_open(&s->side[i].v, 0) < 0)
            broken_law(s, "no memory");
        s->side[i].v.loop.no_spin = below(s, 2) == 0;
        start_connection(s, &s->side[i]);
    }
    for (; s->step < STEPS; s->step++)
        one_step(s);
    run_down(s);
    check_laws(s);
    uint64_t received = s->side[0].received + s->side[1].received;
    for (uint32_t i = 0; i < 2; i++)
        fake_vif_close(&s->side[i].v);
    return received;
}

int main(int argc, char **argv)
{
    unsigned long long first, count, total = 0;
    if (argc != 3 || strcmp(argv[1], "--seeds") != 0 ||
        sscanf(argv[2], "%llu:%llu", &first, &count) != 2) {
        fprintf(stderr, "usage: frames --seeds FROM:COUNT\n");
        return 2;
    }
    struct sim *s = malloc(sizeof(*s));
    if (s == NULL)
        return 1;
    for (unsigned long long i = 0; i < count; i++)
        total += run(s, first + i);
    printf("%llu seeds, %llu frames received\n", count, total);
    free(s);
    return 0;
}
