/* SPDX-License-Identifier: MIT */
/*
 * vhost_user: the messages of the vhost-user protocol, as far as a block device needs them. The
 * front end (QEMU, UML, the benchmark) and the back end (our device, qemu-storage-daemon) speak it
 * over a Unix socket.
 *
 * Source: "Vhost-user Protocol" of QEMU's documentation (docs/interop/vhost-user.rst): sections
 * "Message Specification", "Front-end message types", "Ring states". All numbers are native-endian.
 */
#ifndef SPLITDOM_BRIDGE_VHOST_VHOST_USER_H
#define SPLITDOM_BRIDGE_VHOST_VHOST_USER_H

#include <stdint.h>

enum {
    VHOST_USER_GET_FEATURES = 1,
    VHOST_USER_SET_FEATURES = 2,
    VHOST_USER_SET_OWNER = 3,
    VHOST_USER_RESET_OWNER = 4,
    VHOST_USER_SET_MEM_TABLE = 5,
    VHOST_USER_SET_VRING_NUM = 8,
    VHOST_USER_SET_VRING_ADDR = 9,
    VHOST_USER_SET_VRING_BASE = 10,
    VHOST_USER_GET_VRING_BASE = 11,
    VHOST_USER_SET_VRING_KICK = 12,
    VHOST_USER_SET_VRING_CALL = 13,
    VHOST_USER_SET_VRING_ERR = 14,
    VHOST_USER_GET_PROTOCOL_FEATURES = 15,
    VHOST_USER_SET_PROTOCOL_FEATURES = 16,
    VHOST_USER_GET_QUEUE_NUM = 17,
    VHOST_USER_SET_VRING_ENABLE = 18,
    VHOST_USER_SET_BACKEND_REQ_FD = 21,
    VHOST_USER_GET_CONFIG = 24,
    VHOST_USER_SET_CONFIG = 25,
    VHOST_USER_GET_INFLIGHT_FD = 31,
    VHOST_USER_SET_INFLIGHT_FD = 32,
};

/* What the back end asks the front end, over a line of its own. */
enum { VHOST_USER_BACKEND_CONFIG_CHANGE_MSG = 2 };

enum {
    VHOST_USER_VERSION = 1,
    VHOST_USER_VERSION_MASK = 3,
    VHOST_USER_REPLY = 1 << 2,           /* flag of an answer */
    VHOST_USER_NEED_REPLY = 1 << 3,      /* flag of a question, with REPLY_ACK */
    VHOST_USER_F_PROTOCOL_FEATURES = 30, /* a feature bit */
    VHOST_USER_PROTOCOL_F_MQ = 0,
    VHOST_USER_PROTOCOL_F_REPLY_ACK = 3,
    VHOST_USER_PROTOCOL_F_BACKEND_REQ = 5,
    VHOST_USER_PROTOCOL_F_CONFIG = 9,
    VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD = 12,
    VHOST_USER_REGIONS_MAX = 8,
    VHOST_USER_CONFIG_BYTES_MAX = 256,
    VHOST_USER_NO_FD = 1 << 8, /* in the number of KICK, CALL, ERR: without a descriptor */
    VHOST_USER_QUEUE_MASK = 0xff,
};

struct vhost_user_vring_state {
    uint32_t index, value;
};

/* Addresses of the front end's own mapping, which SET_MEM_TABLE lets the back end translate. */
struct vhost_user_vring_addr {
    uint32_t index, flags;
    uint64_t descriptors, used, available, log;
};

struct vhost_user_region {
    uint64_t guest_address, bytes, user_address, mmap_offset;
};

struct vhost_user_memory {
    uint32_t region_count, padding;
    struct vhost_user_region regions[VHOST_USER_REGIONS_MAX]; /* as many as are counted are sent */
};

struct vhost_user_config {
    uint32_t offset, bytes, flags;
    unsigned char region[VHOST_USER_CONFIG_BYTES_MAX]; /* likewise */
};

/* The memory of inflight_track.h, whose descriptor comes with the message. */
struct vhost_user_inflight {
    uint64_t mmap_bytes, mmap_offset;
    uint16_t queue_count, queue_size;
    uint32_t padding;
};

struct vhost_user_header {
    uint32_t request, flags, bytes; /* bytes of the payload */
};

union vhost_user_payload {
    uint64_t u64;
    struct vhost_user_vring_state state;
    struct vhost_user_vring_addr addr;
    struct vhost_user_memory memory;
    struct vhost_user_config config;
    struct vhost_user_inflight inflight;
};

/* As it is sent. */
struct vhost_user_message {
    struct vhost_user_header header;
    union vhost_user_payload payload;
} __attribute__((packed));

#endif
