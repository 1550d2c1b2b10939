/* SPDX-License-Identifier: MIT */
#include "cases.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory_file.h"
#include "ring/barrier.h"
#include "ring/blkif_ring.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* Counts the request. True: the time for the lie has come. */
static bool is_time(struct fake_dom0 *d)
{
    struct back_liar *liar = fake_dom0_ctx(d);
    uint32_t seen = load_relaxed_u32(&liar->seen) + 1;
    store_full_u32(&liar->seen, seen);
    return seen >= BACK_LIE_AFTER;
}

static uint32_t variant(struct fake_dom0 *d)
{
    const struct back_liar *liar = fake_dom0_ctx(d);
    return liar->variant;
}

/* ---- 1: indices ---- */

static void lie_index(struct fake_dom0 *d, const struct blkif_request *req)
{
    const struct back_liar *liar = fake_dom0_ctx(d);
    struct blkif_back_ring *ring = fake_dom0_ring(d);
    /* Backwards by what the client may not have taken yet would only be an answer that never comes.
     */
    const uint32_t lies[] = {ring->half.req_cons + 1, ring->half.rsp_prod - BACK_THREADS - 1,
                             ring->half.req_cons + (1u << 31), ring->half.rsp_prod - (1u << 31)};
    if (!is_time(d)) {
        fake_dom0_serve(d, req);
        return;
    }
    if (liar->seen > BACK_LIE_AFTER)
        return; /* twice half way round is where it was */
    ring->half.rsp_prod_pvt = lies[liar->variant % COUNT(lies)];
    fake_dom0_flush(d);
    fake_dom0_storm(d, 1); /* by the rules, an index that goes back would tell nobody */
}

/* ---- 2, 3, 4: fields of a response ---- */

static void lie_id(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct back_liar *liar = fake_dom0_ctx(d);
    bool now = is_time(d);
    /* no entry; far beyond; a free one; the one that was answered last */
    const uint64_t lies[] = {req->id ^ 1ull << 40, UINT64_MAX, req->id + 100000, liar->kept.id};
    fake_dom0_fill(d, req);
    fake_dom0_respond(d, now ? lies[variant(d) % COUNT(lies)] : req->id, req->operation,
                      BLKIF_RSP_OKAY);
    fake_dom0_flush(d);
    liar->kept = *req;
}

/* The one that is asked now is answered twice, in place of the next one. */
static void lie_twice(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct back_liar *liar = fake_dom0_ctx(d);
    const struct blkif_request *answer = is_time(d) ? &liar->kept : req;
    if (answer == req)
        liar->kept = *req;
    fake_dom0_fill(d, answer);
    fake_dom0_respond(d, answer->id, answer->operation, BLKIF_RSP_OKAY);
    fake_dom0_flush(d);
}

static void lie_operation(struct fake_dom0 *d, const struct blkif_request *req)
{
    const uint8_t lies[] = {BLKIF_OP_WRITE, BLKIF_OP_DISCARD, 255};
    fake_dom0_fill(d, req);
    fake_dom0_respond(d, req->id, is_time(d) ? lies[variant(d) % COUNT(lies)] : req->operation,
                      BLKIF_RSP_OKAY);
    fake_dom0_flush(d);
}

static void lie_status(struct fake_dom0 *d, const struct blkif_request *req)
{
    fake_dom0_fill(d, req);
    fake_dom0_respond(d, req->id, req->operation, is_time(d) ? 1 : BLKIF_RSP_OKAY);
    fake_dom0_flush(d);
}

/* Unknown errors are errors of that read. */
static void lie_error(struct fake_dom0 *d, const struct blkif_request *req)
{
    const int16_t lies[] = {BLKIF_RSP_ERROR, BLKIF_RSP_EOPNOTSUPP, -77, INT16_MIN};
    fake_dom0_fill(d, req);
    fake_dom0_respond(d, req->id, req->operation,
                      is_time(d) ? lies[variant(d) % COUNT(lies)] : BLKIF_RSP_OKAY);
    fake_dom0_flush(d);
}

/* ---- 5: no answer ---- */

static void keep_silent(struct fake_dom0 *d, const struct blkif_request *req)
{
    if (!is_time(d))
        fake_dom0_serve(d, req);
}

/* ---- 6, 9: memory that changes under the client ---- */

static void rewrite_slot(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct blkif_back_ring *ring = fake_dom0_ring(d);
    bool now = is_time(d);
    void *slot = blkif_ring_slot(ring->half.sring, ring->half.nr_ents, ring->half.rsp_prod_pvt);
    fake_dom0_serve(d, req);
    if (now)
        memset(slot, variant(d) == 0 ? 0xff : 0, sizeof(struct blkif_response));
}

