/* SPDX-License-Identifier: MIT */
/* disk_model: what is read and written: a pattern, memory, or an image. */
#include <errno.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "unit/service/block/engine/disk_model_fixture.h"

static void the_images_end_counts_in_pattern_mode(void **state)
{
    struct fixture *f = make(state, "mean=1us");

    submit(f, 0, 512 * 20000); /* one sector of eight exists */
    submit(f, 1, 512 * 20008);
    f->now_ns += 1000000;
    assert_int_equal(disk_model_expire(f->disk), 2);
    assert_int_equal(f->reads[0].io.status, 0);
    assert_pattern(f, 0, 512);
    assert_int_equal(f->reads[1].io.status, -EIO);
}

/* An image of 4 blocks and one sector with the byte i % 251 at i. */
/* Sends what slot 0 is prepared for, and waits for it. */
static int32_t carry_out(struct fixture *f, enum disk_operation operation, uint64_t offset_bytes,
                         uint32_t length_bytes, int fill)
{
    struct disk_io *io = &f->reads[0].io;
    f->reads[0] = (struct read){.f = f};
    *io = (struct disk_io){.image = &f->image,
                           .operation = operation,
                           .offset_bytes = offset_bytes,
                           .length_bytes = length_bytes,
                           .buffer = f->pool,
                           .done = on_done};
    memset(f->pool, fill, BLOCK_BYTES);
    disk_model_ops.submit(f->disk, io);
    f->now_ns += 1000000;
    assert_int_equal(disk_model_expire(f->disk), 1);
    return io->status;
}

static void assert_filled(const struct fixture *f, size_t from, size_t end, int fill)
{
    for (size_t i = from; i < end; i++)
        assert_int_equal(f->pool[i], fill);
}

static void what_was_written_is_read_back(void **state)
{
    struct fixture *f = make(state, "mean=1us");
    assert_int_equal(carry_out(f, DISK_WRITE, 8192, 1024, 0x5a), 0);
    assert_int_equal(carry_out(f, DISK_FLUSH, 0, 0, 0), 0);
    assert_int_equal(carry_out(f, DISK_READ, 8192, BLOCK_BYTES, 0), 0);
    assert_filled(f, 0, 1024, 0x5a);
    memmove(f->pool, f->pool + 1024, 1024);
    f->reads[0].io.offset_bytes = 8192 + 1024;
    assert_pattern(f, 0, 1024); /* the rest as ever */
    assert_int_equal(carry_out(f, DISK_DISCARD, 8192 + 512, 1024, 0), 0);
    assert_int_equal(carry_out(f, DISK_READ, 8192, BLOCK_BYTES, 1), 0);
    assert_filled(f, 0, 512, 0x5a);
    assert_filled(f, 512, 1536, 0);
    disk_model_ops.detach(f->disk, &f->image);
    assert_int_equal(carry_out(f, DISK_READ, 8192, BLOCK_BYTES, 1), 0);
    assert_pattern(f, 0, BLOCK_BYTES);
}

static void parts_of_memory_are_written_and_read(void **state)
{
    struct fixture *f = make(state, "mean=1us");
    struct iovec iov[2] = {{f->pool + 2048, 1024}, {f->pool, 2048}};
    struct disk_io io = {.image = &f->image,
                         .operation = DISK_WRITE,
                         .length_bytes = 3072,
                         .iov = iov,
                         .iov_count = 2,
                         .done = on_done};
    f->reads[1] = (struct read){.f = f, .io = io};
    memset(f->pool, 1, 2048);
    memset(f->pool + 2048, 2, 1024);
    disk_model_ops.submit(f->disk, &f->reads[1].io);
    f->now_ns += 1000000;
    assert_int_equal(disk_model_expire(f->disk), 1);
    assert_int_equal(f->reads[1].io.status, 0);
    assert_int_equal(carry_out(f, DISK_READ, 0, BLOCK_BYTES, 0), 0);
    assert_filled(f, 0, 1024, 2);
    assert_filled(f, 1024, 3072, 1);
    f->reads[1].io.operation = DISK_READ;
    memset(f->pool, 0, 3072);
    disk_model_ops.submit(f->disk, &f->reads[1].io);
    f->now_ns += 1000000;
    assert_int_equal(disk_model_expire(f->disk), 1);
    assert_filled(f, 0, 2048, 1);
    assert_filled(f, 2048, 3072, 2);
}

static void failed_writes_write_nothing_or_half(void **state)
{
    struct fixture *f = make(state, "mean=1us,error=1");
    assert_int_equal(carry_out(f, DISK_WRITE, 0, BLOCK_BYTES, 0x5a), -EIO);
    disk_model_ops.destroy(f->disk);
    (void)make(state, "mean=1us,short=1");
    assert_int_equal(carry_out(f, DISK_WRITE, 0, BLOCK_BYTES, 0x5a), -EIO);
    assert_int_equal(carry_out(f, DISK_READ, 0, BLOCK_BYTES, 0), -EIO);
    assert_filled(f, 0, BLOCK_BYTES / 2, 0x5a);
    assert_int_equal(carry_out(f, DISK_WRITE, 8192, 512, 0x77), -EIO); /* half of a sector: none */
    assert_int_equal(carry_out(f, DISK_READ, 8192, 1024, 0), -EIO);
    assert_pattern(f, 0, 512);
}

