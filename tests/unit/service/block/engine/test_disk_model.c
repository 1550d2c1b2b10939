/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "fakes/fake_events.h"
#include "service/block/engine/disk_model.h"
#include "service/block/engine/disk_pattern.h"
#include "service/block/engine/image.h"

#define DEPTH       16u
#define BLOCK_BYTES 4096u

struct fixture {
    uint64_t now_ns; /* the model's clock */
    struct image image;
    struct poller *poller;
    struct disk *disk;
    unsigned char *pool;
    struct read {
        struct disk_io io;
        struct fixture *f;
        int order; /* 1 for the first that was done */
        bool is_repeated;
    } reads[DEPTH];
    int done;
    bool is_submitting;
};

static uint64_t manual_ns(void *ctx)
{
    return ((struct fixture *)ctx)->now_ns;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (!f)
        return -1;
    f->now_ns = 1000000;
    f->image = (struct image){.fd = -1, .size_bytes = 512 * 20001, .block_size_bytes = 512};
    f->pool = aligned_alloc(BLOCK_BYTES, (size_t)DEPTH * BLOCK_BYTES);
    *state = f;
    return f->pool ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    disk_model_ops.destroy(f->disk);
    poller_destroy(f->poller);
    image_close(&f->image);
    free(f->pool);
    free(f);
    return 0;
}

static struct disk_config config_of(const struct fixture *f, const char *model)
{
    return (struct disk_config){
        .poller = f->poller,
        .pool = f->pool,
        .pool_bytes = (size_t)DEPTH * BLOCK_BYTES,
        .depth = DEPTH,
        .model = model,
    };
}

static struct fixture *make(void **state, const char *model)
{
    struct fixture *f = *state;
    const struct disk_config config = config_of(f, model);
    const struct disk_model_clock clock = {.now_ns = manual_ns, .ctx = f};
    struct why why;

    assert_int_equal(disk_model_create(&config, &clock, &f->disk, &why), 0);
    return f;
}

static void submit(struct fixture *f, uint32_t slot, uint64_t offset_bytes);

static void on_done(struct disk_io *io)
{
    struct read *r = (struct read *)io;

    assert_false(r->f->is_submitting);
    r->order = ++r->f->done;
    if (r->is_repeated)
        submit(r->f, (uint32_t)(r - r->f->reads), io->offset_bytes);
}

static void submit(struct fixture *f, uint32_t slot, uint64_t offset_bytes)
{
    struct read *r = &f->reads[slot];

    r->f = f;
    r->io.image = &f->image;
    r->io.offset_bytes = offset_bytes;
    r->io.length_bytes = BLOCK_BYTES;
    r->io.buffer = f->pool + (size_t)slot * BLOCK_BYTES;
    r->io.done = on_done;
    memset(r->io.buffer, 0xa5, BLOCK_BYTES);
    f->is_submitting = true;
    disk_model_ops.submit(f->disk, &r->io);
    f->is_submitting = false;
}

static void assert_pattern(const struct fixture *f, uint32_t slot, size_t length_bytes)
{
    unsigned char expected[BLOCK_BYTES];

    disk_pattern_fill(expected, f->reads[slot].io.offset_bytes, BLOCK_BYTES);
    assert_memory_equal(f->reads[slot].io.buffer, expected, length_bytes);
}

static void completes_when_due_and_not_before(void **state)
{
    struct fixture *f = make(state, "mean=200us,law=fixed");

    assert_true(disk_model_next_due_ns(f->disk) == UINT64_MAX);
    submit(f, 0, 8192);
    assert_int_equal(disk_model_next_due_ns(f->disk), 1200000);
    assert_int_equal(disk_model_expire(f->disk), 0);
    f->now_ns = 1199999;
    assert_int_equal(disk_model_expire(f->disk), 0);
    assert_int_equal(f->done, 0);
    f->now_ns = 1200000;
    assert_int_equal(disk_model_expire(f->disk), 1);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->reads[0].io.status, 0);
    assert_int_equal(f->reads[0].io.due_ns, 1200000);
    assert_pattern(f, 0, BLOCK_BYTES);
    assert_true(disk_model_next_due_ns(f->disk) == UINT64_MAX);
}

static void a_late_look_finishes_all_in_order(void **state)
{
    struct fixture *f = make(state, "mean=200us,channels=4,law=exponential");

    for (uint32_t i = 0; i < DEPTH; i++)
        submit(f, i, i * BLOCK_BYTES);
    f->now_ns = 1000000000;
    assert_int_equal(disk_model_expire(f->disk), DEPTH);
    for (uint32_t i = 0; i < DEPTH; i++) {
        assert_pattern(f, i, BLOCK_BYTES);
        for (uint32_t j = 0; j < DEPTH; j++)
            if (f->reads[i].io.due_ns < f->reads[j].io.due_ns)
                assert_true(f->reads[i].order < f->reads[j].order);
    }
}

static void a_model_without_service_time_does_not_loop(void **state)
{
    struct fixture *f = make(state, "mean=0,law=fixed");

    f->reads[0].is_repeated = true;
    submit(f, 0, 0);
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(disk_model_expire(f->disk), 1);
        assert_int_equal(f->done, i);
    }
    f->reads[0].is_repeated = false;
}

static void an_error_touches_no_data(void **state)
{
    struct fixture *f = make(state, "mean=1us,error=1");

    submit(f, 0, 0);
    f->now_ns += 1000000;
    assert_int_equal(disk_model_expire(f->disk), 1);
    assert_int_equal(f->reads[0].io.status, -EIO);
    for (uint32_t i = 0; i < BLOCK_BYTES; i++)
        assert_int_equal(f->pool[i], 0xa5);
}

