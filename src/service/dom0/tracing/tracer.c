/* SPDX-License-Identifier: MIT */
#include "service/dom0/tracing/tracer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/container_of.h"
#include "base/memory_file.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

struct session {
    const void *asker;
    uint32_t domid, threshold;
    uint64_t given; /* serial of the last memory that it was given */
    uint64_t begun; /* of the last one that there was before it */
    struct list_node link;
};

static struct session *session_of(struct list_node *node)
{
    return container_or_null(node, struct session, link);
}

static struct session *find(const struct tracer *tracer, const void *asker)
{
    struct session *session = session_of(list_first(&tracer->sessions));
    while (session != NULL && session->asker != asker)
        session = session_of(list_next(&tracer->sessions, &session->link));
    return session;
}

void tracer_init(struct tracer *tracer)
{
    *tracer = (struct tracer){.fd = -1};
}

void tracer_fini(struct tracer *tracer)
{
    assert(list_is_empty(&tracer->sessions));
    trace_writer_unmap(&tracer->writer);
    if (tracer->fd >= 0)
        close(tracer->fd);
    tracer->fd = -1;
}

/* Nobody but us can map it to write to it from then on. */
static int make_memory(struct tracer *tracer)
{
    if (tracer->fd >= 0)
        return 0;
    int fd = trace_writer_make(TRACE_DOM0_LANES, TRACE_DOM0_RECORDS, "splitdom-trace-dom0");
    if (fd < 0)
        return fd;
    int rc = trace_writer_map(&tracer->writer, TRACE_DOM0_LANES, TRACE_DOM0_RECORDS, fd);
    if (rc == 0)
        rc = memory_file_seal(fd, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
    if (rc < 0) {
        trace_writer_unmap(&tracer->writer);
        close(fd);
        return rc;
    }
    tracer->fd = fd;
    return 0;
}

int tracer_begin(struct tracer *tracer, const void *asker, uint32_t domid, uint32_t sample)
{
    if (sample == 0)
        return -EINVAL;
    if (find(tracer, asker) != NULL)
        return -EALREADY;
    int rc = make_memory(tracer);
    if (rc < 0)
        return rc;
    struct session *session = calloc(1, sizeof(*session));
    if (session == NULL)
        return -ENOMEM;
    session->asker = asker;
    session->domid = domid;
    session->threshold = trace_threshold(sample);
    session->begun = tracer->serial;
    list_push_back(&tracer->sessions, &session->link);
    trace_writer_show_active(&tracer->writer, true);
    return tracer->fd;
}

bool tracer_end(struct tracer *tracer, const void *asker)
{
    struct session *session = find(tracer, asker);
    if (session == NULL)
        return false;
    list_remove(&session->link);
    free(session);
    trace_writer_show_active(&tracer->writer, !list_is_empty(&tracer->sessions));
    return true;
}

void tracer_tidy(struct tracer *tracer, struct unmapper *unmapper)
{
    if (!list_is_empty(&tracer->sessions) || tracer->fd < 0)
        return;
    const struct unmapper_file file = {.base = tracer->writer.head,
                                       .bytes =
                                           trace_memory_bytes(TRACE_DOM0_LANES, TRACE_DOM0_RECORDS),
                                       .fd = tracer->fd};
    tracer->writer.head = NULL;
    tracer->fd = -1;
    unmapper_take_file(unmapper, &file);
}

static bool covers(const struct session *session, uint32_t domid)
{
    return session->domid == 0 || session->domid == domid;
}

static struct tracer_domain *memory_of(struct list_node *node)
{
    return container_or_null(node, struct tracer_domain, link);
}

int tracer_next(struct tracer *tracer, const void *asker, uint32_t *domid, bool *fresh)
{
    struct session *session = find(tracer, asker);
    if (session == NULL)
        return -ENOENT;
    for (struct tracer_domain *domain = memory_of(list_first(&tracer->memories)); domain != NULL;
         domain = memory_of(list_next(&tracer->memories, &domain->link))) {
        if (domain->serial <= session->given || !covers(session, domain->domid))
            continue;
        session->given = domain->serial;
        *domid = domain->domid;
        *fresh = domain->serial > session->begun;
        return domain->fd;
    }
    return -EAGAIN;
}

uint32_t tracer_wanted(const struct tracer *tracer, uint32_t domid)
{
    uint32_t most = 0;
    for (struct session *session = session_of(list_first(&tracer->sessions)); session != NULL;
         session = session_of(list_next(&tracer->sessions, &session->link))) {
        if (covers(session, domid) && session->threshold > most)
            most = session->threshold;
    }
    return most;
}

void tracer_domain_init(struct tracer_domain *domain, uint32_t domid)
{
    *domain = (struct tracer_domain){.domid = domid, .fd = -1};
}

int tracer_fetch(struct tracer *tracer, struct tracer_domain *domain)
{
    if (domain->fd >= 0)
        return domain->fd;
    if (domain->threshold == 0)
        return -EAGAIN;
    int fd = trace_writer_make(TRACE_DOMAIN_LANES, TRACE_DOMAIN_RECORDS, "splitdom-trace");
    int rc = fd < 0 ? fd : memory_file_seal(fd, F_SEAL_SEAL);
    if (rc < 0) {
        if (fd >= 0)
            close(fd);
        return rc;
    }
    domain->fd = fd;
    domain->serial = ++tracer->serial;
    list_push_back(&tracer->memories, &domain->link);
    return fd;
}

void tracer_domain_fini(struct tracer_domain *domain, struct unmapper *unmapper)
{
    list_drop(&domain->link);
    if (domain->fd >= 0)
        unmapper_take_file(unmapper, &(struct unmapper_file){.fd = domain->fd});
    domain->fd = -1;
}
