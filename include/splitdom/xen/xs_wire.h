/* SPDX-License-Identifier: MIT */
/*
 * xenstore wire format: message header, message types, the ring page of a domain.
 *
 * Layout of xen/include/public/io/xs_wire.h; semantics in docs/misc/xenstore.txt and
 * docs/misc/xenstore-ring.txt of Xen. Integers are little-endian; a payload never exceeds
 * XENSTORE_PAYLOAD_MAX.
 */
#ifndef SPLITDOM_XEN_XS_WIRE_H
#define SPLITDOM_XEN_XS_WIRE_H

#include <stddef.h>
#include <stdint.h>

enum xsd_sockmsg_type {
    XS_CONTROL = 0,
    XS_DIRECTORY = 1,
    XS_READ = 2,
    XS_GET_PERMS = 3,
    XS_WATCH = 4,
    XS_UNWATCH = 5,
    XS_TRANSACTION_START = 6,
    XS_TRANSACTION_END = 7,
    XS_INTRODUCE = 8,
    XS_RELEASE = 9,
    XS_GET_DOMAIN_PATH = 10,
    XS_WRITE = 11,
    XS_MKDIR = 12,
    XS_RM = 13,
    XS_SET_PERMS = 14,
    XS_WATCH_EVENT = 15,
    XS_ERROR = 16,
    XS_IS_DOMAIN_INTRODUCED = 17,
    XS_RESUME = 18,
    XS_SET_TARGET = 19,
    XS_RESET_WATCHES = 21,
    XS_DIRECTORY_PART = 22,
    XS_GET_FEATURE = 23,
    XS_SET_FEATURE = 24,
    XS_GET_QUOTA = 25,
    XS_SET_QUOTA = 26,
};

struct xsd_sockmsg {
    uint32_t type;
    uint32_t req_id; /* chosen by the requester, echoed in the reply */
    uint32_t tx_id;  /* transaction, 0 = none */
    uint32_t len;    /* bytes of payload that follow */
};

enum {
    XENSTORE_PAYLOAD_MAX = 4096,
    XENSTORE_ABS_PATH_MAX = 3072,
    XENSTORE_REL_PATH_MAX = 2048,
    XENSTORE_RING_SIZE = 1024,
};

/* server_features, connection and error values of the ring page */
enum {
    XENSTORE_SERVER_FEATURE_RECONNECTION = 1,
    XENSTORE_SERVER_FEATURE_ERROR = 2,
    XENSTORE_SERVER_FEATURE_WATCHDEPTH = 4,
    XENSTORE_SERVER_FEATURE_DOMID_ANY = 8,
    XENSTORE_CONNECTED = 0,
    XENSTORE_RECONNECT = 1,
    XENSTORE_ERROR_NONE = 0,
    XENSTORE_ERROR_COMM = 1,
    XENSTORE_ERROR_RINGIDX = 2,
    XENSTORE_ERROR_PROTO = 3,
};

typedef uint32_t XENSTORE_RING_IDX;

struct xenstore_domain_interface {
    char req[XENSTORE_RING_SIZE]; /* domain writes, store reads */
    char rsp[XENSTORE_RING_SIZE]; /* store writes, domain reads */
    XENSTORE_RING_IDX req_cons;   /* store */
    XENSTORE_RING_IDX req_prod;   /* domain */
    XENSTORE_RING_IDX rsp_cons;   /* domain */
    XENSTORE_RING_IDX rsp_prod;   /* store */
    uint32_t server_features;     /* store */
    uint32_t connection;          /* both, see xenstore-ring.txt */
    uint32_t error;               /* store */
};

_Static_assert(sizeof(struct xsd_sockmsg) == 16, "xsd_sockmsg is 16 bytes");
_Static_assert(offsetof(struct xenstore_domain_interface, req_cons) == 2048, "req_cons");
_Static_assert(offsetof(struct xenstore_domain_interface, error) == 2072, "error");
_Static_assert(sizeof(struct xenstore_domain_interface) == 2076, "interface is 2076 bytes");

#endif
