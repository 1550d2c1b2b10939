/* SPDX-License-Identifier: MIT */
/* blkif_ring: how many requests a block device's ring holds, and where they lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ring/blkif_ring.h"

static void entries_double_with_the_pages(void **state)
{
    (void)state;
    for (uint32_t order = 0; order <= BLKIF_RING_PAGE_ORDER_MAX; order++) {
        size_t bytes = (size_t)XEN_PAGE_SIZE << order;
        size_t entries = blkif_ring_entries(order);
        assert_int_equal(entries, 32u << order);
        assert_true(sizeof(struct sring) + entries * sizeof(union blkif_sring_entry) <= bytes);
        assert_true(sizeof(struct sring) + 2 * entries * sizeof(union blkif_sring_entry) > bytes);
    }
    assert_int_equal(blkif_ring_entries(BLKIF_RING_PAGE_ORDER_MAX), BLKIF_RING_ENTRIES_MAX);
}

/* A stamp lies inside its slot, beside the structure that the slot holds. */
static void stamps_lie_beside_request_and_response(void **state)
{
    (void)state;
    uint64_t page[XEN_PAGE_SIZE / sizeof(uint64_t)];
    struct sring *sring = (struct sring *)(void *)page;
    uint8_t *slot = (uint8_t *)blkif_ring_slot(sring, 32, 35);
    assert_ptr_equal(slot, (uint8_t *)page + 64 + 3 * sizeof(union blkif_sring_entry));
    assert_ptr_equal(blkif_ring_stamp(sring, 32, 35, BLKIF_REQUEST_STAMP_BYTE),
                     slot + offsetof(struct blkif_request, seg[BLKIF_STAMPED_SEGMENTS_MAX]));
    assert_ptr_equal(blkif_ring_stamp(sring, 32, 35, BLKIF_RESPONSE_STAMP_BYTE),
                     slot + sizeof(struct blkif_response));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_double_with_the_pages),
        cmocka_unit_test(stamps_lie_beside_request_and_response),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