/* All pages but those of the request: what was handed out must not lie there any more. */
static void scribble(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct back_liar *liar = fake_dom0_ctx(d);
    (void)is_time(d);
    for (uint32_t i = 0; i < liar->kept.nr_segments; i++)
        memset(fake_dom0_page(d, liar->kept.seg[i].gref), 0xee, XEN_PAGE_SIZE);
    liar->kept = *req;
    fake_dom0_serve(d, req);
}

/* ---- 7: nodes ---- */

static const struct {
    const char *node, *value;
} bad_nodes[] = {{"sectors", "many"},
                 {"sectors", "-1"},
                 {"sectors", "0"},
                 {"sectors", "18446744073709551616"},
                 {"sectors", ""},
                 {"sector-size", "0"},
                 {"sector-size", "513"},
                 {"sector-size", "x"},
                 {"physical-sector-size", "256"},
                 {"physical-sector-size", "4097"},
                 {"info", "read-only"}};

static void bad_disk(struct fake_dom0 *d, struct xs_server *store)
{
    (void)store;
    fake_dom0_node(d, bad_nodes[variant(d)].node, bad_nodes[variant(d)].value);
}

static const struct {
    const char *node, *value;
} bad_features[] = {{"max-ring-page-order", "x"},
                    {"max-ring-page-order", "4294967296"},
                    {"feature-virtual-completion", "2"},
                    {"feature-virtual-completion", "yes"},
                    {"state", "99"},
                    {"state", ""},
                    {"state", "5"},
                    {"state", "6"}};

static void bad_feature(struct fake_dom0 *d, struct xs_server *store)
{
    (void)store;
    fake_dom0_node(d, bad_features[variant(d)].node, bad_features[variant(d)].value);
}

static void huge_numbers(struct fake_dom0 *d, struct xs_server *store)
{
    (void)store;
    fake_dom0_node(d, "max-ring-page-order", "4294967295");
    fake_dom0_node(d, "multi-queue-max-queues", "4294967295");
    fake_dom0_node(d, "feature-max-indirect-segments", "4294967295");
}

/* ---- 8: events ---- */

static void storm(struct fake_dom0 *d, const struct blkif_request *req)
{
    (void)is_time(d);
    fake_dom0_storm(d, 50);
    fake_dom0_serve(d, req);
    fake_dom0_storm(d, 50);
}

/* ---- 10, 11: the life of the device ---- */

static void serve_and_count(struct fake_dom0 *d, const struct blkif_request *req)
{
    (void)is_time(d);
    fake_dom0_serve(d, req);
}

/* Closing, Closed, gone; reads are not answered any more. */
static void close_disk(struct fake_dom0 *d, const struct blkif_request *req)
{
    const char *const states[] = {"5", "6", "0", "x"};
    struct back_liar *liar = fake_dom0_ctx(d);
    if (!is_time(d))
        fake_dom0_serve(d, req);
    else if (load_relaxed_u32(&liar->seen) == BACK_LIE_AFTER)
        fake_dom0_node(d, "state", states[variant(d) % COUNT(states)]);
    fake_dom0_pump(d);
}

/* Tells another size, once. */
static void resize(struct fake_dom0 *d, const struct blkif_request *req, const char *sectors)
{
    struct back_liar *liar = fake_dom0_ctx(d);
    if (is_time(d) && load_relaxed_u32(&liar->seen) == BACK_LIE_AFTER) {
        fake_dom0_node(d, "sectors", sectors);
        fake_dom0_node(d, "state", "4");
        fake_dom0_pump(d);
    }
    fake_dom0_serve(d, req);
}

static void grow(struct fake_dom0 *d, const struct blkif_request *req)
{
    resize(d, req, "4194304");
}

static void shrink(struct fake_dom0 *d, const struct blkif_request *req)
{
    resize(d, req, "4");
}

static void resize_to_nonsense(struct fake_dom0 *d, const struct blkif_request *req)
{
    const char *const sizes[] = {"nothing", "0", "-1", "18446744073709551616"};
    resize(d, req, sizes[variant(d) % COUNT(sizes)]);
}

/* ---- 15: the client's memory ---- */

/* Tries to take pages away from under the client's feet, and goes on serving. */
static void truncate_memory(struct fake_dom0 *d, const struct blkif_request *req)
{
    static const off_t sizes[] = {0, XEN_PAGE_SIZE, (off_t)1 << 32};
    if (is_time(d)) {
        for (size_t i = 0; i < COUNT(sizes); i++)
            (void)!ftruncate(fake_dom0_segment_fd(d), sizes[i]);
    }
    fake_dom0_serve(d, req);
}

