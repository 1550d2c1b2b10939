/* SPDX-License-Identifier: MIT */
/* disk: what all engines do that need no model. */
#include <fcntl.h>
#include <sys/uio.h>

#include "service/block/engine/disk_pattern.h"
#include "unit/service/block/engine/disk_fixture.h"

/* Right status, right bytes, and not a byte beyond the length. */
static void assert_content(const struct fixture *f, uint32_t slot)
{
    const struct disk_io *io = &f->reads[slot].io;
    static unsigned char expected[BUFFER_BYTES];
    uint64_t left = sizeof(f->content) - io->offset_bytes;
    size_t exists = left < io->length_bytes ? (size_t)left : io->length_bytes;
    const unsigned char *buffer = io->buffer;

    if (f->kind->is_pattern)
        disk_pattern_fill(expected, io->offset_bytes, io->length_bytes);
    else
        memcpy(expected, f->content + io->offset_bytes, exists);
    assert_int_equal(io->status, 0);
    assert_memory_equal(buffer, expected, exists);
    memset(expected, 0xa5, GUARD_BYTES);
    assert_memory_equal(buffer + io->length_bytes, expected,
                        guarded_bytes(io->length_bytes) - io->length_bytes);
}

static void reads_every_block(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    uint32_t block_bytes = f->image.block_size_bytes;

    for (uint64_t offset = 0; offset < f->image.size_bytes; offset += block_bytes) {
        submit(f, 0, offset, block_bytes);
        wait_for(f, 1);
        assert_content(f, 0);
    }
}

static void many_reads_in_flight_do_not_mix(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    uint32_t block_bytes = f->image.block_size_bytes;
    uint64_t blocks = f->image.size_bytes / block_bytes;

    for (uint64_t round = 0; round < 4; round++) {
        for (uint32_t i = 0; i < DEPTH; i++)
            submit(f, i, (i * 37 + round * 11) % (blocks - 8) * block_bytes,
                   block_bytes * (1 + i % 8));
        wait_for(f, DEPTH);
        for (uint32_t i = 0; i < DEPTH; i++)
            assert_content(f, i);
    }
}

/* The buffer's second block is filled first. */
static void a_read_may_go_to_several_places(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    uint32_t block_bytes = f->image.block_size_bytes;
    struct read *r = &f->reads[0];
    struct iovec places[] = {{f->pool + block_bytes, block_bytes}, {f->pool, block_bytes}};

    r->io.iov = places;
    r->io.iov_count = 2;
    submit(f, 0, block_bytes, 2 * block_bytes);
    wait_for(f, 1);
    assert_int_equal(r->io.status, 0);
    assert_memory_equal(f->pool + block_bytes, f->content + block_bytes, block_bytes);
    assert_memory_equal(f->pool, f->content + (size_t)2 * block_bytes, block_bytes);
}

static void the_part_block_at_the_end_is_served(void **state)
{
    struct fixture *f = fixture_or_skip(state);

    /* 65,536 does not divide the image's size: the last such piece exists in part */
    submit(f, 0, f->image.size_bytes / BUFFER_BYTES * BUFFER_BYTES, BUFFER_BYTES);
    wait_for(f, 1);
    assert_content(f, 0);
}

static void a_read_beyond_the_end_is_an_error(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    uint64_t beyond = (f->image.size_bytes + BUFFER_BYTES) / BUFFER_BYTES * BUFFER_BYTES;

    submit(f, 0, 0, f->image.block_size_bytes);
    submit(f, 1, beyond, f->image.block_size_bytes);
    submit(f, 2, UINT64_C(1) << 41, f->image.block_size_bytes);
    wait_for(f, 3);
    assert_content(f, 0);
    assert_int_equal(f->reads[1].io.status, -EIO);
    assert_int_equal(f->reads[2].io.status, -EIO);
}

static void a_short_read_is_an_error_of_that_read_only(void **state)
{
    struct fixture *f = fixture_or_skip(state);

    assert_int_equal(truncate(f->path, 65536 + 512), 0);
    submit(f, 0, 0, 65536);
    submit(f, 1, 65536, 65536);
    submit(f, 2, 131072, 65536);
    wait_for(f, 3);
    assert_content(f, 0);
    assert_int_equal(f->reads[1].io.status, -EIO);
    assert_int_equal(f->reads[2].io.status, -EIO);
}

