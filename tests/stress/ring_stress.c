/* SPDX-License-Identifier: MIT */
#include "ring_stress.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "ring/barrier.h"

#include "ring/blkif_back_ring.h"
#include "ring/blkif_front_ring.h"
#include "ring/evtchn.h"

enum {
    PORT = 7,
    VCPU = 0,
    TOTAL_OFFSET = 3840,          /* behind shared_info */
    SRING_OFFSET = XEN_PAGE_SIZE, /* shared_info comes first */
    PHASE_REQUESTS = 2000,        /* how long a mood lasts */
    SILENCE_MAX = 10,             /* waits without any work before the peer is given up */
};

static size_t shared_bytes(const struct ring_stress *stress)
{
    return SRING_OFFSET + ((size_t)XEN_PAGE_SIZE << stress->page_order);
}

static struct shared_info *shared_info_of(const struct ring_stress *stress)
{
    return stress->shared;
}

/* How many requests there will be: the front end lowers it when its time is over. */
static uint64_t *total_of(const struct ring_stress *stress)
{
    return (uint64_t *)(void *)((uint8_t *)stress->shared + TOTAL_OFFSET);
}

static struct sring *sring_of(const struct ring_stress *stress)
{
    return (struct sring *)(void *)((uint8_t *)stress->shared + SRING_OFFSET);
}