static void a_short_read_delivers_half(void **state)
{
    struct fixture *f = make(state, "mean=1us,short=1");

    submit(f, 0, 40960);
    f->now_ns += 1000000;
    assert_int_equal(disk_model_expire(f->disk), 1);
    assert_int_equal(f->reads[0].io.status, -EIO);
    assert_pattern(f, 0, BLOCK_BYTES / 2);
    for (uint32_t i = BLOCK_BYTES / 2; i < BLOCK_BYTES; i++)
        assert_int_equal(f->pool[i], 0xdb);
}

static void a_stuck_read_ends_with_destroy(void **state)
{
    struct fixture *f = make(state, "mean=1us,stuck=1");

    submit(f, 0, 0);
    submit(f, 1, 0);
    assert_true(disk_model_next_due_ns(f->disk) == UINT64_MAX);
    f->now_ns += UINT64_C(1000000000000);
    assert_int_equal(disk_model_expire(f->disk), 0);
    disk_model_ops.destroy(f->disk);
    f->disk = NULL;
    assert_int_equal(f->done, 2);
    assert_int_equal(f->reads[0].io.status, -ECANCELED);
    assert_int_equal(f->reads[1].io.status, -ECANCELED);
}

static void destroy_cancels_what_is_in_flight(void **state)
{
    struct fixture *f = make(state, "mean=1ms");

    for (uint32_t i = 0; i < DEPTH; i++)
        submit(f, i, 0);
    disk_model_ops.destroy(f->disk);
    f->disk = NULL;
    assert_int_equal(f->done, DEPTH);
    for (uint32_t i = 0; i < DEPTH; i++)
        assert_int_equal(f->reads[i].io.status, -ECANCELED);
}

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

static void bad_parameters_are_refused_with_a_reason(void **state)
{
    struct fixture *f = *state;
    const struct disk_config config = config_of(f, "mean=soon");
    struct why why = {0};

    f->disk = (struct disk *)f;
    assert_int_equal(disk_model_ops.create(&config, &f->disk, &why), -EINVAL);
    assert_null(f->disk);
    assert_non_null(strstr(why.text, "mean=soon"));
}

static void runs_on_real_time(struct fixture *f, enum poller_kind kind)
{
    struct disk_config config;
    struct why why;

    if (poller_create(kind, &f->poller)) {
        print_message("no such poller here\n");
        skip();
    }
    config = config_of(f, "mean=100us,channels=2,seed=9");
    assert_int_equal(disk_model_ops.create(&config, &f->disk, &why), 0);
    for (int round = 1; round <= 5; round++) {
        for (uint32_t i = 0; i < DEPTH; i++)
            submit(f, i, i * BLOCK_BYTES);
        while (f->done < round * (int)DEPTH)
            assert_true(poller_run(f->poller, true) >= 0);
        for (uint32_t i = 0; i < DEPTH; i++) {
            assert_int_equal(f->reads[i].io.status, 0);
            assert_pattern(f, i, BLOCK_BYTES);
        }
    }
    assert_int_equal(poller_run(f->poller, false), 0);
}

static void runs_on_real_time_with_epoll(void **state)
{
    runs_on_real_time(*state, POLLER_EPOLL);
}

static void runs_on_real_time_with_uring(void **state)
{
    runs_on_real_time(*state, POLLER_URING);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* Nothing would ever tell that a read is due. */
static void a_timer_that_fails_ends_the_poller(void **state)
{
    struct fixture *f = *state;
    struct disk_config config;
    struct event_tap tap;
    struct why why;

    assert_int_equal(poller_create(POLLER_EPOLL, &f->poller), 0);
    config = config_of(f, "mean=100us,channels=2,seed=9");
    event_tap_open(&tap, f->poller);
    assert_int_equal(disk_model_ops.create(&config, &f->disk, &why), 0);
    event_tap_close(&tap);
    event_tap_tell(&tap, POLLERR | POLLNVAL);
    assert_int_equal(poller_run(f->poller, false), -EIO);
    assert_non_null(strstr(poller_failure(f->poller), "model"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(completes_when_due_and_not_before),
        WITH_FIXTURE(a_late_look_finishes_all_in_order),
        WITH_FIXTURE(a_model_without_service_time_does_not_loop),
        WITH_FIXTURE(an_error_touches_no_data),
        WITH_FIXTURE(a_short_read_delivers_half),
        WITH_FIXTURE(a_stuck_read_ends_with_destroy),
        WITH_FIXTURE(destroy_cancels_what_is_in_flight),
        WITH_FIXTURE(the_images_end_counts_in_pattern_mode),
        WITH_FIXTURE(what_was_written_is_read_back),
        WITH_FIXTURE(parts_of_memory_are_written_and_read),
        WITH_FIXTURE(failed_writes_write_nothing_or_half),
        WITH_FIXTURE(a_volatile_cache_loses_what_was_not_flushed),
        WITH_FIXTURE(data_image_reads_the_image),
        WITH_FIXTURE(the_images_errors_are_passed_on),
        WITH_FIXTURE(bad_parameters_are_refused_with_a_reason),
        WITH_FIXTURE(a_timer_that_fails_ends_the_poller),
        WITH_FIXTURE(runs_on_real_time_with_epoll),
        WITH_FIXTURE(runs_on_real_time_with_uring),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