static void a_volatile_cache_loses_what_was_not_flushed(void **state)
{
    uint32_t lost = 0;
    struct fixture *f = make(state, "mean=1us");

    assert_int_equal(disk_model_add_volatile_cache(f->disk), 0);
    for (uint64_t seed = 0; seed < 20; seed++) {
        assert_int_equal(carry_out(f, DISK_WRITE, 0, BLOCK_BYTES, 0x5a), 0);
        assert_int_equal(carry_out(f, DISK_FLUSH, 0, 0, 0), 0);
        assert_int_equal(carry_out(f, DISK_WRITE, 0, 512, 0x77), 0);
        assert_int_equal(disk_model_lose_power(f->disk, seed), 0);
        assert_int_equal(carry_out(f, DISK_READ, 0, BLOCK_BYTES, 0), 0);
        lost += f->pool[0] == 0x5a;
        assert_filled(f, 0, 512, f->pool[0] == 0x5a ? 0x5a : 0x77);
        assert_filled(f, 512, BLOCK_BYTES, 0x5a);
    }
    assert_in_range(lost, 1, 19);
}

static int make_image(struct fixture *f)
{
    char path[] = "build/test_disk_model.XXXXXX";
    struct why why;
    unsigned char content[4 * BLOCK_BYTES + 512];
    int fd, rc;

    for (size_t i = 0; i < sizeof(content); i++)
        content[i] = (unsigned char)(i % 251);
    mkdir("build", 0777);
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, sizeof(content)), sizeof(content));
    close(fd);
    rc = image_open(path, false, &f->image, &why);
    unlink(path);
    if (rc)
        print_message("%s\n", why.text);
    return rc;
}

static void data_image_reads_the_image(void **state)
{
    struct fixture *f = *state;

    if (make_image(f))
        skip();
    make(state, "mean=1us,data=image");
    submit(f, 0, BLOCK_BYTES);
    submit(f, 1, 4 * BLOCK_BYTES);
    f->now_ns += 1000000;
    assert_int_equal(disk_model_expire(f->disk), 2);
    assert_int_equal(f->reads[0].io.status, 0);
    assert_int_equal(f->reads[1].io.status, 0);
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        assert_int_equal(f->pool[i], (BLOCK_BYTES + i) % 251);
    for (size_t i = 0; i < 512; i++)
        assert_int_equal(f->pool[BLOCK_BYTES + i], (4 * BLOCK_BYTES + i) % 251);
}

static void the_images_errors_are_passed_on(void **state)
{
    struct fixture *f = make(state, "mean=1us,data=image"); /* its fd is -1 */

    submit(f, 0, 0);
    f->now_ns += 1000000;
    assert_int_equal(disk_model_expire(f->disk), 1);
    assert_int_equal(f->reads[0].io.status, -EBADF);
}

/* A write that is under way may have happened as far as any sector; all end. */
static void power_is_lost_under_what_is_under_way(void **state)
{
    enum { SEEDS = 20 };
    uint32_t untouched = 0, whole = 0;
    struct fixture *f = make(state, "mean=1us");

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        assert_int_equal(carry_out(f, DISK_WRITE, 0, BLOCK_BYTES, 0x11), 0);
        for (uint32_t slot = 1; slot < 3; slot++) {
            unsigned char *buffer = f->pool + slot * BLOCK_BYTES;
            f->reads[slot] = (struct read){.f = f};
            f->reads[slot].io = (struct disk_io){.image = &f->image,
                                                 .operation = slot == 1 ? DISK_WRITE : DISK_READ,
                                                 .offset_bytes = (slot - 1) * BLOCK_BYTES,
                                                 .length_bytes = BLOCK_BYTES,
                                                 .buffer = buffer,
                                                 .done = on_done};
            memset(buffer, 0x22, BLOCK_BYTES);
            disk_model_ops.submit(f->disk, &f->reads[slot].io);
        }
        assert_int_equal(disk_model_lose_power(f->disk, seed), 0);
        assert_true(f->reads[1].order > 0 && f->reads[2].order > 0); /* both are over */
        assert_int_equal(f->reads[1].io.status, -EIO);
        assert_int_equal(f->reads[2].io.status, -EIO);
        assert_int_equal(carry_out(f, DISK_READ, 0, BLOCK_BYTES, 0), 0);
        uint32_t written = 0;
        while (written < BLOCK_BYTES && f->pool[written] == 0x22)
            written++;
        assert_int_equal(written % 512, 0);
        assert_filled(f, written, BLOCK_BYTES, 0x11);
        untouched += written == 0;
        whole += written == BLOCK_BYTES;
    }
    assert_true(untouched + whole < SEEDS); /* some in part */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(the_images_end_counts_in_pattern_mode),
        WITH_FIXTURE(what_was_written_is_read_back),
        WITH_FIXTURE(parts_of_memory_are_written_and_read),
        WITH_FIXTURE(failed_writes_write_nothing_or_half),
        WITH_FIXTURE(a_volatile_cache_loses_what_was_not_flushed),
        WITH_FIXTURE(data_image_reads_the_image),
        WITH_FIXTURE(the_images_errors_are_passed_on),
        WITH_FIXTURE(power_is_lost_under_what_is_under_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
