/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "ring/barrier.h"
#include "tdf/clock.h"
#include "unit/domu/domain_clock_fixture.h"

static void the_first_life_shows_the_page(void **state)
{
    (void)state;
    assert_int_equal(read_with(0), 1000);
    show(&first, 5000);
    assert_int_equal(read_with(0), 5000);
    assert_int_equal(domain_clock_offset_ns(&clock_), 0);
}

/* Also where time stands still, and whoever else has read the clock meanwhile. */
static void a_beginning_lies_between_this_threads_readings(void **state)
{
    (void)state;
    show(&first, 5000);
    assert_int_equal(domain_clock_begin_ns(&clock_), 5000);
    assert_int_equal(read_with(0), 5000);
    update_begin(&first);
    assert_int_equal(domain_clock_begin_ns(&clock_), 5000);
    first.line.system_time = 9000;
    update_end(&first);
    run_at(&first, 9000, (struct tdf){1, 1});
    uint64_t before_ns = read_with(0);
    for (int i = 0; i < 10000; i++) {
        uint64_t begin_ns = domain_clock_begin_ns(&clock_);
        uint64_t after_ns = read_with(0);
        assert_true(before_ns <= begin_ns && begin_ns <= after_ns);
        before_ns = after_ns;
    }
}

static void time_stands_while_an_update_does_not_end(void **state)
{
    (void)state;
    show(&first, 5000);
    assert_int_equal(read_with(0), 5000);
    update_begin(&first);
    assert_int_equal(read_with(-ETIMEDOUT), 5000);
    assert_int_equal(read_with(-ETIMEDOUT), 5000);
    first.line.system_time = 9000;
    update_end(&first);
    assert_int_equal(read_with(0), 9000);
}

static void an_update_that_never_ended_before_the_first_reading_is_no_zero(void **state)
{
    (void)state;
    update_begin(&first);
    assert_int_equal(read_with(-ETIMEDOUT), 1000);
}

/* However fast its page says that it is. */
static void time_stands_at_most_a_tenth_of_a_second_ahead(void **state)
{
    (void)state;
    run_at(&first, 1000, (struct tdf){1, 1});
    first.line.tsc_to_system_mul = UINT32_MAX;
    first.line.tsc_shift = 17; /* 2^17 ns for each */
    update_begin(&first);
    update_end(&first);
    uint64_t last_ns = read_with(0);
    update_begin(&first);
    assert_in_range(read_with(-ETIMEDOUT) - last_ns, 0, 100 * 1000 * 1000);
}

/* A running clock stands a little ahead of its last reading, and waits for its line there. */
static void after_a_standstill_a_slower_line_is_waited_for(void **state)
{
    (void)state;
    run_at(&first, 1000, (struct tdf){1, 100});
    uint64_t last_ns = read_with(0);
    update_begin(&first);
    uint64_t stood_ns = read_with(-ETIMEDOUT);
    assert_true(stood_ns >= last_ns);
    assert_true(stood_ns - last_ns <= 100 * (1 << 14));
    first.line.pad1[0] = PVCLOCK_COUNTER_STEPPED;
    first.line.system_time = last_ns;
    update_end(&first);
    assert_int_equal(read_with(0), stood_ns);
    show(&first, stood_ns - 1);
    assert_int_equal(read_with(0), stood_ns);
    show(&first, stood_ns + 1);
    assert_int_equal(read_with(0), stood_ns + 1);
}

static void a_look_at_a_clock_that_stands_is_cheap(void **state)
{
    (void)state;
    update_begin(&first);
    uint64_t begin_ns = clock_monotonic_ns();
    for (int i = 0; i < 1000; i++)
        (void)read_with(-ETIMEDOUT);
    /* Generous, for a busy machine; to wait for each would take 100 s. */
    assert_true(clock_monotonic_ns() - begin_ns < 50 * (uint64_t)PVCLOCK_PATIENCE_NS);
}

/* Of 100 looks, the quickest. */
static uint64_t quickest_look_ns(bool remembered)
{
    uint64_t best_ns = UINT64_MAX;
    for (int i = 0; i < 100; i++) {
        if (!remembered)
            clock_.held_version = 0;
        uint64_t begin_ns = clock_monotonic_ns();
        (void)read_with(-ETIMEDOUT);
        uint64_t took_ns = clock_monotonic_ns() - begin_ns;
        if (took_ns < best_ns)
            best_ns = took_ns;
    }
    return best_ns;
}

static void an_update_is_waited_for_once(void **state)
{
    (void)state;
    update_begin(&first);
    (void)read_with(-ETIMEDOUT);
    assert_true(quickest_look_ns(true) < quickest_look_ns(false) / 3);
}

