/* SPDX-License-Identifier: MIT */
/*
 * The network interface between a front end (DomU) and a back end (Dom0).
 *
 * Byte for byte Xen's xen/include/public/io/netif.h; tests/abi compares every size and offset with
 * the installed Xen headers. "Transmit" (tx) is what leaves the front end, "receive" (rx) what it
 * gets. A frame is an Ethernet frame without preamble and checksum.
 *
 * A frame lies in one or several slots. On the tx ring:
 *   request      flags; size is that of the whole frame
 *   extra infos  if the request says NETTXF_extra_info, each in a slot of its own; the next one
 *                follows if XEN_NETIF_EXTRA_FLAG_MORE is set
 *   requests     if the one before says NETTXF_more_data; size is the piece's own. What is left of
 *                the whole frame is the first one's piece.
 * Each slot of them is answered by one response: NETIF_RSP_NULL for an extra info.
 *
 * On the rx ring the front end posts pages as requests, and the responses are the frames: they have
 * the same form, but the first one's status is the size of its own piece. A response lies in the
 * slot of the request whose page it is about; one that is an extra info uses up that page, too.
 */
#ifndef SPLITDOM_XEN_NETIF_H
#define SPLITDOM_XEN_NETIF_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "splitdom/xen/grant_table.h"

enum {
    XEN_NETIF_NR_SLOTS_MIN = 18, /* a frame of so many requests is taken by every back end */
    XEN_NETIF_MAX_TX_SIZE = 0xFFFF,
};

/* Flags of netif_tx_request. */
enum {
    NETTXF_csum_blank = 1,     /* the checksum of TCP or UDP is of the pseudo header alone */
    NETTXF_data_validated = 2, /* the data are known to be right: no checksum has to be checked */
    NETTXF_more_data = 4,      /* the frame goes on in the next request */
    NETTXF_extra_info = 8,     /* an extra info follows */
};

/* Flags of netif_rx_response: the first two have changed places. */
enum {
    NETRXF_data_validated = 1,
    NETRXF_csum_blank = 2,
    NETRXF_more_data = 4,
    NETRXF_extra_info = 8,
    NETRXF_gso_prefix = 16, /* nobody's any more */
};

enum {
    NETIF_RSP_DROPPED = -2,
    NETIF_RSP_ERROR = -1,
    NETIF_RSP_OKAY = 0,
    NETIF_RSP_NULL = 1, /* of a slot that held an extra info */
};

enum {
    XEN_NETIF_EXTRA_TYPE_NONE = 0, /* invalid */
    XEN_NETIF_EXTRA_TYPE_GSO = 1,
    XEN_NETIF_EXTRA_TYPE_MCAST_ADD = 2,
    XEN_NETIF_EXTRA_TYPE_MCAST_DEL = 3,
    XEN_NETIF_EXTRA_TYPE_HASH = 4,
    XEN_NETIF_EXTRA_TYPE_MAX = 5,
    XEN_NETIF_EXTRA_FLAG_MORE = 1,
};

/* How a frame that is larger than what the wire carries is to be cut. */
enum {
    XEN_NETIF_GSO_TYPE_NONE = 0,
    XEN_NETIF_GSO_TYPE_TCPV4 = 1,
    XEN_NETIF_GSO_TYPE_TCPV6 = 2,
};

struct netif_tx_request {
    grant_ref_t gref; /* the page; readable is enough */
    uint16_t offset;  /* of the data in it */
    uint16_t flags;
    uint16_t id; /* echoed; never interpreted by the back end */
    uint16_t size;
};

struct netif_tx_response {
    uint16_t id;
    int16_t status;
};

struct netif_rx_request {
    uint16_t id; /* echoed */
    uint16_t pad;
    grant_ref_t gref; /* a page, writable */
};

struct netif_rx_response {
    uint16_t id;
    uint16_t offset; /* of the data in the page */
    uint16_t flags;
    int16_t status; /* > 0: bytes; < 0: NETIF_RSP_* */
};

