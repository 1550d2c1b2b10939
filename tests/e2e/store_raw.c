/* SPDX-License-Identifier: MIT */
/*
 * store_raw: messages to the store over a domain's own ring, byte by byte.
 *
 *   store_raw types         each request type, and what a domain is told that asks it
 *   store_raw outstanding   asks and asks without reading an answer: how much Dom0 takes of it
 *
 * Exit 0: as expected; 1: the failed expectation on stderr.
 */
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rundir.h"
#include "domu/life.h"
#include "ring/barrier.h"
#include "ring/evtchn.h"
#include "ring/segment.h"
#include "xenstore/xs_link.h"

enum {
    VALUE_BYTES = 1000,
    OUTSTANDING = 20,  /* the limit */
    ASKED = 200,       /* many times what the limit and the store's buffers hold */
    OTHER_TRIPS = 200, /* of a second domain: by then the store has done all that it will do */
};

#define WAIT_NS INT64_C(10000000000)

static void create(struct life *domu)
{
    struct rundir rundir;
    char why[512];
    if (rundir_resolve(NULL, NULL, false, &rundir, why, sizeof(why)) < 0 ||
        life_create(domu, &rundir, segment_pages_for(1), (struct tdf){0, 0}, NULL, why,
                    sizeof(why)) < 0)
        errx(1, "%s", why);
}

static void ignore_port(void *ctx, evtchn_port_t port)
{
    (void)ctx;
    (void)port;
}

static void wait_for_store(struct life *domu)
{
    struct shared_info *shared = domu->segment.shared_info;
    if (evtchn_wait(shared, LIFE_VCPU_STORE, WAIT_NS) < 0)
        errx(1, "the store does not answer");
    (void)evtchn_collect(shared, LIFE_VCPU_STORE, ignore_port, NULL);
}

static void put(struct xs_link *link, uint32_t type, const char *payload, size_t len)
{
    link->out.hdr = (struct xsd_sockmsg){.type = type, .req_id = type + 7, .len = (uint32_t)len};
    memcpy(link->out.payload, payload, len);
    link->out_size = sizeof(link->out.hdr) + len;
    link->out_sent = 0;
}

static void receive(struct life *domu, struct xs_link *link)
{
    bool complete = false;
    while (!complete) {
        int moved = xs_link_receive(link, &complete);
        if (moved < 0)
            errx(1, "the store broke the protocol");
        if (moved > 0)
            (void)evtchn_kick(domu->doorbell_fd);
        else if (!complete)
            wait_for_store(domu);
    }
}

static void ask(struct life *domu, struct xs_link *link, uint32_t type, const char *payload,
                size_t len)
{
    put(link, type, payload, len);
    while (link->out_sent < link->out_size) {
        int moved = xs_link_send(link);
        if (moved < 0)
            errx(1, "the store broke the protocol");
        (void)evtchn_kick(domu->doorbell_fd);
        if (moved == 0)
            wait_for_store(domu);
    }
    do /* events of earlier watches may come in between */
        receive(domu, link);
    while (link->in.hdr.type == XS_WATCH_EVENT);
    if (link->in.hdr.req_id != type + 7)
        errx(1, "type %u: an answer to something else", type);
}

#define PAYLOAD(text) (text), sizeof(text)
static const struct question {
    uint32_t type;
    const char *payload;
    size_t len;
    const char *error; /* NULL: none */
    const char *answer;
} questions[] = {
    {XS_CONTROL, PAYLOAD("help"), "EACCES", NULL},
    {XS_DIRECTORY, PAYLOAD("device/vbd"), NULL, "51712"},
    {XS_READ, PAYLOAD("name"), NULL, "DomU-1"},
    {XS_GET_PERMS, PAYLOAD("data"), NULL, "n1"},
    {XS_WATCH, PAYLOAD("@introduceDomain\0token"), NULL, "OK"},
    {XS_WATCH, PAYLOAD("@releaseDomain\0token"), NULL, "OK"},
    {XS_GET_PERMS, PAYLOAD("@introduceDomain"), "EACCES", NULL},
    {XS_SET_PERMS, PAYLOAD("@releaseDomain\0n1"), "EACCES", NULL},
    {XS_UNWATCH, PAYLOAD("data\0token"), "ENOENT", NULL},
    {XS_TRANSACTION_START, PAYLOAD(""), NULL, NULL},
    {XS_TRANSACTION_END, PAYLOAD("T"), "ENOENT", NULL},
    {XS_INTRODUCE, PAYLOAD("9\0001\0001"), "EACCES", NULL},
    {XS_RELEASE, PAYLOAD("1"), "EACCES", NULL},
    {XS_GET_DOMAIN_PATH, PAYLOAD("7"), NULL, "/local/domain/7"},
    {XS_WRITE, "data/w\0v", 8, NULL, "OK"},
    {XS_MKDIR, PAYLOAD("data/m"), NULL, "OK"},
    {XS_RM, PAYLOAD("data/m"), NULL, "OK"},
    {XS_SET_PERMS, PAYLOAD("data\0n1\0r2\0r3\0r4\0r5"), NULL, "OK"},
    {XS_SET_PERMS, PAYLOAD("data\0n1\0r2\0r3\0r4\0r5\0r6"), "ENOSPC", NULL},
    {XS_SET_PERMS, PAYLOAD("data\0n0\0r1"), "EPERM", NULL},
    {XS_SET_PERMS, PAYLOAD("data\0n2\0r1"), "ENOENT", NULL},
    {XS_WATCH_EVENT, PAYLOAD("data\0token"), "ENOSYS", NULL},
    {XS_ERROR, PAYLOAD("EINVAL"), "ENOSYS", NULL},
    {XS_IS_DOMAIN_INTRODUCED, PAYLOAD("1"), "EACCES", NULL},
    {XS_RESUME, PAYLOAD("1"), "EACCES", NULL},
    {XS_SET_TARGET, PAYLOAD("1\0002"), "EACCES", NULL},
    {20, PAYLOAD("1"), "ENOSYS", NULL}, /* what was XS_RESTRICT */
    {XS_RESET_WATCHES, PAYLOAD(""), NULL, "OK"},
    {XS_DIRECTORY_PART, PAYLOAD("device\0000"), NULL, NULL},
    {XS_GET_FEATURE, "", 0, NULL, "15"},
    {XS_GET_FEATURE, PAYLOAD("1"), "EACCES", NULL},
    {XS_SET_FEATURE, PAYLOAD("1\0002"), "EACCES", NULL},
    {XS_GET_QUOTA, PAYLOAD("nodes"), "EACCES", NULL},
    {XS_SET_QUOTA, PAYLOAD("nodes\0009"), "EACCES", NULL},
    {27, PAYLOAD("1"), "ENOSYS", NULL},
    {UINT32_MAX - 7, PAYLOAD("1"), "ENOSYS", NULL},
};

