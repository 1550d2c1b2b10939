/* SPDX-License-Identifier: MIT */
/*
 * The control socket dom0.sock: creation of domains, the few hypercalls, and the service's verbs.
 *
 * SOCK_SEQPACKET: one message, one packet. A connection starts with CONTROL_CREATE_DOMAIN (it is
 * then the domain: its end is the domain's end) or with a verb of `service`. A domain maps its
 * memory, says so (CONTROL_MAPPED), and may then use the store page and ring the doorbell. Every
 * request gets one reply; a packet of another size, magic or version ends the connection. The
 * reason why a request with text is refused comes as a file in a descriptor, too, if the reply's
 * field is too short for it; arg0 is its length.
 *
 * No sector and no block request ever travels here: after the handshake a domain is quiet on it.
 */
#ifndef SPLITDOM_CONTROL_H
#define SPLITDOM_CONTROL_H

#include <stdint.h>

enum {
    CONTROL_MAGIC = 0x53444d30, /* "SDM0" */
    CONTROL_VERSION = 2,        /* 2: CONTROL_MAPPED */
};

enum control_op {
    /* arg0: wanted number of pages; tdf_num / tdf_den: its clock's time dilation factor, 0 / 0
     * for 1. Reply: arg0 = domid; two descriptors: segment, doorbell. */
    CONTROL_CREATE_DOMAIN = 1,
    /* EVTCHNOP_alloc_unbound for Dom0 as the remote end. arg0: vCPU to notify. Reply: arg0 = port
     */
    CONTROL_EVTCHN_ALLOC_UNBOUND = 2,
    /* EVTCHNOP_close. arg0: port */
    CONTROL_EVTCHN_CLOSE = 3,
    /* The domain has mapped its memory, all that it will ever map to write to: Dom0 seals the file
     * against holes and new writable mappings (F_SEAL_FUTURE_WRITE), and looks at the domain's
     * pages and doorbell from now on. Once a domain; -EALREADY after that. -EPERM the domain itself
     * has sealed the file so that this is not possible any more. */
    CONTROL_MAPPED = 4,
    /* arg0: virtual-device of a disk of the domain's, which has negotiated feature-shared-cache.
     * Reply: one descriptor, Dom0's cache of the disk, to be mapped read-only
     * (splitdom/shared_cache.h). -ENODEV no such disk, or not connected; -EOPNOTSUPP not
     * negotiated. */
    CONTROL_SHARED_CACHE = 5,
    /* How people see the domain, and what can be changed for it. tdf_num / tdf_den: its share of
     * the CPU, above 0 and at most 1: the domain applies what the node cpu-share says; 0 / 0: it
     * does not, and has no such node. arg0: its weight (the node sched/weight), 1 to
     * CONTROL_WEIGHT_MAX; 0: as it is. Text follows the request: its name, up to 63 letters, digits
     * or "_-.+:@"; empty: as it is. Once a domain, else -EALREADY. -EEXIST another domain has that
     * name; -EINVAL the name, the share or the weight is not allowed; then nothing has changed. */
    CONTROL_DESCRIBE = 6,
    /* A domain whose node splitdom/trace is above 0: reply: one descriptor, its trace memory, to be
     * mapped and written to (splitdom/trace.h). -EAGAIN nobody traces it. */
    CONTROL_TRACE_MEMORY = 7,
    /* Reply: one descriptor, a file with the state of the service, arg0 = its length: two texts, a
     * table for people and JSON for programs, with a NUL between them. */
    CONTROL_STATUS = 16,
    /* Ends the service. Not for a domain, which gets -EPERM: a broken driver must not end them all;
     * a connection of its own may ask. Reply when all is closed: one descriptor, the farewell text;
     * none where Dom0 could not write that down. */
    CONTROL_STOP = 17,
    /* Disks of running domains. Not for a domain (-EPERM). Text follows the request. */
    /* arg0: domid; text: a specification as xl has it, its target an absolute path. */
    CONTROL_BLOCK_ATTACH = 18,
    /* arg0: domid; text: the vdev. Reply when the front end has closed the disk; -ETIMEDOUT when
     * that took more than 10 s: the disk then goes whenever that is done. A connection that asks
     * for more before its reply is closed. */
    CONTROL_BLOCK_DETACH = 19,
    /* The same at once, whatever the front end does. */
    CONTROL_BLOCK_DESTROY = 20,
    /* text: which images are to be looked at again, a vdev or a path. */
    CONTROL_RESIZE = 21,
    /* Not for a domain (-EPERM). Traces requests, one of tdf_num (1: all of them), of domain arg0
     * or, where that is 0, of all domains, for as long as the connection lasts. Reply: one
     * descriptor, Dom0's trace memory, to be mapped read-only. -EALREADY this connection does so;
     * -ENOENT there is no such domain. */
    CONTROL_TRACE = 22,
    /* Then, as often as wanted: the trace memory of a domain that has fetched one and that this
     * connection has not been given. Reply: one descriptor, arg0: the domid; arg1: 1 if all that is
     * in it was written since the connection began. -EAGAIN there is none at present. */
    CONTROL_TRACE_NEXT = 23,
    /* arg0: domid. Ends that domain, whether it listens or not: it gets a reply that it has not
     * asked for, with the status -ESHUTDOWN, and then the end of its connection. Not for a domain,
     * which gets -EPERM. -ENOENT there is no such domain. */
    CONTROL_DESTROY = 32,
    /* The network. Not for a domain (-EPERM). Text follows the request; the answer may be text, as
     * a reason is: arg0 is its length if there is a descriptor. */
    /* arg0: domid; text: a specification as xl has it. */
    CONTROL_NETWORK_ATTACH = 48,
    /* arg0: domid; text: the device's number or its address. Replies as of CONTROL_BLOCK_DETACH. */
    CONTROL_NETWORK_DETACH = 49,
    /* The same at once, whatever the front end does. */
    CONTROL_NETWORK_DESTROY = 50,
    /* text: the words of `service net-link`, with blanks between them. */
    CONTROL_NET_LINK = 51,
    /* The same of `service rule`. */
    CONTROL_RULE = 52,
};

enum {
    CONTROL_TEXT_MAX = 8192, /* of the text behind a request, with its NUL, which ends it */
    CONTROL_NAME_SIZE = 64,  /* of a domain's name, likewise */
    CONTROL_WEIGHT_MAX = 65535,
};

/* The beginning of the name of a domain that says none; its number follows. No domain may call
 * itself so: it would have the name of one that is still to come. */
#define CONTROL_NAME_UNSAID "DomU-"

struct control_request {
    uint32_t magic;
    uint32_t version;
    uint32_t op;
    uint32_t arg0;
    uint32_t tdf_num;
    uint32_t tdf_den;
};

struct control_reply {
    uint32_t magic;
    int32_t status; /* 0 or -errno */
    uint32_t arg0;
    uint32_t arg1;    /* 0 where nothing else is said */
    char reason[112]; /* NUL-terminated text for people, empty when status is 0 */
};

_Static_assert(sizeof(struct control_request) == 24, "control request is 24 bytes");
_Static_assert(sizeof(struct control_reply) == 128, "control reply is 128 bytes");

#endif
