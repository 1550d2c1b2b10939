/* SPDX-License-Identifier: MIT */
#include "xenstore/xs_client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "xenstore/xs_error.h"
#include "xenstore/xs_link.h"

struct event {
    struct event *next;
    const char *token;
    size_t size;
    char text[]; /* path, then token */
};

struct xs_client {
    struct xs_link link;
    const struct xs_client_ops *ops;
    void *ctx;
    uint32_t req_id;
    int failed; /* -errno that made it unusable, 0: none */
    struct event *first_event, **last_event;
    uint32_t event_count;
};

int xs_client_create(struct xenstore_domain_interface *page, const struct xs_client_ops *ops,
                     void *ctx, struct xs_client **out)
{
    struct xs_client *client = calloc(1, sizeof(*client));
    if (client == NULL)
        return -ENOMEM;
    xs_link_init(&client->link, page);
    client->ops = ops;
    client->ctx = ctx;
    client->last_event = &client->first_event;
    *out = client;
    return 0;
}

static void drop_first_event(struct xs_client *client)
{
    struct event *event = client->first_event;
    client->first_event = event->next;
    if (client->first_event == NULL)
        client->last_event = &client->first_event;
    client->event_count--;
    free(event);
}

void xs_client_destroy(struct xs_client *client)
{
    if (client == NULL)
        return;
    while (client->first_event != NULL)
        drop_first_event(client);
    free(client);
}

void xs_client_move(struct xs_client *client, struct xenstore_domain_interface *page, void *ctx)
{
    client->link.page = page;
    client->ctx = ctx;
}

static int64_t now_ms(void)
{
    return (int64_t)(clock_monotonic_ns() / 1000000);
}

/* Queues the event in link.in, unless the same one waits. */
static int keep_event(struct xs_client *client)
{
    const struct xs_message *in = &client->link.in;
    size_t size = in->hdr.len;
    const char *end = memchr(in->payload, '\0', size);
    if (end == NULL || end == in->payload)
        return -EPROTO;
    size_t path_size = (size_t)(end - in->payload) + 1;
    if (path_size == size || memchr(end + 1, '\0', size - path_size) != in->payload + size - 1)
        return -EPROTO;
    for (const struct event *e = client->first_event; e != NULL; e = e->next) {
        if (e->size == size && memcmp(e->text, in->payload, size) == 0)
            return 0;
    }
    if (client->event_count == XS_CLIENT_EVENTS_MAX)
        return -EPROTO;
    struct event *event = malloc(sizeof(*event) + size);
    if (event == NULL)
        return -ENOMEM;
    memcpy(event->text, in->payload, size);
    event->size = size;
    event->token = event->text + path_size;
    event->next = NULL;
    *client->last_event = event;
    client->last_event = &event->next;
    client->event_count++;
    return 0;
}

/*
 * One look at both rings: sends and receives what it can; events go to their queue. Returns 0
 * (nothing moved), 1 (something did) or -errno; *replied: link.in holds something else than an
 * event.
 */
static int step(struct xs_client *client, bool *replied)
{
    bool complete;
    *replied = false;
    int sent = xs_link_send(&client->link);
    if (sent < 0)
        return sent;
    int received = xs_link_receive(&client->link, &complete);
    if (received < 0)
        return received;
    if (sent > 0 || received > 0)
        client->ops->notify(client->ctx);
    if (complete && client->link.in.hdr.type == XS_WATCH_EVENT) {
        int rc = keep_event(client);
        return rc < 0 ? rc : 1;
    }
    *replied = complete;
    return sent > 0 || received > 0 || complete;
}

/* Waits for the store's event channel until the deadline. */
static int wait_until(struct xs_client *client, int64_t deadline_ms)
{
    int64_t left_ms = deadline_ms - now_ms();
    if (left_ms <= 0)
        return -ETIMEDOUT;
    int rc = client->ops->wait(client->ctx, (int)left_ms);
    return rc == -ETIMEDOUT ? 0 : rc; /* the clock decides, with one look more */
}

/* Sends link.out and waits for its reply in link.in. */
static int exchange(struct xs_client *client)
{
    struct xs_link *link = &client->link;
    int64_t deadline_ms = now_ms() + XS_CLIENT_TIMEOUT_MS;
    for (;;) {
        bool replied;
        int rc = step(client, &replied);
        if (rc < 0)
            return rc;
        if (replied)
            break;
        if (rc > 0) /* a store that keeps us busy with events must not hold us for ever */
            rc = now_ms() < deadline_ms ? 0 : -ETIMEDOUT;
        else
            rc = wait_until(client, deadline_ms);
        if (rc < 0)
            return rc;
    }
    const struct xsd_sockmsg *in = &link->in.hdr;
    if (link->out_sent < link->out_size || in->req_id != link->out.hdr.req_id ||
        in->tx_id != link->out.hdr.tx_id ||
        (in->type != link->out.hdr.type && in->type != XS_ERROR))
        return -EPROTO;
    if (in->type == XS_ERROR && (in->len == 0 || link->in.payload[in->len - 1] != '\0'))
        return -EPROTO;
    return 0;
}

/*
 * Carries out a request: first with its NUL, then rest_len bytes. The reply's payload is in
 * link.in; returns its length or -errno.
 */