static void test_types(struct life *domu, struct xs_link *link)
{
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        const struct question *q = &questions[i];
        ask(domu, link, q->type, q->payload, q->len);
        const char *wanted = q->error != NULL ? q->error : q->answer;
        uint32_t type = q->error != NULL ? XS_ERROR : q->type;
        link->in.payload[link->in.hdr.len < XENSTORE_PAYLOAD_MAX ? link->in.hdr.len : 0] = '\0';
        if (link->in.hdr.type != type || (wanted != NULL && strcmp(link->in.payload, wanted) != 0))
            errx(1, "request %u (%s): type %u, %s; wanted %s", q->type, q->payload,
                 link->in.hdr.type, link->in.payload, wanted);
    }
}

/* A second domain asks often enough that the store has had its turns. */
static void let_the_store_settle(void)
{
    struct life other;
    char value[64];
    create(&other);
    for (int i = 0; i < OTHER_TRIPS; i++)
        if (xs_client_read(other.store, 0, "name", value, sizeof(value)) < 0)
            errx(1, "a second domain is not served");
    life_destroy(&other);
}

/*
 * Each answer is as long as the ring, so hardly one is in there; some wait in the store, which then
 * serves no more; OUTSTANDING requests may be there unserved; all others stay in our own ring.
 */
static void test_outstanding(struct life *domu, struct xs_link *link)
{
    static char node[] = "data/x", write[sizeof(node) + VALUE_BYTES];
    const uint32_t reply_bytes = sizeof(struct xsd_sockmsg) + VALUE_BYTES;
    memcpy(write, node, sizeof(node));
    memset(write + sizeof(node), 'v', VALUE_BYTES);
    ask(domu, link, XS_WRITE, write, sizeof(write));
    const uint32_t request_bytes = sizeof(struct xsd_sockmsg) + sizeof(node);
    uint32_t before = load_acquire_u32(&domu->segment.store->req_cons), asked = 0;
    put(link, XS_READ, node, sizeof(node));
    for (int idle = 0; idle < 2 && asked < ASKED;) {
        int moved = xs_link_send(link);
        (void)evtchn_kick(domu->doorbell_fd);
        if (moved < 0)
            errx(1, "the store broke the protocol");
        if (link->out_sent == link->out_size) {
            asked++;
            put(link, XS_READ, node, sizeof(node));
        }
        idle = moved > 0 ? 0 : idle + 1;
        if (moved == 0)
            let_the_store_settle();
    }
    uint32_t taken =
        (load_acquire_u32(&domu->segment.store->req_cons) - before + request_bytes - 1) /
        request_bytes;
    uint32_t answered_max = (XENSTORE_RING_SIZE + 4 * sizeof(struct xs_message)) / reply_bytes + 1;
    if (asked == ASKED || taken < OUTSTANDING || taken > OUTSTANDING + answered_max)
        errx(1, "asked %u, taken %u, not %u to %u", asked, taken, OUTSTANDING,
             OUTSTANDING + answered_max);
    for (uint32_t i = 0; i < asked; i++) {
        receive(domu, link);
        if (link->in.hdr.type != XS_READ || link->in.hdr.len != VALUE_BYTES)
            errx(1, "answer %u of %u is wrong", i, asked);
    }
}

int main(int argc, char **argv)
{
    static struct xs_link link;
    struct life domu;
    bool types = argc == 2 && strcmp(argv[1], "types") == 0;
    if (!types && (argc != 2 || strcmp(argv[1], "outstanding") != 0))
        errx(2, "usage: store_raw types | outstanding");
    create(&domu);
    xs_link_init(&link, domu.segment.store);
    if (types)
        test_types(&domu, &link);
    else
        test_outstanding(&domu, &link);
    life_destroy(&domu);
    return 0;
}
