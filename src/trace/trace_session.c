/* SPDX-License-Identifier: MIT */
#include "trace/trace_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "base/unix_socket.h"
#include "splitdom/control.h"
#include "trace/trace_reader.h"

enum {
    TIMEOUT_S = 10,
    ASK_EVERY_NS = 20000000, /* whether another domain has a memory */
    PAUSE_NS = 10000000,
    PAUSE_NS_MIN = 2000000,
    PAUSE_NS_MAX = 160000000, /* in which a ring of a sample that keeps to a rate fills a quarter */
    CHUNK_RECORDS = 1 << 14,
    CHUNKS_MAX = 2 * TRACE_SET_LIVES_MAX / CHUNK_RECORDS,
};

/* What was taken is put together at the end: meanwhile the traced need the CPU. */
struct chunk {
    struct chunk *next;
    size_t count;
    uint32_t source[CHUNK_RECORDS];
    struct trace_record record[CHUNK_RECORDS];
};

struct domain {
    uint32_t domid;
    struct trace_reader reader;
    struct trace_session *session;
};

struct trace_session {
    struct trace_set *set;
    int fd; /* the connection */
    struct trace_reader dom0;
    struct domain **domains;
    size_t domain_count;
    struct chunk *first, *last;
    size_t chunk_count;
    uint64_t asked_ns;
    uint64_t pause_ns; /* see trace_session_pause_ns */
};

int trace_sample_parse(const char *text, uint32_t *sample, struct why *why)
{
    enum { SAMPLE_MAX = 1000000 };
    uint64_t number;
    if (strcmp(text, "auto") == 0) {
        *sample = TRACE_SAMPLE_AUTO;
        return 0;
    }
    if (decimal_parse(text, 1, SAMPLE_MAX, &number) < 0)
        return why_fail(why, -EINVAL, "--sample must be auto, or from 1 to %d, not '%s'",
                        SAMPLE_MAX, text);
    *sample = (uint32_t)number;
    return 0;
}

/* Returns the descriptor that comes with the answer, or -errno. */
static int ask(int socket_fd, const struct control_request *request, struct control_reply *reply)
{
    size_t count;
    int fd;
    int rc = unix_socket_send(socket_fd, request, sizeof(*request), NULL, 0, true);
    if (rc < 0)
        return rc;
    ssize_t n = unix_socket_receive(socket_fd, reply, sizeof(*reply), &fd, 1, &count);
    if (n <= 0)
        return n < 0 ? (int)n : -ECONNRESET;
    reply->reason[sizeof(reply->reason) - 1] = '\0';
    bool sound = n == (ssize_t)sizeof(*reply) && reply->magic == CONTROL_MAGIC &&
                 reply->status <= 0 && (fd >= 0) == (reply->status == 0);
    if (sound)
        return reply->status < 0 ? reply->status : fd;
    if (fd >= 0)
        close(fd);
    return -EPROTO;
}

static int begin(struct trace_session *session, const char *path, uint32_t domid, uint32_t sample,
                 struct why *why)
{
    const struct control_request request = {.magic = CONTROL_MAGIC,
                                            .version = CONTROL_VERSION,
                                            .op = CONTROL_TRACE,
                                            .arg0 = domid,
                                            .tdf_num = sample};
    struct control_reply reply = {.reason = ""};
    session->fd = unix_socket_connect(path, SOCK_SEQPACKET, TIMEOUT_S);
    if (session->fd < 0)
        return why_fail_errno(why, session->fd, "cannot reach the service at %s", path);
    int fd = ask(session->fd, &request, &reply);
    if (fd < 0 && reply.reason[0] != '\0')
        return why_fail(why, fd, "Dom0 refused: %s", reply.reason);
    if (fd < 0)
        return why_fail_errno(why, fd, "no answer from Dom0 on %s", path);
    int rc = trace_reader_open(&session->dom0, TRACE_DOM0_LANES, TRACE_DOM0_RECORDS, fd, false);
    close(fd);
    if (rc < 0)
        return why_fail_errno(why, rc, "cannot map what Dom0 writes down");
    rc = trace_set_init(session->set, domid, sample, clock_monotonic_ns());
    return rc < 0 ? why_fail_errno(why, rc, "cannot trace") : 0;
}