static void an_image_that_grows_does_not_fail_reads_under_way(void **state)
{
    struct fixture *f = fixture_or_skip(state);

    submit(f, 0, f->image.size_bytes / BUFFER_BYTES * BUFFER_BYTES, BUFFER_BYTES);
    f->image.size_bytes += 65536; /* as image_refresh would */
    wait_for(f, 1);
    f->image.size_bytes -= 65536;
    assert_content(f, 0);
}

static void done_may_submit_the_same_read_again(void **state)
{
    struct fixture *f = fixture_or_skip(state);

    for (uint32_t i = 0; i < 4; i++) {
        f->reads[i].left = 9;
        submit(f, i, i * 4096, 4096);
    }
    while (f->done < 40) {
        if (f->disk->ops->kick)
            f->disk->ops->kick(f->disk);
        assert_true(poller_run(f->poller, true) >= 0);
    }
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(f->reads[i].done, 10);
        assert_int_equal(f->reads[i].io.offset_bytes, (i + 9) * 4096);
        assert_content(f, i);
    }
}

static void an_idle_disk_wakes_nobody(void **state)
{
    struct fixture *f = fixture_or_skip(state);

    assert_int_equal(poller_run(f->poller, false), 0);
    submit(f, 0, 0, 4096);
    wait_for(f, 1);
    assert_int_equal(poller_run(f->poller, false), 0);
}

static void a_disk_can_be_made_again_on_the_same_poller(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    struct why why;

    for (int i = 0; i < 3; i++) {
        f->kind->ops->destroy(f->disk);
        f->disk = NULL;
        assert_int_equal(create_disk(f, &f->disk, &why), 0);
        f->done = 0;
        submit(f, 0, 4096, 4096);
        wait_for(f, 1);
        assert_content(f, 0);
    }
    f->kind->ops->destroy(NULL);
}

static void the_devices_error_is_the_reads_status(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    struct why why;
    int fd;

    f->kind->ops->destroy(f->disk);
    f->disk = NULL;
    fd = open(f->path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(dup3(fd, f->image.fd, O_CLOEXEC) >= 0);
    close(fd);
    assert_int_equal(create_disk(f, &f->disk, &why), 0);
    submit(f, 0, 0, 4096);
    wait_for(f, 1);
    assert_int_equal(f->reads[0].io.status, -EBADF);
}

static void images_share_a_disk_and_keep_their_bytes(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    struct image images[2], later;

    make_images(f, images, 2);
    assert_image_reads(f, &images[0], 0);
    assert_image_reads(f, &images[1], 1);
    drop_image(f, &images[0]);
    make_images(f, &later, 1); /* perhaps in its place */
    assert_image_reads(f, &images[1], 1);
    assert_image_reads(f, &later, 0);
    drop_image(f, &images[1]);
    drop_image(f, &later);
    submit(f, 0, 0, 4096);
    wait_for(f, 1);
    assert_content(f, 0);
}

static void pattern_numbers_its_sectors(void **state)
{
    static const unsigned char first[8] = {0xff, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x00};
    static const unsigned char second[8] = {0x00, 0x08, 0x06, 0x05, 0x04, 0x03, 0x02, 0x00};
    static const unsigned char zeroes[504];
    unsigned char buffer[1024 + 1];

    (void)state;
    memset(buffer, 0xa5, sizeof(buffer));
    disk_pattern_fill(buffer, 512 * UINT64_C(0x020304050607ff), 1024);
    assert_memory_equal(buffer, first, 8);
    assert_memory_equal(buffer + 8, zeroes, 504);
    assert_memory_equal(buffer + 512, second, 8);
    assert_memory_equal(buffer + 520, zeroes, 504);
    assert_int_equal(buffer[1024], 0xa5);
}

static const struct kind null_on_uring = {&disk_null_ops, POLLER_URING, true};

#define READERS(test) WITH(uring, test), WITH(threads, test), WITH(threads_on_uring, test)

#define ALL(test) READERS(test), WITH(null_disk, test), WITH(null_on_uring, test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ALL(reads_every_block),
        ALL(many_reads_in_flight_do_not_mix),
        READERS(a_read_may_go_to_several_places),
        ALL(the_part_block_at_the_end_is_served),
        ALL(a_read_beyond_the_end_is_an_error),
        READERS(a_short_read_is_an_error_of_that_read_only),
        ALL(an_image_that_grows_does_not_fail_reads_under_way),
        ALL(done_may_submit_the_same_read_again),
        ALL(an_idle_disk_wakes_nobody),
        ALL(a_disk_can_be_made_again_on_the_same_poller),
        READERS(the_devices_error_is_the_reads_status),
        READERS(images_share_a_disk_and_keep_their_bytes),
        cmocka_unit_test(pattern_numbers_its_sectors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