/* A copy of the segment in a file that can be truncated, grown, or both. */
static void unsealed_memory(struct fake_dom0 *d, int fds[2])
{
    static const int seals[] = {F_SEAL_SEAL, F_SEAL_GROW, F_SEAL_SHRINK};
    char page[XEN_PAGE_SIZE];
    struct stat st;
    int fd = memory_file_create("unsealed");
    if (fstat(fds[0], &st) < 0 || ftruncate(fd, st.st_size) < 0)
        abort();
    for (off_t at = 0; at < st.st_size; at += XEN_PAGE_SIZE) {
        if (pread(fds[0], page, sizeof(page), at) != (ssize_t)sizeof(page) ||
            pwrite(fd, page, sizeof(page), at) != (ssize_t)sizeof(page))
            abort();
    }
    if (memory_file_seal(fd, seals[variant(d)]) < 0)
        abort();
    fds[0] = fd;
}

/* ---- 16: the doorbell ---- */

/* A pipe or a socket that nobody reads, and a file. */
static void no_doorbell(struct fake_dom0 *d, int fds[2])
{
    int both[2] = {-1, -1};
    if (variant(d) == 0)
        (void)!pipe(both);
    else if (variant(d) == 1)
        (void)!socketpair(AF_UNIX, SOCK_STREAM, 0, both);
    else
        both[1] = memory_file_create("doorbell");
    if (both[0] >= 0)
        close(both[0]);
    fds[1] = both[1];
}

static const char broke[] = "broke the ring protocol";

const struct back_case back_cases[] = {
    {"1-rsp-prod", "rsp_prod too far, backwards, half way round", BACK_FAILED, broke,
     .script = {.request = lie_index}, .variants = 4},
    {"2-id", "an id that was never given, or is not pending", BACK_FAILED, broke,
     .script = {.request = lie_id}, .variants = 4, .threads = 1},
    {"2-answered-twice", "one read answered for another", BACK_FAILED, broke,
     .script = {.request = lie_twice}},
    {"3-operation", "the answer is of another operation", BACK_FAILED, broke,
     .script = {.request = lie_operation}, .variants = 3},
    {"4-status", "a status that does not exist", BACK_FAILED, broke,
     .script = {.request = lie_status}},
    {"4-error", "known and unknown errors for each read", BACK_FAILED, "failed",
     .script = {.request = lie_error}, .variants = 4},
    {"5-silence-dies", "no answer, then Dom0 dies", BACK_FAILED, "Dom0 is gone",
     .script = {.request = keep_silent}, .then = THEN_DIES},
    {"5-silence-signal", "no answer; the client is told to end", BACK_FAILED, NULL,
     .script = {.request = keep_silent}, .then = THEN_SIGNALS},
    {"6-slot-rewritten", "response slots change after they were shown", BACK_SERVED_OR_FAILED,
     broke, .script = {.request = rewrite_slot}, .variants = 2},
    {"7-disk-nodes", "malformed sectors, sector sizes, info, state", BACK_REFUSED, "cannot",
     .script = {.change_nodes = bad_disk}, .variants = COUNT(bad_nodes)},
    {"7-feature-nodes", "malformed features and state", BACK_REFUSED, "cannot",
     .script = {.change_features = bad_feature}, .variants = COUNT(bad_features)},
    {"7-huge-numbers", "ring order, queues, segments of 2^32 - 1", BACK_SERVED, NULL,
     .script = {.change_features = huge_numbers, .request = serve_and_count}},
    {"8-event-storm", "100 events a read, on every port", BACK_SERVED, NULL,
     .script = {.request = storm}},
    {"9-scribbles", "writes to pages after completion", BACK_SERVED, NULL,
     .script = {.request = scribble}, .threads = 1},
    {"10-closes", "Closing, Closed, Unknown, nonsense in mid-run", BACK_FAILED, "the disk",
     .script = {.request = close_disk}, .variants = 4},
    {"10-restarts", "dies with reads in flight, comes again", BACK_SERVED, NULL,
     .script = {.request = serve_and_count}, .reconnects = true, .then = THEN_RESTARTS},
    {"11-grows", "another size, larger", BACK_SERVED, NULL, .script = {.request = grow}},
    {"11-shrinks", "smaller: reads beyond the end", BACK_FAILED, "failed: Invalid argument",
     .script = {.request = shrink}},
    {"11-nonsense", "no number, nothing, negative, too large", BACK_FAILED, "nodes of the disk",
     .script = {.request = resize_to_nonsense}, .variants = 4},
    {"12-connected", "Connected without InitWait", BACK_REFUSED, "cannot",
     .script = {.request = serve_and_count, .skip_init_wait = true}},
    {"15-truncates", "truncates and extends the client's memory", BACK_SERVED, NULL,
     .script = {.request = truncate_memory}},
    {"15-unsealed", "memory that could be taken away", BACK_REFUSED, "not sealed",
     .script = {.change_fds = unsealed_memory}, .variants = 3},
    {"16-doorbell", "a pipe, a socket, a file for the doorbell", BACK_REFUSED, "no eventfd",
     .script = {.change_fds = no_doorbell}, .variants = 3},
};

const uint32_t back_case_count = COUNT(back_cases);
