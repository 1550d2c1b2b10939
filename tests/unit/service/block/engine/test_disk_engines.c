/* SPDX-License-Identifier: MIT */
/*
 * disk: what one engine does that others do not: io_uring, threads, and the event of
 * completions.
 */
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "fakes/fake_events.h"
#include "faults/fault_walk.h"
#include "service/loop/poller_private.h"
#include "unit/service/block/engine/disk_fixture.h"

static void images_without_a_registered_place_are_read_all_the_same(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    struct image images[IMAGES_MANY];
    uint32_t registered = 0;

    make_images(f, images, IMAGES_MANY);
    for (uint32_t i = 0; i < IMAGES_MANY; i++) {
        registered += images[i].registered != 0;
        assert_image_reads(f, &images[i], (unsigned char)i);
    }
    assert_in_range(registered, 1, IMAGES_MANY - 1);
    struct image *last = &images[IMAGES_MANY - 1];
    assert_int_equal(last->registered, 0);
    drop_image(f, &images[0]);
    f->disk->ops->attach(f->disk, last); /* its place is free again */
    assert_int_not_equal(last->registered, 0);
    assert_image_reads(f, last, IMAGES_MANY - 1);
    for (uint32_t i = 1; i < IMAGES_MANY; i++)
        drop_image(f, &images[i]);
}

static void uring_needs_its_poller(void **state)
{
    struct fixture *f = *state;
    struct disk_config config = {.poller = f->poller, .depth = 1};
    struct disk *disk = (struct disk *)f;
    struct why why = {0};

    assert_true(disk_uring_ops.create(&config, &disk, &why) < 0);
    assert_null(disk);
    assert_non_null(strstr(why.text, "threads engine"));
}

/* In a child, as somebody who may lock no memory. */
static int read_without_locked_memory(struct fixture *f)
{
    const struct rlimit none = {0, 0};
    struct why why;

    if (geteuid() == 0 && setuid(65534) < 0)
        return 2;
    f->disk = NULL;
    if (poller_create(POLLER_URING, &f->poller))
        return 77;
    /* newer kernels charge the ring itself, too: so only now */
    if (setrlimit(RLIMIT_MEMLOCK, &none) < 0)
        return 2;
    if (create_disk(f, &f->disk, &why))
        return 3;
    submit(f, 0, 4096, 4096);
    f->disk->ops->kick(f->disk);
    while (f->done == 0)
        if (poller_run(f->poller, true) < 0)
            return 4;
    if (f->reads[0].io.status != 0 || memcmp(f->pool, f->content + 4096, 4096) != 0)
        return 5;
    f->kind->ops->destroy(f->disk);
    poller_destroy(f->poller);
    return 0;
}

static void uring_works_without_locked_memory(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    pid_t pid;
    int status;

    if (under_valgrind())
        skip(); /* it looks for leaks in the child, which has the parent's pointers no more */
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(read_without_locked_memory(f));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* How much of this process's memory is pinned for devices. */
static size_t pinned_kib(void)
{
    char line[256];
    size_t kib = 0;
    FILE *status = fopen("/proc/self/status", "re");
    assert_non_null(status);
    while (fgets(line, sizeof(line), status) != NULL)
        (void)sscanf(line, "VmPin: %zu", &kib);
    fclose(status);
    return kib;
}

static void of_a_pool_that_is_too_large_the_beginning_is_registered(void **state)
{
    enum { POOL_KIB = DEPTH * BUFFER_BYTES / 1024 };
    struct fixture *f = fixture_or_skip(state);
    struct why why;
    size_t whole_kib = pinned_kib();
    f->kind->ops->destroy(f->disk);
    f->disk = NULL;
    size_t before_kib = pinned_kib();
    if (whole_kib < before_kib + POOL_KIB) {
        print_message("not even the whole pool was registered here\n");
        assert_int_equal(create_disk(f, &f->disk, &why), 0);
        skip();
    }
    fault_arm_call("io_uring_register_buffers", 1, ENOMEM);
    assert_int_equal(create_disk(f, &f->disk, &why), 0);
    assert_string_equal(fault_disarm(), "io_uring_register_buffers");
    assert_in_range(pinned_kib() - before_kib, POOL_KIB / 2, POOL_KIB - 1);
    for (uint32_t i = 0; i < DEPTH; i++)
        submit(f, i, (uint64_t)i * 4096, 4096);
    f->disk->ops->kick(f->disk);
    wait_for(f, DEPTH);
    for (uint32_t i = 0; i < DEPTH; i++) {
        assert_int_equal(f->reads[i].io.status, 0);
        assert_memory_equal(f->reads[i].io.buffer, f->content + (size_t)i * 4096, 4096);
    }
}

/* Counts this process's other threads and checks that they block every signal that can be. Those
 * that the kernel keeps for rings of earlier tests come and go when it likes. */
static int count_other_threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    struct dirent *entry;
    int count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        char path[300], line[256], name[64] = "";
        uint64_t blocked = 0;

        if (entry->d_name[0] == '.' || atoi(entry->d_name) == getpid())
            continue;
        snprintf(path, sizeof(path), "/proc/self/task/%s/status", entry->d_name);
        FILE *status = fopen(path, "r");
        if (status == NULL)
            continue;
        while (fgets(line, sizeof(line), status) != NULL) {
            (void)sscanf(line, "Name: %63s", name);
            (void)sscanf(line, "SigBlk: %lx", &blocked);
        }
        fclose(status);
        if (strncmp(name, "iou-", 4) == 0)
            continue;
        count++;
        assert_true(blocked & (UINT64_C(1) << (SIGTERM - 1)));
        assert_true(blocked & (UINT64_C(1) << (SIGINT - 1)));
        assert_true(blocked & (UINT64_C(1) << (SIGCHLD - 1)));
    }
    closedir(dir);
    return count;
}