struct netif_extra_info {
    uint8_t type;
    uint8_t flags;
    union {
        struct {
            uint16_t size; /* bytes of data in each piece */
            uint8_t type;
            uint8_t pad;
            uint16_t features; /* 0: there are none */
        } gso;
        struct {
            uint8_t addr[6];
        } mcast;
        struct {
            uint8_t type;
            uint8_t algorithm;
            uint8_t value[4];
        } hash;
        uint16_t pad[3];
    } u;
};

/* The control ring. Our back end offers none (no feature-ctrl-ring). */
struct xen_netif_ctrl_request {
    uint16_t id;
    uint16_t type;
    uint32_t data[3];
};

struct xen_netif_ctrl_response {
    uint16_t id;
    uint16_t type;
    uint32_t status;
    uint32_t data;
};

struct xen_netif_gref {
    grant_ref_t ref;
    uint16_t flags;
    uint16_t status;
};

enum {
    XEN_NETIF_CTRL_TYPE_INVALID = 0,
    XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS = 1,
    XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS = 2,
    XEN_NETIF_CTRL_TYPE_SET_HASH_KEY = 3,
    XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE = 4,
    XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE = 5,
    XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING = 6,
    XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM = 7,
    XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE = 8,
    XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING = 9,
    XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING = 10,

    XEN_NETIF_CTRL_STATUS_SUCCESS = 0,
    XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED = 1,
    XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER = 2,
    XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW = 3,

    XEN_NETIF_CTRLF_GREF_readonly = 1,
};

/*
 * Time stamps, an extension: where both sides have written feature-splitdom-stamp = 1, an extra
 * info of a type that Xen does not use carries a time of the front end's domain clock, in ns:
 *   tx   when the frame left
 *   rx   when it is to be seen as arrived
 * Its six bytes are the low 48 bits of the time, the lowest byte first, so they mean the time next
 * to the present one: within 39 hours of it.
 */
enum { SPLITDOM_NETIF_EXTRA_TYPE_STAMP = 0x80 };

/* Type and flags are there already. They are written once more, with the time, as one word: whoever
 * copies the extra info next reads that word, and a processor hands no word on to a read that was
 * written in pieces before all writes before it are done. */
static inline void splitdom_netif_stamp_put(struct netif_extra_info *extra, uint64_t stamp_ns)
{
    uint64_t word = htole64(stamp_ns << 16 | (uint64_t)extra->flags << 8 | extra->type);
    memcpy(extra, &word, sizeof(*extra));
}

/* now_ns: of the clock that the stamp is of. */
static inline uint64_t splitdom_netif_stamp_get(const struct netif_extra_info *extra,
                                                uint64_t now_ns)
{
    uint64_t low;
    memcpy(&low, extra, sizeof(low));
    low = le64toh(low) >> 16;
    int64_t ahead = (int64_t)((low - now_ns) << 16) >> 16; /* modulo 2^48, the nearest */
    return ahead < 0 && now_ns < (uint64_t)-ahead ? low : now_ns + (uint64_t)ahead;
}

_Static_assert(sizeof(struct netif_tx_request) == 12, "tx request is 12 bytes on the wire");
_Static_assert(offsetof(struct netif_tx_request, size) == 10, "tx_request.size");
_Static_assert(sizeof(struct netif_tx_response) == 4, "tx response is 4 bytes on the wire");
_Static_assert(sizeof(struct netif_rx_request) == 8, "rx request is 8 bytes on the wire");
_Static_assert(sizeof(struct netif_rx_response) == 8, "rx response is 8 bytes on the wire");
_Static_assert(sizeof(struct netif_extra_info) == 8, "extra info is 8 bytes on the wire");
_Static_assert(sizeof(struct xen_netif_ctrl_request) == 16, "control request is 16 bytes");
_Static_assert(sizeof(struct xen_netif_ctrl_response) == 12, "control response is 12 bytes");
_Static_assert(sizeof(struct xen_netif_gref) == 8, "a mapping is 8 bytes on the wire");

#endif