static void free_session(struct trace_session *session)
{
    for (struct chunk *chunk = session->first, *next; chunk != NULL; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    for (size_t i = 0; i < session->domain_count; i++) {
        trace_reader_close(&session->domains[i]->reader);
        free(session->domains[i]);
    }
    free(session->domains);
    trace_reader_close(&session->dom0);
    if (session->fd >= 0)
        close(session->fd);
    free(session);
}

static struct chunk *chunk_with_room(struct trace_session *session)
{
    struct chunk *last = session->last;
    if (last != NULL && last->count < CHUNK_RECORDS)
        return last;
    struct chunk *chunk = session->chunk_count < CHUNKS_MAX ? malloc(sizeof(*chunk)) : NULL;
    if (chunk == NULL)
        return NULL;
    chunk->next = NULL;
    chunk->count = 0;
    if (last != NULL)
        last->next = chunk;
    else
        session->first = chunk;
    session->last = chunk;
    session->chunk_count++;
    return chunk;
}

static void keep(struct trace_session *session, uint32_t source, const struct trace_record *record)
{
    struct chunk *chunk = chunk_with_room(session);
    if (chunk == NULL) {
        session->set->beyond++;
        return;
    }
    chunk->source[chunk->count] = source;
    chunk->record[chunk->count++] = *record;
}

static void take_dom0s(void *ctx, const struct trace_record *record)
{
    keep(ctx, 0, record);
}

static void take_domains(void *ctx, const struct trace_record *record)
{
    const struct domain *domain = ctx;
    keep(domain->session, domain->domid, record);
}

static void put_together(const struct trace_session *session)
{
    for (const struct chunk *chunk = session->first; chunk != NULL; chunk = chunk->next) {
        for (size_t i = 0; i < chunk->count; i++)
            trace_set_add(session->set, chunk->source[i], &chunk->record[i]);
    }
}

/* Looks again sooner where a lane may have become a quarter full in the last pause, and later where
 * none has become a sixteenth: each look stops somebody who has the CPU. What begins all at once is
 * noticed at the next look only. So a sample of all that come pauses never long, and of many
 * domains, whose records share Dom0's lane, the pause is shorter. */
static void follow_fill(struct trace_session *session, double fill)
{
    bool keeps_to_rate = session->set->threshold == TRACE_THRESHOLD_AUTO;
    uint64_t most_ns = PAUSE_NS;
    if (keeps_to_rate && session->domain_count > 0)
        most_ns = PAUSE_NS_MAX / session->domain_count;
    if (fill > 1. / 4)
        session->pause_ns /= 2;
    else if (fill < 1. / 16)
        session->pause_ns *= 2;
    if (session->pause_ns > most_ns)
        session->pause_ns = most_ns;
    if (session->pause_ns < PAUSE_NS_MIN)
        session->pause_ns = PAUSE_NS_MIN;
}

static double take_some(struct trace_reader *reader,
                        void (*take)(void *ctx, const struct trace_record *record), void *ctx)
{
    return (double)trace_reader_take(reader, take, ctx) / reader->records;
}

static void take_all(struct trace_session *session)
{
    double fullest = take_some(&session->dom0, take_dom0s, session);
    for (size_t i = 0; i < session->domain_count; i++) {
        struct domain *domain = session->domains[i];
        double fill = take_some(&domain->reader, take_domains, domain);
        fullest = fill > fullest ? fill : fullest;
    }
    follow_fill(session, fullest);
}

static int add_domain(struct trace_session *session, uint32_t domid, int fd, bool fresh)
{
    struct domain **domains =
        realloc(session->domains, (session->domain_count + 1) * sizeof(*domains));
    if (domains == NULL)
        return -ENOMEM;
    session->domains = domains;
    struct domain *domain = calloc(1, sizeof(*domain));
    if (domain == NULL)
        return -ENOMEM;
    domain->domid = domid;
    domain->session = session;
    int rc =
        trace_reader_open(&domain->reader, TRACE_DOMAIN_LANES, TRACE_DOMAIN_RECORDS, fd, fresh);
    if (rc < 0) {
        free(domain);
        return rc;
    }
    domains[session->domain_count++] = domain;
    trace_set_expect(session->set, domid);
    return 0;
}

/* Domains that have fetched a memory since we asked last. -EAGAIN: there are no more. */
static int ask_for_more(struct trace_session *session)
{
    const struct control_request request = {
        .magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .op = CONTROL_TRACE_NEXT};
    struct control_reply reply = {.arg0 = 0};
    int rc, fd;
    do {
        fd = ask(session->fd, &request, &reply);
        if (fd < 0)
            return fd;
        rc = add_domain(session, reply.arg0, fd, reply.arg1 != 0);
        close(fd);
    } while (rc == 0);
    return rc;
}

int trace_session_open(const char *control_socket, uint32_t domid, uint32_t sample,
                       struct trace_set *set, struct trace_session **out, struct why *why)
{
    struct trace_session *session = calloc(1, sizeof(*session));
    *out = NULL;
    *set = (struct trace_set){.count = 0};
    if (session == NULL)
        return why_fail_errno(why, -ENOMEM, "cannot trace");
    session->set = set;
    session->fd = -1;
    session->pause_ns = PAUSE_NS;
    if (sample == 0)
        sample = TRACE_SAMPLE_AUTO;
    int rc = begin(session, control_socket, domid, sample, why);
    if (rc < 0) {
        free_session(session);
        return rc;
    }
    *out = session;
    return 0;
}

/* Until the first domain writes, who asks waits for it. */
uint64_t trace_session_pause_ns(const struct trace_session *session)
{
    return session->pause_ns;
}

int trace_session_take(struct trace_session *session, struct why *why)
{
    uint64_t now_ns = clock_monotonic_ns();
    take_all(session);
    if (now_ns - session->asked_ns < ASK_EVERY_NS)
        return 0;
    int rc = ask_for_more(session);
    session->asked_ns = now_ns;
    if (rc == -EAGAIN)
        return 0;
    if (rc == -ECONNRESET || rc == -EPIPE)
        return why_fail(why, -ESHUTDOWN, "Dom0 has ended");
    return why_fail_errno(why, rc, "no answer from Dom0");
}

void trace_session_look(struct trace_session *session,
                        void (*see)(void *ctx, const struct trace_record *record), void *ctx)
{
    (void)trace_reader_take(&session->dom0, see, ctx);
}

bool trace_session_follows(const struct trace_session *session, uint32_t domid)
{
    for (size_t i = 0; i < session->domain_count; i++) {
        if (session->domains[i]->domid == domid)
            return trace_reader_is_active(&session->domains[i]->reader);
    }
    return false;
}

void trace_session_close(struct trace_session *session)
{
    struct trace_set *set = session->set;
    (void)ask_for_more(session); /* one that came and went at the end; and each clock once more */
    take_all(session);
    uint64_t end_ns = clock_monotonic_ns(); /* after whatever was taken */
    set->lost = trace_reader_lost(&session->dom0);
    for (size_t i = 0; i < session->domain_count; i++)
        set->lost += trace_reader_lost(&session->domains[i]->reader);
    put_together(session);
    trace_set_end(set, end_ns);
    free_session(session);
}

void trace_session_drop(struct trace_session *session)
{
    if (session == NULL)
        return;
    trace_set_fini(session->set);
    free_session(session);
}