/* The update that was waited for in vain has ended, and another one begins. */
static void the_next_update_is_waited_for_again(void **state)
{
    (void)state;
    update_begin(&first);
    (void)read_with(-ETIMEDOUT);
    uint32_t held = clock_.held_version;
    assert_int_equal(held, time_of(&first)->version);
    update_end(&first);
    assert_int_equal(read_with(0), 1000);
    update_begin(&first);
    (void)read_with(-ETIMEDOUT);
    assert_int_equal(clock_.held_version, held + 2);
}

/* What a reader sees that was interrupted in the middle of a change. */
static void a_change_in_progress_keeps_nobody_waiting(void **state)
{
    (void)state;
    show(&first, 6000);
    assert_int_equal(read_with(0), 6000);
    clock_.changes++;
    assert_int_equal(read_with(-EAGAIN), 6000);
    clock_.changes++;
    assert_int_equal(read_with(0), 6000);
}

/* ---- several threads, through many lives ---- */

enum { NR_READERS = 3, NR_LIVES = 2000 };

static uint64_t newest_ns;

static uint32_t stop, backwards, errors;

static uint64_t readings[NR_READERS];

static void one_reading(void)
{
    uint64_t known_ns = load_full_u64(&newest_ns), now_ns;
    int rc = domain_clock_read_ns(&clock_, &now_ns);

    if (now_ns < known_ns)
        store_full_u32(&backwards, 1);
    if (rc != 0 && rc != -EAGAIN && rc != -ENOTCONN && rc != -ETIMEDOUT)
        store_full_u32(&errors, 1);
    while (known_ns < now_ns && !compare_exchange_full_u64(&newest_ns, &known_ns, now_ns))
        ;
}

static void *read_on(void *arg)
{
    uint64_t *count = arg;

    while (load_full_u32(&stop) == 0) {
        one_reading();
        store_full_u64(count, *count + 1);
    }
    return NULL;
}

static void on_alarm(int signal_number)
{
    (void)signal_number;
    one_reading();
}

static void await_readings(void)
{
    for (int i = 0; i < NR_READERS; i++) {
        uint64_t seen = load_full_u64(&readings[i]);
        while (load_full_u64(&readings[i]) < seen + 10)
            ;
    }
}

static void no_thread_nor_handler_sees_a_step_back(void **state)
{
    static const struct tdf rates[] = {{1, 10}, {1, 1}, {10, 1}, {1000, 1}, {0, 1}};
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    struct page *pages[] = {&first, &second};
    struct tdf_source source;
    struct tdf_clock writer;
    pthread_t threads[NR_READERS];
    unsigned seed = 7;

    (void)state;
    tdf_source_real(&source);
    assert_int_equal(tdf_clock_init(&writer, &source, &first.info, NR_VCPUS, rates[0]), 0);
    domain_clock_start(&clock_, time_of(&first), tdf_clock_now_ns(&writer));
    newest_ns = 0;
    stop = backwards = errors = 0;
    for (int i = 0; i < NR_READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &readings[i]), 0);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int life = 0; life < NR_LIVES; life++) {
        struct page *old = pages[life % 2], *next = pages[(life + 1) % 2];
        if (life % 100 == 0)
            await_readings();
        assert_int_equal(tdf_clock_set_tdf(&writer, rates[(unsigned)rand_r(&seed) % 5]), 0);
        if (life % 3 == 0) /* dies in the next update */
            pvclock_publish_all_begin(&old->info, NR_VCPUS, writer.time.version);
        domain_clock_orphan(&clock_, &old->info, NR_VCPUS);
        struct tdf tdf = rates[(unsigned)rand_r(&seed) % 5];
        assert_int_equal(tdf_clock_init(&writer, &source, &next->info, NR_VCPUS, tdf), 0);
        domain_clock_adopt(&clock_, time_of(next), tdf_clock_now_ns(&writer));
    }
    setitimer(ITIMER_REAL, &never, NULL);
    store_full_u32(&stop, 1);
    for (int i = 0; i < NR_READERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(backwards, 0);
    assert_int_equal(errors, 0);
}

int main(void)
{
#define CLOCK_TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        CLOCK_TEST(the_first_life_shows_the_page),
        CLOCK_TEST(a_beginning_lies_between_this_threads_readings),
        CLOCK_TEST(time_stands_while_an_update_does_not_end),
        CLOCK_TEST(an_update_that_never_ended_before_the_first_reading_is_no_zero),
        CLOCK_TEST(time_stands_at_most_a_tenth_of_a_second_ahead),
        CLOCK_TEST(after_a_standstill_a_slower_line_is_waited_for),
        CLOCK_TEST(a_look_at_a_clock_that_stands_is_cheap),
        CLOCK_TEST(an_update_is_waited_for_once),
        CLOCK_TEST(the_next_update_is_waited_for_again),
        CLOCK_TEST(a_change_in_progress_keeps_nobody_waiting),
        CLOCK_TEST(no_thread_nor_handler_sees_a_step_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
