/* SPDX-License-Identifier: MIT */
/* Dom0's end after five idle minutes, with a clock that only the test moves. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/why.h"
#include "fakes/valgrind.h"
#include "ring/barrier.h"
#include "service/dom0/dom0_private.h"
#include "service/dom0/dom0_setup.h"
#include "splitdom/blkfront.h"

enum { HANG_S = 60, READS = 3 };

#define SECOND_NS UINT64_C(1000000000)

struct fixture {
    char base[64], image[96];
    struct rundir rundir;
    struct log *log;
    struct dom0_options options;
    struct tdf_source time;
    struct dom0 *dom0;
};

static struct fixture *f;

static int setup(void **state)
{
    (void)state;
    struct why why;
    alarm(HANG_S);
    f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -1;
    snprintf(f->base, sizeof(f->base), "/tmp/splitdom-idle-XXXXXX");
    if (mkdtemp(f->base) == NULL)
        return -1;
    /* Not below /tmp, which may be a tmpfs: images are opened with O_DIRECT. */
    (void)mkdir("build", 0777);
    snprintf(f->image, sizeof(f->image), "build/test_dom0_idle.XXXXXX");
    int fd = mkstemp(f->image);
    if (fd < 0 || ftruncate(fd, 1 << 20) < 0 || close(fd) < 0)
        return -1;
    if (rundir_resolve(f->base, "idle", true, &f->rundir, why.text, sizeof(why.text)) < 0 ||
        log_open(&(struct log_options){.path = f->rundir.log}, &f->log) < 0)
        return -1;
    f->options = dom0_options_default();
    f->options.image_path = f->image;
    f->options.engine = DOM0_ENGINE_NULL;
    f->options.max_domains = 4;
    return tdf_source_manual(&f->time, 1000000000, 1000 * SECOND_NS, 0);
}

static int teardown(void **state)
{
    (void)state;
    alarm(0);
    dom0_teardown(f->dom0);
    log_close(f->log);
    unlink(f->rundir.log);
    unlink(f->image);
    rmdir(f->rundir.dir);
    int rc = rmdir(f->base);
    free(f);
    return rc;
}

static void start(void)
{
    struct why why;
    if (dom0_setup(&f->options, &f->rundir, f->log, &f->time, &f->dom0, &why) < 0)
        fail_msg("%s", why.text);
}

/* Lets time pass, with Dom0 looking at it. */
static void pass(uint64_t ns)
{
    tdf_source_advance_ns(&f->time, ns);
    worker_time_passed(&f->dom0->worker);
    (void)worker_turn(&f->dom0->worker);
}

static void five_minutes_without_a_request_end_it(void **state)
{
    (void)state;
    start();
    pass(0);
    pass(299 * SECOND_NS);
    assert_false(f->dom0->stopping);
    pass(SECOND_NS - 1);
    assert_false(f->dom0->stopping);
    pass(1);
    assert_true(f->dom0->stopping);
    assert_non_null(strstr(f->dom0->stop_reason, "idle"));
}

static void without_a_time_out_it_never_ends(void **state)
{
    (void)state;
    f->options.idle_timeout_ns = 0;
    start();
    for (int i = 0; i < 100; i++)
        pass(100000 * SECOND_NS);
    assert_false(f->dom0->stopping);
}

static void the_minutes_are_those_of_its_own_clock(void **state)
{
    (void)state;
    f->options.tdf_num = 10;
    start();
    pass(2999 * SECOND_NS);
    assert_false(f->dom0->stopping);
    pass(2 * SECOND_NS);
    assert_true(f->dom0->stopping);
}

/* A client that reads when it is told to, and stays. */
struct client {
    pthread_t thread;
    uint32_t wanted, done; /* atomic: reads */
    uint32_t leave;        /* atomic */
    int rc;
};

static void *run_client(void *arg)
{
    struct client *client = arg;
    const struct timespec pause = {.tv_nsec = 1000000};
    struct blkfront_options options = {.size = sizeof(struct blkfront_options),
                                       .rundir = f->base,
                                       .name = "idle",
                                       .depth = 1,
                                       .no_shared_cache = true};
    struct blkfront *bf;
    uint8_t bytes[512];
    client->rc = blkfront_connect(&options, &bf, NULL);
    while (client->rc == 0 && load_full_u32(&client->leave) == 0) {
        if (load_full_u32(&client->done) < load_full_u32(&client->wanted)) {
            client->rc = blkfront_read(bf, 0, 1, bytes);
            store_full_u32(&client->done, client->done + 1);
        } else {
            nanosleep(&pause, NULL);
        }
    }
    blkfront_close(bf);
    return NULL;
}

static void read_once_more(struct client *client)
{
    uint32_t before = client->wanted;
    store_full_u32(&client->wanted, before + 1);
    while (load_full_u32(&client->done) == before)
        (void)worker_turn(&f->dom0->worker);
}

/* Every request begins the five minutes anew; being attached does not. */
static void a_client_that_asks_for_nothing_does_not_keep_it(void **state)
{
    (void)state;
    struct client client = {0};
    if (under_valgrind())
        skip(); /* see valgrind.h */
    start();
    pass(200 * SECOND_NS);
    assert_int_equal(pthread_create(&client.thread, NULL, run_client, &client), 0);
    for (int i = 0; i < READS; i++) {
        read_once_more(&client);
        pass(299 * SECOND_NS);
        assert_false(f->dom0->stopping);
    }
    assert_int_equal(f->dom0->domain_count, 1);
    pass(SECOND_NS);
    assert_true(f->dom0->stopping);
    store_full_u32(&client.leave, 1);
    dom0_teardown(f->dom0); /* the connection ends, and with it the wait for a polite close */
    f->dom0 = NULL;
    pthread_join(client.thread, NULL);
    assert_int_equal(client.rc, 0);
}

int main(void)
{
#define IDLE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        IDLE_TEST(five_minutes_without_a_request_end_it),
        IDLE_TEST(without_a_time_out_it_never_ends),
        IDLE_TEST(the_minutes_are_those_of_its_own_clock),
        IDLE_TEST(a_client_that_asks_for_nothing_does_not_keep_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
