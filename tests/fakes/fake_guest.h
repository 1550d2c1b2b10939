/* SPDX-License-Identifier: MIT */
/*
 * fake_guest: a front end of vhost-user-blk with one queue, in the thread of the test: its
 * messages, its memory, its requests. It trusts its caller: a test makes it lie by writing into its
 * memory.
 */
#ifndef SPLITDOM_TESTS_FAKE_GUEST_H
#define SPLITDOM_TESTS_FAKE_GUEST_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#include "bridge/vhost/vhost_user.h"

enum {
    FAKE_GUEST_BYTES = 1 << 20,
    FAKE_GUEST_QUEUE = 16, /* entries */
    /* Where things are in its memory. */
    FAKE_GUEST_DESC = 0,
    FAKE_GUEST_AVAIL = 0x1000,
    FAKE_GUEST_USED = 0x2000,
    FAKE_GUEST_INDIRECT = 0x3000,
    FAKE_GUEST_HEADER = 0x4000,
    FAKE_GUEST_STATUS = 0x5000,
    FAKE_GUEST_DATA = 0x10000,
};

/* Its addresses: where the guest, and where its front end, believe the memory to be. */
#define FAKE_GUEST_ADDRESS UINT64_C(0x80000000)
#define FAKE_GUEST_USER    UINT64_C(0x7f0000000000)

struct fake_guest {
    int memory_fd, kick_fd, call_fd;
    int socket, peer; /* peer: the device's end, which it takes over */
    uint8_t *memory;
    struct vring_desc *desc;
    struct vring_avail *avail;
    struct vring_used *used;
    uint16_t used_cons;
};

/* True on success. */
bool fake_guest_open(struct fake_guest *guest);
void fake_guest_close(struct fake_guest *guest);

/* Sends a message, with fd unless it is -1. */
void fake_guest_send(struct fake_guest *guest, uint32_t request, const void *payload,
                     uint32_t bytes, int fd);
/* Receives an answer; returns its payload's bytes, or -1 if there is none. */
int fake_guest_receive(struct fake_guest *guest, union vhost_user_payload *payload);
/* All that makes the queue run, with these features. */
void fake_guest_start(struct fake_guest *guest, uint64_t features);
void fake_guest_set_memory(struct fake_guest *guest, const struct vhost_user_region *region);

/* Descriptor index: bytes at an offset of its memory; flags as VRING_DESC_F_*, followed by next. */
void fake_guest_desc(struct fake_guest *guest, uint16_t index, uint64_t offset, uint32_t bytes,
                     uint16_t flags, uint16_t next);
/* Offers the chain that begins with this descriptor. */
void fake_guest_offer(struct fake_guest *guest, uint16_t head);
/* An ordinary request of three descriptors from 0 on: header, data, status; and offers it. */
void fake_guest_request(struct fake_guest *guest, uint32_t type, uint64_t sector, uint32_t bytes);
/* Takes an answer: its length, or -1 if there is none. The status is at FAKE_GUEST_STATUS. */
int64_t fake_guest_take(struct fake_guest *guest, uint32_t *id);

#endif