int ring_stress_open(struct ring_stress *stress)
{
    stress->shared =
        mmap(NULL, shared_bytes(stress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (stress->shared == MAP_FAILED)
        return -errno;
    stress->doorbell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (stress->doorbell < 0) {
        int rc = -errno;
        munmap(stress->shared, shared_bytes(stress));
        return rc;
    }
    sring_init(sring_of(stress), stress->index);
    *total_of(stress) = stress->requests;
    return 0;
}

void ring_stress_close(struct ring_stress *stress)
{
    close(stress->doorbell);
    munmap(stress->shared, shared_bytes(stress));
}

/* How a side behaves for a while. */
struct mood {
    uint64_t random;
    uint64_t until; /* requests */
    uint32_t batch_max;
    uint32_t think_max; /* turns of an empty loop */
};

static uint32_t draw(struct mood *mood, uint32_t below)
{
    mood->random ^= mood->random >> 12;
    mood->random ^= mood->random << 25;
    mood->random ^= mood->random >> 27;
    return (uint32_t)((mood->random * 0x2545f4914f6cdd1dull) >> 33) % below;
}

static void change_mood(struct mood *mood, uint64_t done)
{
    static const uint32_t batches[] = {1, 1, 2, 8, BLKIF_RING_ENTRIES_MAX};
    static const uint32_t thoughts[] = {1, 1, 20, 200, 2000};
    if (done < mood->until)
        return;
    mood->until = done + 1 + draw(mood, PHASE_REQUESTS);
    mood->batch_max = batches[draw(mood, 5)];
    mood->think_max = thoughts[draw(mood, 5)];
}

static void think(struct mood *mood)
{
    for (uint32_t i = draw(mood, mood->think_max); i > 0; i--)
        cpu_relax();
}

/* What an answer says about its request: the back end must have read all of it right. */
static int16_t digest(const struct blkif_request *req)
{
    uint64_t sum = req->id * 3 + req->sector_number * 5 + req->nr_segments;
    for (uint32_t i = 0; i < req->nr_segments; i++)
        sum = sum * 31 + req->seg[i].gref + req->seg[i].last_sect;
    return (int16_t)((sum ^ (sum >> 32)) & 0x7fff);
}

struct front_side {
    const struct ring_stress *stress;
    struct ring_stress_report *report;
    struct blkif_front_ring ring;
    struct mood mood;
    uint64_t issued;
    uint64_t total;
    time_t end;
    uint64_t id[BLKIF_RING_ENTRIES_MAX]; /* of what is in flight, else 0 */
    int16_t digest[BLKIF_RING_ENTRIES_MAX];
    uint32_t free_slots[BLKIF_RING_ENTRIES_MAX];
    uint32_t nr_free;
    uint32_t silence;
};

static void front_issue(struct front_side *front)
{
    uint32_t count = draw(&front->mood, front->mood.batch_max + 1);
    while (count-- > 0 && front_ring_free(&front->ring.half) > 0 && front->issued < front->total) {
        uint32_t slot = front->free_slots[--front->nr_free];
        struct blkif_request req = {.operation = BLKIF_OP_READ,
                                    .nr_segments = (uint8_t)draw(&front->mood, 12),
                                    .id = (++front->issued << 16) | slot,
                                    .sector_number = front->mood.random};
        for (uint32_t i = 0; i < req.nr_segments; i++)
            req.seg[i] = (struct blkif_request_segment){.gref = draw(&front->mood, 4096),
                                                        .last_sect = (uint8_t)i};
        front->id[slot] = req.id;
        front->digest[slot] = digest(&req);
        blkif_put_request(&front->ring, &req);
    }
    if (front_ring_push(&front->ring.half)) {
        front->report->notifications++;
        if (evtchn_kick(front->stress->doorbell) < 0)
            front->report->broken = "the doorbell can't be written";
    }
}

static void front_collect(struct front_side *front)
{
    struct blkif_response rsp;
    int rc;
    while ((rc = blkif_take_response(&front->ring, &rsp)) == 1) {
        uint32_t slot = (uint32_t)(rsp.id & 0xffff);
        if (slot >= BLKIF_RING_ENTRIES_MAX || front->id[slot] != rsp.id ||
            front->digest[slot] != rsp.status) {
            front->report->broken = "an answer does not fit its request";
            return;
        }
        front->id[slot] = 0;
        front->free_slots[front->nr_free++] = slot;
        front->report->requests++;
        front->silence = 0;
    }
    if (rc < 0)
        front->report->broken = "rsp_prod makes no sense";
}

static void ignore_port(void *ctx, evtchn_port_t port)
{
    (void)ctx;
    (void)port;
}

/* Two halves, so that a peer which is merely being held up between index and event is no loss. */
static void front_sleep(struct front_side *front)
{
    struct shared_info *si = shared_info_of(front->stress);
    int64_t half_ns = (int64_t)front->stress->patience_ms * 1000000 / 2;
    front->report->sleeps++;
    if (evtchn_wait(si, VCPU, half_ns) == -ETIMEDOUT) {
        if (!front_ring_has_hint(&front->ring.half)) {
            if (++front->silence > SILENCE_MAX)
                front->report->broken = "the back end does not answer";
        } else if (evtchn_wait(si, VCPU, half_ns) == -ETIMEDOUT) {
            front->report->lost++;
        }
    }
    evtchn_collect(si, VCPU, ignore_port, NULL);
}

/* When time is over, what has been issued is all; the back end may be asleep and must learn it. */
static void front_watch_time(struct front_side *front)
{
    if (front->issued == front->total || time(NULL) < front->end)
        return;
    front->total = front->issued;
    store_release_u64(total_of(front->stress), front->total);
    if (evtchn_kick(front->stress->doorbell) < 0)
        front->report->broken = "the doorbell can't be written";
}

void ring_stress_front(const struct ring_stress *stress, struct ring_stress_report *report)
{
    struct front_side front = {.stress = stress,
                               .report = report,
                               .mood = {.random = stress->seed * 2 + 1},
                               .total = stress->requests,
                               .end = time(NULL) + stress->seconds,
                               .nr_free = blkif_ring_entries(stress->page_order)};
    *report = (struct ring_stress_report){0};
    for (uint32_t i = 0; i < front.nr_free; i++)
        front.free_slots[i] = i;
    front_ring_init(&front.ring.half, sring_of(stress), front.nr_free, stress->index);
    while (report->requests < front.total && report->broken == NULL) {
        change_mood(&front.mood, report->requests);
        front_watch_time(&front);
        front_issue(&front);
        think(&front.mood);
        front_collect(&front);
        if (front.issued == report->requests || front_ring_final_check(&front.ring.half))
            continue;
        front_sleep(&front);
    }
}

struct back_side {
    const struct ring_stress *stress;
    struct ring_stress_report *report;
    struct blkif_back_ring ring;
    struct mood mood;
    struct blkif_request taken[BLKIF_RING_ENTRIES_MAX];
    uint32_t nr_taken;
    uint32_t silence;
};

static void back_take(struct back_side *back)
{
    int waiting = back_ring_look(&back->ring.half);
    if (waiting < 0) {
        back->report->broken = "req_prod makes no sense";
        return;
    }
    for (; waiting > 0; waiting--)
        blkif_take_request(&back->ring, &back->taken[back->nr_taken++]);
}

/* Any number of answers, in any order. */
static void back_answer(struct back_side *back)
{
    uint32_t count = draw(&back->mood, back->mood.batch_max + 1);
    while (count-- > 0 && back->nr_taken > 0) {
        uint32_t pick = draw(&back->mood, back->nr_taken);
        struct blkif_request req = back->taken[pick];
        back->taken[pick] = back->taken[--back->nr_taken];
        blkif_put_response(&back->ring, req.id, req.operation, digest(&req));
        back->report->requests++;
        back->silence = 0;
    }
    if (back_ring_push(&back->ring.half)) {
        struct shared_info *si = shared_info_of(back->stress);
        back->report->notifications++;
        if (evtchn_set_pending(si, PORT, VCPU))
            (void)evtchn_wake(si, VCPU);
    }
}

static bool back_doorbell_rang(struct back_side *back, uint32_t patience_ms)
{
    struct pollfd wait_for = {.fd = back->stress->doorbell, .events = POLLIN};
    int rc;
    do
        rc = poll(&wait_for, 1, (int)patience_ms);
    while (rc < 0 && errno == EINTR);
    return rc > 0;
}

static void back_sleep(struct back_side *back)
{
    uint64_t count;
    uint32_t half_ms = back->stress->patience_ms / 2;
    back->report->sleeps++;
    if (!back_doorbell_rang(back, half_ms)) {
        if (back_ring_look(&back->ring.half) == 0) {
            if (++back->silence > SILENCE_MAX)
                back->report->broken = "the front end does not ask";
        } else if (!back_doorbell_rang(back, half_ms)) {
            back->report->lost++;
        }
    }
    if (read(back->stress->doorbell, &count, sizeof(count)) < 0 && errno != EAGAIN)
        back->report->broken = "the doorbell can't be read";
}

void ring_stress_back(const struct ring_stress *stress, struct ring_stress_report *report)
{
    struct back_side back = {
        .stress = stress, .report = report, .mood = {.random = stress->seed * 2 + 0x10001}};
    *report = (struct ring_stress_report){0};
    back_ring_init(&back.ring.half, sring_of(stress), blkif_ring_entries(stress->page_order),
                   stress->index);
    while (report->requests < load_acquire_u64(total_of(stress)) && report->broken == NULL) {
        change_mood(&back.mood, report->requests);
        back_take(&back);
        think(&back.mood);
        back_answer(&back);
        if (back.nr_taken > 0 || report->requests == load_acquire_u64(total_of(stress)) ||
            back_ring_final_check(&back.ring.half))
            continue;
        back_sleep(&back);
    }
}

int ring_stress_judge(const struct ring_stress *stress, const char *side,
                      const struct ring_stress_report *report)
{
    uint64_t requests = load_acquire_u64(total_of(stress));
    printf("%-5s %llu requests, %llu notifications sent, %llu sleeps, %llu wake-ups lost%s%s\n",
           side, (unsigned long long)report->requests, (unsigned long long)report->notifications,
           (unsigned long long)report->sleeps, (unsigned long long)report->lost,
           report->broken != NULL ? "; broken: " : "",
           report->broken != NULL ? report->broken : "");
    return report->requests != requests || report->lost != 0 || report->broken != NULL;
}

static void usage(const char *program)
{
    fprintf(stderr,
            "usage: %s [options]\n"
            "  --requests N     at most; default 1000000000\n"
            "  --seconds N      at most; default STRESS_SECONDS of the environment, else 5\n"
            "  --page-order N   2^N pages of ring, 0..4; default 0\n"
            "  --start N        first index; default 4294967292, just below the wrap\n"
            "  --patience-ms N  a sleep this long with work on the ring is a lost wake-up; "
            "default 2000\n"
            "  --seed N         default 1\n",
            program);
    exit(2);
}

void ring_stress_options(struct ring_stress *stress, int argc, char **argv)
{
    const char *environment = getenv("STRESS_SECONDS");
    int seconds = environment != NULL ? atoi(environment) : 0;
    static const struct option options[] = {{"requests", required_argument, NULL, 'r'},
                                            {"seconds", required_argument, NULL, 't'},
                                            {"page-order", required_argument, NULL, 'o'},
                                            {"start", required_argument, NULL, 'i'},
                                            {"patience-ms", required_argument, NULL, 'p'},
                                            {"seed", required_argument, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    *stress = (struct ring_stress){.requests = 1000000000,
                                   .seconds = seconds > 0 ? (uint32_t)seconds : 5,
                                   .index = UINT32_MAX - 3,
                                   .patience_ms = 2000,
                                   .seed = 1};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        char *end = NULL;
        errno = 0;
        unsigned long long value = optarg != NULL ? strtoull(optarg, &end, 10) : 0;
        if (c == '?' || end == optarg || *end != '\0' || *optarg == '-' || errno != 0 ||
            (c != 'r' && c != 's' && value > UINT32_MAX))
            usage(argv[0]);
        if (c == 'r')
            stress->requests = value;
        else if (c == 't')
            stress->seconds = (uint32_t)value;
        else if (c == 'o')
            stress->page_order = (uint32_t)value;
        else if (c == 'i')
            stress->index = (uint32_t)value;
        else if (c == 'p')
            stress->patience_ms = (uint32_t)value;
        else
            stress->seed = value;
    }
    if (optind != argc || stress->page_order > BLKIF_RING_PAGE_ORDER_MAX ||
        stress->patience_ms < 2 || stress->patience_ms > INT32_MAX)
        usage(argv[0]);
}
