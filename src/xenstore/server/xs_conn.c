/* SPDX-License-Identifier: MIT */
#include "xenstore/server/xs_conn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/container_of.h"
#include "splitdom/xen/xs_wire.h"
#include "xenstore/server/xs_request.h"
#include "xenstore/server/xs_server_private.h"
#include "xenstore/server/xs_session.h"

enum {
    MESSAGE_MAX = sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX,
    INPUT_SIZE = 2 * MESSAGE_MAX, /* always holds a whole request, or room for the rest of one */
    OUTPUT_SIZE = 4 * MESSAGE_MAX,
};

struct xs_conn {
    struct xs_session session;
    struct xs_server *server;
    const struct xs_conn_ops *ops;
    void *ctx;
    struct list_node link;     /* of the server */
    struct list_node ready;    /* likewise, while there is something to do */
    bool is_deaf;              /* its domain is dead */
    bool is_broken;            /* its peer broke the protocol */
    uint32_t waiting;          /* complete requests in the input */
    size_t in_start, in_end;   /* bytes that are not carried out yet */
    size_t in_complete;        /* end of the last complete request among them */
    size_t out_start, out_end; /* bytes that are not sent yet */
    uint64_t out_total;        /* bytes ever put into the output */
    char in[INPUT_SIZE];
    char out[OUTPUT_SIZE];
};

static size_t output_used(const struct xs_conn *conn)
{
    return conn->out_end - conn->out_start;
}

static bool has_output_room(const struct xs_conn *conn)
{
    return output_used(conn) <= OUTPUT_SIZE - MESSAGE_MAX;
}

static bool has_work(const struct xs_conn *conn)
{
    return !conn->is_deaf && has_output_room(conn) &&
           (conn->waiting > 0 || xs_watcher_has_events(&conn->session.watcher));
}

static void make_ready(struct xs_conn *conn)
{
    if (list_is_linked(&conn->ready) || !has_work(conn))
        return;
    list_push_back(&conn->server->ready, &conn->ready);
    if (conn->ops != NULL && conn->ops->work_ready != NULL)
        conn->ops->work_ready(conn->ctx);
}

struct xs_conn *xs_conn_next_ready(struct xs_server *server)
{
    return container_or_null(list_pop_front(&server->ready), struct xs_conn, ready);
}

static void event_posted(void *ctx)
{
    make_ready(ctx);
}

int xs_conn_open(struct xs_server *server, domid_t domid, bool privileged,
                 const struct xs_conn_ops *ops, void *ctx, struct xs_conn **out)
{
    struct xs_conn *conn = calloc(1, sizeof(*conn));
    if (conn == NULL)
        return -ENOMEM;
    const struct xs_actor actor = {
        .domid = domid, .privileged = privileged, .life = xs_store_life(&server->store, domid)};
    xs_session_init(&conn->session, server, actor, event_posted, conn);
    conn->server = server;
    conn->ops = ops;
    conn->ctx = ctx;
    list_push_front(&server->conns, &conn->link);
    *out = conn;
    return 0;
}

void xs_conn_close(struct xs_conn *conn)
{
    if (conn == NULL)
        return;
    list_drop(&conn->ready);
    xs_session_clear(&conn->session);
    list_remove(&conn->link);
    free(conn);
}

void xs_conn_close_all(struct xs_server *server)
{
    struct list_node *node;
    while ((node = list_first(&server->conns)) != NULL)
        xs_conn_close(container_of(node, struct xs_conn, link));
}

void xs_conn_reset(struct xs_conn *conn)
{
    list_drop(&conn->ready);
    xs_session_reset(&conn->session);
    conn->waiting = 0;
    conn->in_start = conn->in_end = conn->in_complete = 0;
    conn->out_start = conn->out_end = 0;
    conn->is_broken = false;
}

/* The one after conn, or the first. */
static struct xs_conn *next_conn(const struct xs_server *server, const struct xs_conn *conn)
{
    struct list_node *node =
        conn == NULL ? list_first(&server->conns) : list_next(&server->conns, &conn->link);
    return container_or_null(node, struct xs_conn, link);
}

static bool is_of(const struct xs_conn *conn, domid_t domid)
{
    return conn->session.actor.domid == domid && !conn->session.actor.privileged;
}

void xs_conn_reset_sessions(struct xs_server *server, domid_t domid)
{
    for (struct xs_conn *conn = next_conn(server, NULL); conn != NULL;
         conn = next_conn(server, conn)) {
        if (is_of(conn, domid))
            xs_session_reset(&conn->session);
    }
}

void xs_conn_set_target(struct xs_server *server, domid_t domid, domid_t target)
{
    for (struct xs_conn *conn = next_conn(server, NULL); conn != NULL;
         conn = next_conn(server, conn)) {
        if (is_of(conn, domid)) {
            conn->session.actor.target = target;
            conn->session.actor.target_life = xs_store_life(&server->store, target);
        }
    }
}

struct xs_conn_usage xs_conn_usage(const struct xs_server *server, domid_t domid)
{
    struct xs_conn_usage usage = {0};
    for (const struct xs_conn *conn = next_conn(server, NULL); conn != NULL;
         conn = next_conn(server, conn)) {
        if (is_of(conn, domid)) {
            usage.watches += conn->session.watcher.count;
            usage.transactions += conn->session.transaction_count;
            usage.outstanding += conn->waiting;
        }
    }
    return usage;
}

uint32_t xs_conn_count(const struct xs_server *server)
{
    uint32_t count = 0;
    for (const struct xs_conn *conn = next_conn(server, NULL); conn != NULL;
         conn = next_conn(server, conn))
        count++;
    return count;
}