static void threads_block_signals_and_are_joined(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    sigset_t mask;
    int with, without;

    with = count_other_threads();
    f->kind->ops->destroy(f->disk);
    f->disk = NULL;
    without = count_other_threads(); /* a sanitizer may have one of its own */
    assert_int_equal(with - without, 32);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    assert_false(sigismember(&mask, SIGTERM));
}

/* Nothing would ever tell of a completed read again. */
static void a_completion_event_that_fails_ends_the_poller(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    struct event_tap tap;
    struct disk *second;
    struct why why;

    event_tap_open(&tap, f->poller);
    assert_int_equal(create_disk(f, &second, &why), 0);
    event_tap_close(&tap);
    event_tap_tell(&tap, POLLERR | POLLNVAL);
    assert_int_equal(poller_run(f->poller, false), -EIO);
    assert_non_null(strstr(poller_failure(f->poller), "engine"));
    second->ops->destroy(second);
}

/* An engine on a poller that stays, and its end. */
static int make_engine(void *arg)
{
    struct fixture *f = arg;
    struct disk_config config = {.poller = f->poller,
                                 .pool = f->pool,
                                 .pool_bytes = (size_t)DEPTH * BUFFER_BYTES,
                                 .depth = 3,
                                 .model = "mean=10us"};
    struct disk *disk;
    struct why why = {0};
    int rc = f->kind->ops->create(&config, &disk, &why);
    assert_true((rc < 0) == (disk == NULL) && (rc < 0) == (why.text[0] != '\0'));
    f->kind->ops->destroy(disk);
    return rc;
}

static void an_engine_that_lacks_something_leaves_nothing(void **state)
{
    struct fixture *f = fixture_or_skip(state);
    f->kind->ops->destroy(f->disk); /* a ring has places for one */
    f->disk = NULL;
    assert_true(fault_walk_may_do_without(make_engine, f) >= 3);
}

static void the_model_that_lacks_something_leaves_nothing(void **state)
{
    static const struct kind model = {.ops = &disk_model_ops, .poller_kind = POLLER_EPOLL};
    struct fixture *f = fixture_or_skip(state);
    const struct kind *before = f->kind;
    f->kind = &model;
    assert_true(fault_walk(make_engine, f) >= 6);
    f->kind = before;
}

static void a_kernel_that_refuses_buffers_is_told(void **state)
{
    static const char *const calls[] = {"io_uring_register_files", "io_uring_register_buffers"};
    struct fixture *f = fixture_or_skip(state);
    f->kind->ops->destroy(f->disk);
    f->disk = NULL;
    for (int i = 0; i < 2; i++) {
        fault_arm_call(calls[i], 1, EFAULT);
        int rc = make_engine(f);
        fault_disarm();
        assert_int_equal(rc, -EFAULT);
        fault_arm_call(calls[i], 1, EBUSY); /* and this one is done without */
        rc = make_engine(f);
        fault_disarm();
        assert_int_equal(rc, 0);
    }
}

/* More than the ring takes while the kernel takes nothing: in order, and once each. */
static void what_the_ring_has_no_room_for_waits(void **state)
{
    enum { READS = 60 };
    struct fixture *f = fixture_or_skip(state);
    struct poller *roomy = f->poller;
    struct why why;
    f->kind->ops->destroy(f->disk);
    f->disk = NULL;
    assert_int_equal(poller_uring_create(2, 128, &f->poller), 0);
    assert_int_equal(create_disk(f, &f->disk, &why), 0);
    fault_arm_call("io_uring_submit", 0, EBUSY);
    for (uint32_t i = 0; i < READS; i++)
        submit(f, i, (uint64_t)i * 4096, 4096);
    fault_disarm();
    wait_for(f, READS);
    for (uint32_t i = 0; i < READS; i++) {
        assert_int_equal(f->reads[i].io.status, 0);
        assert_int_equal(f->reads[i].done, 1);
        assert_memory_equal(f->reads[i].io.buffer, f->content + (size_t)i * 4096, 4096);
    }
    f->kind->ops->destroy(f->disk);
    poller_destroy(f->poller);
    f->poller = roomy;
    assert_int_equal(create_disk(f, &f->disk, &why), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(uring, images_without_a_registered_place_are_read_all_the_same),
        WITH(threads, uring_needs_its_poller),
        WITH(uring, uring_works_without_locked_memory),
        WITH(uring, of_a_pool_that_is_too_large_the_beginning_is_registered),
        WITH(threads, threads_block_signals_and_are_joined),
        WITH(threads, a_completion_event_that_fails_ends_the_poller),
        WITH(null_disk, a_completion_event_that_fails_ends_the_poller),
        WITH(uring, an_engine_that_lacks_something_leaves_nothing),
        WITH(threads, an_engine_that_lacks_something_leaves_nothing),
        WITH(null_disk, an_engine_that_lacks_something_leaves_nothing),
        WITH(threads, the_model_that_lacks_something_leaves_nothing),
        WITH(uring, a_kernel_that_refuses_buffers_is_told),
        WITH(uring, what_the_ring_has_no_room_for_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
