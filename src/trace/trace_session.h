/* SPDX-License-Identifier: MIT */
/*
 * trace_session: a running Dom0 traces for us, and we take what it and its domains write down
 * (splitdom/trace.h, CONTROL_TRACE). The session ends with the connection.
 */
#ifndef SPLITDOM_TRACE_TRACE_SESSION_H
#define SPLITDOM_TRACE_TRACE_SESSION_H

#include "base/why.h"
#include "trace/trace_set.h"

struct trace_session;

/* What --sample says: "auto" or a number from 1 to 1000000. Errors: -EINVAL, with a line in why. */
int trace_sample_parse(const char *text, uint32_t *sample, struct why *why);

/* Begins to trace one of `sample` requests (0: TRACE_SAMPLE_AUTO) of a domain (0: all) at the
 * service on control_socket. set is that of this session, not made yet. Errors, with a line in why:
 * -errno. */
int trace_session_open(const char *control_socket, uint32_t domid, uint32_t sample,
                       struct trace_set *set, struct trace_session **out, struct why *why);
/* How long to wait before what there is is taken again: the reader disturbs the traced little, and
 * loses nothing of a sample that keeps to a rate. */
uint64_t trace_session_pause_ns(const struct trace_session *session);
/* Takes what there is; it is to be taken again after that pause, or may be lost. Errors, with a
 * line in why: -ESHUTDOWN Dom0 is gone; -errno. */
int trace_session_take(struct trace_session *session, struct why *why);
/* Instead: shows what Dom0 has written down since the last look, and keeps nothing of it. */
void trace_session_look(struct trace_session *session,
                        void (*see)(void *ctx, const struct trace_record *record), void *ctx);
/* Whether that domain writes its half down. */
bool trace_session_follows(const struct trace_session *session, uint32_t domid);
/* Takes what is left, and ends the set and the session. */
void trace_session_close(struct trace_session *session);
/* The same of one of which nothing is wanted any more; the set is freed. NULL allowed. */
void trace_session_drop(struct trace_session *session);

#endif