void xs_conn_deafen(struct xs_server *server, domid_t domid)
{
    for (struct xs_conn *conn = next_conn(server, NULL); conn != NULL;
         conn = next_conn(server, conn)) {
        if (is_of(conn, domid)) {
            xs_conn_reset(conn);
            conn->is_deaf = true;
        }
    }
}

/* The length of the request that starts at offset at, as far as it is known: at least a header. */
static size_t request_size(const struct xs_conn *conn, size_t at)
{
    struct xsd_sockmsg hdr;
    if (conn->in_end - at < sizeof(hdr))
        return sizeof(hdr);
    memcpy(&hdr, conn->in + at, sizeof(hdr));
    return hdr.len > XENSTORE_PAYLOAD_MAX ? SIZE_MAX : sizeof(hdr) + hdr.len;
}

size_t xs_conn_input_room(const struct xs_conn *conn)
{
    if (conn->is_deaf || conn->is_broken)
        return 0;
    size_t room = INPUT_SIZE - (conn->in_end - conn->in_start);
    if (conn->session.actor.privileged)
        return room;
    uint32_t limit = xs_session_quota(&conn->session)->outstanding;
    if (xs_quota_exceeded(limit, (uint64_t)conn->waiting + 1))
        return 0;
    size_t rest = request_size(conn, conn->in_complete) - (conn->in_end - conn->in_complete);
    return rest < room ? rest : room;
}

/* Counts the requests that have become complete. */
static int scan_input(struct xs_conn *conn)
{
    for (;;) {
        size_t have = conn->in_end - conn->in_complete;
        size_t size = request_size(conn, conn->in_complete);
        if (size == SIZE_MAX) {
            conn->is_broken = true;
            return -EPROTO;
        }
        if (have < size)
            return 0;
        conn->in_complete += size;
        conn->waiting++;
    }
}

int xs_conn_input(struct xs_conn *conn, const void *bytes, size_t n)
{
    if (conn->is_broken)
        return -EPROTO;
    assert(n <= xs_conn_input_room(conn));
    if (n > INPUT_SIZE - conn->in_end) {
        memmove(conn->in, conn->in + conn->in_start, conn->in_end - conn->in_start);
        conn->in_end -= conn->in_start;
        conn->in_complete -= conn->in_start;
        conn->in_start = 0;
    }
    memcpy(conn->in + conn->in_end, bytes, n);
    conn->in_end += n;
    int rc = scan_input(conn);
    make_ready(conn);
    return rc;
}

bool xs_conn_has_requests(const struct xs_conn *conn)
{
    return conn->waiting > 0;
}

size_t xs_conn_output(const struct xs_conn *conn, const void **bytes)
{
    *bytes = conn->out + conn->out_start;
    return output_used(conn);
}

void xs_conn_output_done(struct xs_conn *conn, size_t n)
{
    assert(n <= output_used(conn));
    conn->out_start += n;
    if (conn->out_start == conn->out_end)
        conn->out_start = conn->out_end = 0;
    xs_events_sent(&conn->session.watcher.events, conn->out_total - output_used(conn));
    make_ready(conn);
}

/* Room for one message at the end of the output; has_output_room holds. */
static char *reserve_output(struct xs_conn *conn)
{
    if (OUTPUT_SIZE - conn->out_end < MESSAGE_MAX) {
        memmove(conn->out, conn->out + conn->out_start, output_used(conn));
        conn->out_end = output_used(conn);
        conn->out_start = 0;
    }
    return conn->out + conn->out_end;
}

/* Completes the message whose payload is in place behind its header. */
static void commit_output(struct xs_conn *conn, const struct xsd_sockmsg *hdr)
{
    size_t size = sizeof(*hdr) + hdr->len;
    memcpy(conn->out + conn->out_end, hdr, sizeof(*hdr));
    conn->out_end += size;
    conn->out_total += size;
}

/* Moves the next message of the events that wait into the output; false: there is none. */
static bool put_event(struct xs_conn *conn)
{
    struct xs_watch_message message;
    if (!xs_watcher_next(&conn->session.watcher, &message))
        return false;
    size_t path_size = strlen(message.path) + 1, token_size = strlen(message.token) + 1;
    struct xsd_sockmsg hdr = {.type = XS_WATCH_EVENT, .len = (uint32_t)(path_size + token_size)};
    assert(hdr.len <= XENSTORE_PAYLOAD_MAX);
    char *payload = reserve_output(conn) + sizeof(hdr);
    memcpy(payload, message.path, path_size);
    memcpy(payload + path_size, message.token, token_size);
    commit_output(conn, &hdr);
    xs_events_put(&conn->session.watcher.events, conn->out_total);
    return true;
}

/* Carries out the first request that waits. */
static void serve_request(struct xs_conn *conn)
{
    struct xsd_sockmsg hdr, reply;
    memcpy(&hdr, conn->in + conn->in_start, sizeof(hdr));
    const char *payload = conn->in + conn->in_start + sizeof(hdr);
    conn->in_start += sizeof(hdr) + hdr.len;
    conn->waiting--;
    char *out = reserve_output(conn) + sizeof(reply);
    xs_request_handle(&conn->session, &hdr, payload, &reply, out);
    commit_output(conn, &reply);
}

unsigned xs_conn_turn(struct xs_conn *conn)
{
    unsigned steps = 0;
    bool was_empty = output_used(conn) == 0;
    if (xs_watcher_has_events(&conn->session.watcher)) {
        while (has_output_room(conn) && put_event(conn))
            continue;
        steps++;
    }
    if (conn->waiting > 0 && has_output_room(conn)) {
        serve_request(conn);
        steps++;
    }
    make_ready(conn);
    if (was_empty && output_used(conn) > 0 && conn->ops != NULL && conn->ops->output_ready != NULL)
        conn->ops->output_ready(conn->ctx);
    return steps;
}
