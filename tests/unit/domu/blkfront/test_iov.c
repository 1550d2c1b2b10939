/* SPDX-License-Identifier: MIT */
/* iov: pieces of memory as one run of bytes, against a plain array. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "domu/blkfront/iov.h"

enum { BYTES = 3000, PIECES_MAX = 40, ROUNDS = 2000 };

/* Cuts memory into pieces of any length, empty ones too, that lie apart. Returns how many. */
static uint32_t cut(struct prng *prng, uint8_t *memory, struct iovec *iov)
{
    uint32_t count = 0;
    for (size_t left = BYTES; left > 0; count++) {
        size_t length = (size_t)prng_below(prng, left / 4 + 2);
        if (length > left || count == PIECES_MAX - 1)
            length = left;
        iov[count] = (struct iovec){.iov_base = memory, .iov_len = length};
        memory += length + 1;
        left -= length;
    }
    return count;
}

static void what_is_scattered_is_gathered_again(void **state)
{
    (void)state;
    uint8_t memory[BYTES + PIECES_MAX], from[BYTES], to[BYTES];
    struct iovec iov[PIECES_MAX];
    struct prng prng;
    prng_init(&prng, 20261129, 1);
    for (size_t i = 0; i < BYTES; i++)
        from[i] = (uint8_t)prng_below(&prng, 256);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t bytes;
        memset(memory, 0xee, sizeof(memory));
        uint32_t count = cut(&prng, memory, iov);
        assert_int_equal(iov_bytes(iov, count, &bytes), 0);
        assert_int_equal(bytes, BYTES);
        size_t offset = (size_t)prng_below(&prng, BYTES);
        size_t length = (size_t)prng_below(&prng, BYTES - offset + 1);
        iov_scatter(iov, offset, from + offset, length);
        iov_gather(iov, offset, to, length);
        assert_memory_equal(to, from + offset, length);
        iov_gather(iov, 0, to, BYTES);
        for (size_t i = 0; i < BYTES; i++)
            assert_int_equal(to[i], i >= offset && i < offset + length ? from[i] : 0xee);
    }
}

static void more_bytes_than_a_number_can_tell_are_refused(void **state)
{
    (void)state;
    uint64_t bytes;
    const struct iovec iov[] = {{.iov_base = NULL, .iov_len = SIZE_MAX},
                                {.iov_base = NULL, .iov_len = 1}};
    assert_int_equal(iov_bytes(iov, 1, &bytes), 0);
    assert_int_equal(iov_bytes(iov, 2, &bytes), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_scattered_is_gathered_again),
        cmocka_unit_test(more_bytes_than_a_number_can_tell_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
