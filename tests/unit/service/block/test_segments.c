/* SPDX-License-Identifier: MIT */
/* segments: alignment, places and vectors of a request's memory. */
#include "service/block/segments.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "service/block/engine/image.h"

enum { PAGE_BYTES = 4096, PAGES = 8 };

static _Alignas(PAGE_BYTES) uint8_t memory[PAGES * PAGE_BYTES];

static struct block_request request_of(const struct block_segment *segments, uint32_t count)
{
    struct block_request request = {
        .operation = BLOCK_WRITE, .segments = segments, .segment_count = count};
    for (uint32_t i = 0; i < count; i++)
        request.sector_count += segments[i].sector_count;
    return request;
}

static bool fits(const struct block_segment *segments, uint32_t count, uint64_t sector,
                 uint32_t block_bytes, uint32_t memory_bytes)
{
    const struct image image = {.block_size_bytes = block_bytes,
                                .memory_align_bytes = memory_bytes};
    struct block_request request = request_of(segments, count);
    request.sector = sector;
    return segments_fit(&request, &image);
}

static void whole_blocks_in_aligned_memory_fit(void **state)
{
    (void)state;
    const struct block_segment pages[] = {{memory + PAGE_BYTES, 8}, {memory, 8}};
    assert_true(fits(pages, 2, 0, 4096, 4096));
    assert_true(fits(pages, 2, 8, 4096, 512));
    assert_false(fits(pages, 2, 1, 4096, 512)); /* the place on the disk */
    assert_true(fits(pages, 2, 1, 512, 512));
    const struct block_segment parts[] = {{memory + 512, 7}, {memory + PAGE_BYTES, 9}};
    assert_true(fits(parts, 2, 0, 4096, 512));   /* one run of two blocks */
    assert_false(fits(parts, 2, 0, 4096, 4096)); /* that begins within a page */
    const struct block_segment torn[] = {{memory, 4}, {memory + PAGE_BYTES, 12}};
    assert_false(fits(torn, 2, 0, 4096, 512)); /* half a block in one place */
    assert_true(fits(torn, 2, 0, 512, 512));
    const struct block_segment short_end[] = {{memory, 8}, {memory + 2 * PAGE_BYTES, 4}};
    assert_false(fits(short_end, 2, 0, 4096, 512));
}

static void a_place_moves_through_segments(void **state)
{
    (void)state;
    const struct block_segment segments[] = {{memory, 3}, {memory + PAGE_BYTES, 5}, {memory, 1}};
    const struct block_request request = request_of(segments, 3);
    static const uint32_t at[][2] = {{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1},
                                     {1, 2}, {1, 3}, {1, 4}, {2, 0}, {3, 0}};
    for (uint32_t from = 0; from < 10; from++) {
        for (uint32_t to = from; to < 10; to++) {
            struct segment_place place = segments_after(
                &request, (struct segment_place){at[from][0], at[from][1]}, to - from);
            assert_int_equal(place.segment, at[to][0]);
            assert_int_equal(place.skipped_sectors, at[to][1]);
        }
    }
}

static void copies_both_ways_from_a_place_on(void **state)
{
    (void)state;
    const struct block_segment segments[] = {{memory + 2 * PAGE_BYTES, 3}, {memory, 5}};
    struct block_request request = request_of(segments, 2);
    uint8_t data[4 * BLOCK_SECTOR_BYTES];
    for (uint32_t i = 0; i < sizeof(memory); i++)
        memory[i] = (uint8_t)(i / BLOCK_SECTOR_BYTES);
    segments_copy(&request, (struct segment_place){0, 1}, data, 4);
    assert_int_equal(data[0], 17);
    assert_int_equal(data[BLOCK_SECTOR_BYTES], 18);
    assert_int_equal(data[2 * BLOCK_SECTOR_BYTES], 0);
    assert_int_equal(data[3 * BLOCK_SECTOR_BYTES], 1);
    request.operation = BLOCK_READ;
    memset(data, 0xaa, sizeof(data));
    segments_copy(&request, (struct segment_place){0, 2}, data, 2);
    assert_int_equal(memory[17 * BLOCK_SECTOR_BYTES], 17);
    assert_int_equal(memory[18 * BLOCK_SECTOR_BYTES], 0xaa);
    assert_int_equal(memory[0], 0xaa);
    assert_int_equal(memory[BLOCK_SECTOR_BYTES], 1);
}

static void a_vector_joins_what_lies_together(void **state)
{
    (void)state;
    const struct block_segment segments[] = {
        {memory, 8}, {memory + PAGE_BYTES, 8}, {memory + 3 * PAGE_BYTES, 8}, {memory, 8}};
    const struct block_request request = request_of(segments, 4);
    struct iovec vector[4];
    uint32_t count;
    assert_int_equal(segments_vector(&request, (struct segment_place){0, 2}, 20, vector, 4, &count),
                     20);
    assert_int_equal(count, 2);
    assert_ptr_equal(vector[0].iov_base, memory + 1024);
    assert_int_equal(vector[0].iov_len, 14 * BLOCK_SECTOR_BYTES);
    assert_ptr_equal(vector[1].iov_base, memory + 3 * PAGE_BYTES);
    assert_int_equal(vector[1].iov_len, 6 * BLOCK_SECTOR_BYTES);
    assert_int_equal(segments_vector(&request, (struct segment_place){0, 0}, 32, vector, 2, &count),
                     24); /* no more parts */
    assert_int_equal(count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_blocks_in_aligned_memory_fit),
        cmocka_unit_test(a_place_moves_through_segments),
        cmocka_unit_test(copies_both_ways_from_a_place_on),
        cmocka_unit_test(a_vector_joins_what_lies_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
