/* SPDX-License-Identifier: MIT */
/*
 * ring_half: either half of a ring behind functions, so that ours and Xen's can be paired.
 *
 * Requests and responses pass as the bytes that lie in a slot (test_abi shows that both sides mean
 * the same by them).
 */
#ifndef SPLITDOM_TESTS_ABI_RING_HALF_H
#define SPLITDOM_TESTS_ABI_RING_HALF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REQUEST_BYTES = 112, RESPONSE_BYTES = 16 };

struct front_half {
    const char *name;
    /* Initialises the shared header to index and attaches. NULL: no memory. Release with free. */
    void *(*create)(void *shared, size_t bytes, uint32_t index);
    uint32_t (*free_requests)(void *half);
    void (*put_request)(void *half, const uint8_t request[REQUEST_BYTES]);
    bool (*push)(void *half); /* the notify decision */
    bool (*take_response)(void *half, uint8_t response[RESPONSE_BYTES]);
    bool (*final_check)(void *half); /* true: there is work, don't sleep */
    /* Is index `prod` believed while these are in flight? */
    bool (*believes)(uint32_t nr_ents, uint32_t rsp_cons, uint32_t req_prod, uint32_t prod);
};

struct back_half {
    const char *name;
    void *(*create)(void *shared, size_t bytes, uint32_t index);
    bool (*take_request)(void *half, uint8_t request[REQUEST_BYTES]);
    void (*put_response)(void *half, uint64_t id, uint8_t operation, int16_t status);
    bool (*push)(void *half);
    bool (*final_check)(void *half);
    bool (*believes)(uint32_t nr_ents, uint32_t rsp_prod_pvt, uint32_t req_cons, uint32_t prod);
};

extern const struct front_half front_ours, front_xen;
extern const struct back_half back_ours, back_xen;

#endif
