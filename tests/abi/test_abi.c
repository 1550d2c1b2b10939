/* SPDX-License-Identifier: MIT */
/* Our headers against the installed Xen headers: every size, offset, sign and number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "abi.h"

static void every_entry_is_the_same(void **state)
{
    (void)state;
    assert_int_equal(abi_ours.count, abi_xen.count);
    assert_true(abi_ours.count > 100);
    size_t differences = 0;
    for (size_t i = 0; i < abi_ours.count; i++) {
        const struct abi_entry *ours = &abi_ours.entries[i], *xen = &abi_xen.entries[i];
        if (strcmp(ours->name, xen->name) == 0 && ours->value == xen->value &&
            ours->size == xen->size && ours->is_unsigned == xen->is_unsigned)
            continue;
        print_error("%s: ours value/offset %lld size %zu %s, Xen's %lld %zu %s\n", ours->name,
                    ours->value, ours->size, ours->is_unsigned ? "unsigned" : "signed", xen->value,
                    xen->size, xen->is_unsigned ? "unsigned" : "signed");
        differences++;
    }
    assert_int_equal(differences, 0);
}

static void rings_have_the_same_number_of_slots(void **state)
{
    (void)state;
    for (size_t pages = 1; pages <= 16; pages *= 2) {
        assert_int_equal(abi_xen.ring_entries(ABI_RING_BLKIF, pages * 4096), 32 * pages);
        for (enum abi_ring ring = ABI_RING_BLKIF; ring <= ABI_RING_NETIF_RX; ring++)
            assert_int_equal(abi_ours.ring_entries(ring, pages * 4096),
                             abi_xen.ring_entries(ring, pages * 4096));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_is_the_same),
        cmocka_unit_test(rings_have_the_same_number_of_slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
