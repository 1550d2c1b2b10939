/* SPDX-License-Identifier: MIT */
/*
 * control: dom0.sock, where domains are created (splitdom/control.h) and the verbs of `service`
 * arrive. A connection that created a domain is the domain: when it ends, the domain ends.
 */
#ifndef SPLITDOM_SERVICE_DOM0_CONTROL_H
#define SPLITDOM_SERVICE_DOM0_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/log.h"
#include "base/why.h"
#include "service/loop/poller.h"
#include "splitdom/control.h"
#include "splitdom/tdf.h"

struct control;
struct control_peer;
struct domain;

/* CONTROL_DESCRIBE. */
struct control_description {
    const char *name; /* empty: as it is */
    struct tdf share; /* num 0: none */
    uint32_t weight;  /* 0: as it is */
};

/* What the connections ask for. All required; called on the poller's thread. */
struct control_ops {
    /* pid: the process that asks, 0 if it is not known. Returns 0 and the domain with its segment's
     * descriptor (sent from here, it stays the domain's), or -errno with a reason. */
    int (*create_domain)(void *ctx, const struct control_request *request, pid_t pid,
                         struct domain **out, int *segment_fd, struct why *why);
    /* The domain has mapped its memory. 0; -EALREADY; -errno. */
    int (*mapped)(struct domain *domain);
    void (*end_domain)(void *ctx, struct domain *domain);
    int (*doorbell_fd)(const struct domain *domain);
    uint32_t (*domid)(const struct domain *domain);
    /* EVTCHNOP_alloc_unbound: the port or -errno. EVTCHNOP_close: 0 or -errno. */
    int (*alloc_port)(struct domain *domain, uint32_t vcpu);
    int (*close_port)(struct domain *domain, uint32_t port);
    /* The file of the cache of the domain's disk with this number, which stays Dom0's; -ENODEV,
     * -EOPNOTSUPP. */
    int (*shared_cache)(struct domain *domain, uint32_t devid);
    /* 0, or -errno with a reason. */
    int (*describe)(void *ctx, struct domain *domain, const struct control_description *wanted,
                    struct why *why);
    /* The domain of that number, or NULL. */
    struct domain *(*find)(void *ctx, uint32_t domid);
    /* Returns a descriptor with the state of the service as text, *bytes long, or -errno. */
    int (*status)(void *ctx, uint32_t *bytes);
    /* Begins to stop; control_farewell answers later. */
    void (*stop)(void *ctx);
    /* Disks of running domains (dom0_attach.c). Errors: -errno with a reason. */
    /* -EINPROGRESS, of both: asker is answered later (control_answer), unless it goes away
     * (forget). */
    int (*attach_disk)(void *ctx, uint32_t domid, const char *spec, struct control_peer *asker,
                       struct why *why);
    int (*detach_disk)(void *ctx, uint32_t domid, const char *vdev, bool force,
                       struct control_peer *asker, struct why *why);
    void (*forget)(void *ctx, struct control_peer *asker);
    int (*resize)(void *ctx, const char *which, struct why *why);
    /* One of CONTROL_NETWORK_ATTACH and its successors. *answer: text for who asked, to be freed;
     * NULL: none. Errors as of attach_disk and detach_disk. */
    int (*network)(void *ctx, const struct control_request *request, const char *text,
                   struct control_peer *asker, char **answer, struct why *why);
    /* asker traces, until trace_end, one of `sample` requests of a domain, or of all if domid is 0.
     * Each returns a descriptor, which stays Dom0's: Dom0's trace memory; that of a domain which
     * asker has not been given, with *domid; the domain's own. Errors: see splitdom/control.h. */
    int (*trace)(void *ctx, struct control_peer *asker, uint32_t domid, uint32_t sample);
    int (*trace_next)(void *ctx, struct control_peer *asker, uint32_t *domid, bool *fresh);
    int (*trace_memory)(void *ctx, struct domain *domain);
    void (*trace_end)(void *ctx, struct control_peer *asker);
};

/* Answers who was left waiting: 0, or -errno with a reason. Once, and not from within the op that
 * it is the answer to. */
void control_answer(struct control_peer *asker, int status, const char *reason);

/* Binds path (a stale socket there is replaced: the caller holds the lock). Of connections_max
 * connections one without a domain gives way to a new one (control_room.h). Errors: -errno. */
int control_create(const char *path, struct poller *poller, struct log *log,
                   uint32_t connections_max, const struct control_ops *ops, void *ctx,
                   struct control **out);

/* Has anything come that control_run would look at? Only flags are read. */
bool control_has_news(const struct control *control);
/*
 * Serves what has come: at most a few connections and a few packets, each peer in turn, because
 * somebody who floods gets a bounded share of a turn. True: there may be more. The poller's edges
 * only mark what is ready, so it is for the caller to say when, and how often, that is served.
 */
bool control_run(struct control *control);

/* Has control_run try again for connections that found no descriptor or memory. Call it whenever
 * something may have been closed; costs nothing when none waits. */
void control_accept_again(struct control *control);
/* Does a connection wait for that? */
bool control_accept_failed(const struct control *control);

/* Ends a domain's connection from our side, and with it the domain (end_domain is called). */
void control_drop_domain(struct control *control, struct domain *domain);
/* The same, and tells the domain that somebody wanted that. */
void control_destroy_domain(struct control *control, struct domain *domain);

/* Takes no new connections, ends all domains. Those who asked to stop go on waiting. */
void control_quiesce(struct control *control);
/* Answers those who asked to stop; text_fd (may be -1) holds the farewell text, bytes long. */
void control_farewell(struct control *control, int text_fd, uint32_t bytes);

/* Closes everything and removes the socket. NULL allowed. */
void control_destroy(struct control *control);

/* Somebody has removed the socket's name: makes it again, with a new socket behind it. Connections
 * stay. Nothing if it is there. Errors: -errno; then nobody can connect any more. */
int control_listen_again(struct control *control);

#endif
