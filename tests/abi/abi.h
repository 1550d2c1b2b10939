/* SPDX-License-Identifier: MIT */
/*
 * abi: the two readings of the same interfaces, as plain tables that a test can compare.
 */
#ifndef SPLITDOM_TESTS_ABI_ABI_H
#define SPLITDOM_TESTS_ABI_ABI_H

#include <stddef.h>
#include <stdint.h>

struct abi_entry {
    const char *name;
    long long value; /* of a constant, or the offset of a member */
    size_t size;     /* of a type or member, 0 for a constant */
    int is_unsigned; /* of a member */
};

enum abi_ring { ABI_RING_BLKIF, ABI_RING_NETIF_TX, ABI_RING_NETIF_RX };

struct abi {
    const struct abi_entry *entries;
    size_t count;
    /* Slots of a device's ring in so many bytes. */
    uint32_t (*ring_entries)(enum abi_ring ring, size_t bytes);
};

extern const struct abi abi_ours;
extern const struct abi abi_xen;

#define ABI_SIZE(type) {.name = "sizeof(" #type ")", .size = sizeof(type)},
#define ABI_ARRAY(type, member)                                                                    \
    {.name = #type "." #member,                                                                    \
     .value = (long long)offsetof(type, member),                                                   \
     .size = sizeof(((type *)0)->member)},
#define ABI_MEMBER(type, member)                                                                   \
    {.name = #type "." #member,                                                                    \
     .value = (long long)offsetof(type, member),                                                   \
     .size = sizeof(((type *)0)->member),                                                          \
     .is_unsigned = (__typeof__(((type *)0)->member))-1 > 0},
#define ABI_VALUE(name_) {.name = #name_, .value = (long long)(name_)},

#endif