static int call(struct xs_client *client, enum xsd_sockmsg_type type, uint32_t tx,
                const char *first, const char *rest, size_t rest_len)
{
    struct xs_message *out = &client->link.out;
    size_t first_size = strlen(first) + 1;
    if (client->failed < 0)
        return client->failed;
    if (first_size > XENSTORE_PAYLOAD_MAX || rest_len > XENSTORE_PAYLOAD_MAX - first_size)
        return -E2BIG;
    out->hdr = (struct xsd_sockmsg){.type = type,
                                    .req_id = ++client->req_id,
                                    .tx_id = tx,
                                    .len = (uint32_t)(first_size + rest_len)};
    memcpy(out->payload, first, first_size);
    if (rest_len > 0)
        memcpy(out->payload + first_size, rest, rest_len);
    client->link.out_sent = 0;
    client->link.out_size = sizeof(out->hdr) + out->hdr.len;
    client->failed = exchange(client);
    if (client->failed < 0)
        return client->failed;
    const struct xs_message *in = &client->link.in;
    if (in->hdr.type == XS_ERROR)
        return -xs_error_number(in->payload, in->hdr.len - 1);
    return (int)in->hdr.len;
}

/* A request whose reply says nothing but "OK". */
static int command(struct xs_client *client, enum xsd_sockmsg_type type, uint32_t tx,
                   const char *first, const char *rest, size_t rest_len)
{
    int len = call(client, type, tx, first, rest, rest_len);
    if (len < 0)
        return len;
    if (len == 3 && memcmp(client->link.in.payload, "OK", 3) == 0)
        return 0;
    return client->failed = -EPROTO;
}

int xs_client_read(struct xs_client *client, uint32_t tx, const char *path, char *buf, size_t size)
{
    int len = call(client, XS_READ, tx, path, NULL, 0);
    if (len < 0)
        return len;
    if ((size_t)len >= size)
        return -E2BIG;
    if (memchr(client->link.in.payload, '\0', (size_t)len) != NULL)
        return -EINVAL;
    memcpy(buf, client->link.in.payload, (size_t)len);
    buf[len] = '\0';
    return len;
}

int xs_client_read_u64(struct xs_client *client, uint32_t tx, const char *path, uint64_t max,
                       uint64_t *out)
{
    int len = call(client, XS_READ, tx, path, NULL, 0);
    return len < 0 ? len : decimal_scan_bytes(client->link.in.payload, (size_t)len, 0, max, out);
}

int xs_client_write(struct xs_client *client, uint32_t tx, const char *path, const char *value)
{
    return command(client, XS_WRITE, tx, path, value, strlen(value));
}

int xs_client_writef(struct xs_client *client, uint32_t tx, const char *path, const char *fmt, ...)
{
    char text[XENSTORE_PAYLOAD_MAX];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (len < 0)
        return -EINVAL;
    if (len >= (int)sizeof(text))
        return -E2BIG;
    return command(client, XS_WRITE, tx, path, text, (size_t)len);
}

int xs_client_rm(struct xs_client *client, uint32_t tx, const char *path)
{
    return command(client, XS_RM, tx, path, NULL, 0);
}

int xs_client_transaction_start(struct xs_client *client, uint32_t *tx)
{
    uint64_t id;
    int len = call(client, XS_TRANSACTION_START, 0, "", NULL, 0);
    if (len < 0)
        return len;
    const char *text = client->link.in.payload;
    if (len == 0 || text[len - 1] != '\0' ||
        decimal_parse_bytes(text, (size_t)len - 1, 0, UINT32_MAX, &id) < 0 || id == 0)
        return client->failed = -EPROTO;
    *tx = (uint32_t)id;
    return 0;
}

int xs_client_transaction_end(struct xs_client *client, uint32_t tx, bool commit)
{
    return command(client, XS_TRANSACTION_END, tx, commit ? "T" : "F", NULL, 0);
}

int xs_client_watch(struct xs_client *client, const char *path, const char *token)
{
    return command(client, XS_WATCH, 0, path, token, strlen(token) + 1);
}

/* Looks and waits until an event is queued. */
static int await_event(struct xs_client *client, int timeout_ms)
{
    int64_t deadline_ms = now_ms() + timeout_ms;
    while (client->first_event == NULL) {
        bool replied;
        int rc = step(client, &replied);
        if (rc < 0)
            return rc;
        if (replied) /* to no request */
            return -EPROTO;
        if (rc == 0 && (rc = wait_until(client, deadline_ms)) < 0)
            return rc;
    }
    return 0;
}

int xs_client_next_event(struct xs_client *client, int timeout_ms, char *path, size_t path_size,
                         char *token, size_t token_size)
{
    if (client->first_event == NULL) {
        if (client->failed < 0) /* -ETIMEDOUT would say that there is no event yet */
            return client->failed == -ETIMEDOUT ? -ETIME : client->failed;
        int rc = await_event(client, timeout_ms);
        if (rc < 0 && rc != -ETIMEDOUT && rc != -EINTR)
            client->failed = rc;
        if (rc < 0)
            return rc;
    }
    const struct event *event = client->first_event;
    size_t need = (size_t)(event->token - event->text), token_need = event->size - need;
    int rc = need > path_size || token_need > token_size ? -E2BIG : 0;
    if (rc == 0) {
        memcpy(path, event->text, need);
        memcpy(token, event->token, token_need);
    }
    drop_first_event(client);
    return rc;
}
