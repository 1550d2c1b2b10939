/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "domu/domain_clock.h"
#include "ring/barrier.h"
#include "tdf/clock.h"
#include "tdf/pvclock.h"

enum { NR_VCPUS = 2 };

/* A page as Dom0 publishes it, moved by hand: its time is what the test says. */
struct page {
    struct shared_info info;
    struct vcpu_time_info line;
};

static struct page first, second;
static struct domain_clock clock_;

static const struct vcpu_time_info *time_of(const struct page *page)
{
    return &page->info.vcpu_info[0].time;
}

static void update_begin(struct page *page)
{
    pvclock_publish_all_begin(&page->info, NR_VCPUS, page->line.version);
}

static void update_end(struct page *page)
{
    page->line.version += 2;
    pvclock_publish_all_end(&page->info, NR_VCPUS, &page->line);
}

static void show(struct page *page, uint64_t now_ns)
{
    page->line.pad1[0] = PVCLOCK_COUNTER_STEPPED;
    page->line.system_time = now_ns;
    update_begin(page);
    update_end(page);
}

/* A line that goes by CLOCK_MONOTONIC, starting at now_ns. */
static void run_at(struct page *page, uint64_t now_ns, struct tdf tdf)
{
    pvclock_set_rate(&page->line, tdf_rate_fp(tdf, 1, 1));
    page->line.pad1[0] = PVCLOCK_COUNTER_MONOTONIC;
    page->line.system_time = now_ns;
    update_begin(page);
    page->line.tsc_timestamp = clock_monotonic_ns();
    update_end(page);
}

static uint64_t read_with(int expected)
{
    uint64_t now_ns;
    assert_int_equal(domain_clock_read_ns(&clock_, &now_ns), expected);
    return now_ns;
}

static int setup(void **state)
{
    (void)state;
    memset(&first, 0, sizeof(first));
    memset(&second, 0, sizeof(second));
    show(&first, 1000);
    domain_clock_start(&clock_, time_of(&first), 1000);
    return 0;
}

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

static void without_dom0_time_goes_on_at_the_last_rate(void **state)
{
    (void)state;
    run_at(&first, 1000, (struct tdf){1, 10});
    (void)read_with(0);
    domain_clock_orphan(&clock_, &first.info, NR_VCPUS);
    memset(&first.info, 0x5a, sizeof(first.info)); /* nobody looks there any more */
    uint64_t real_ns = clock_monotonic_ns(), begin_ns = read_with(-ENOTCONN);
    while (clock_monotonic_ns() - real_ns < 2000000)
        ;
    real_ns = clock_monotonic_ns() - real_ns;
    uint64_t passed_ns = read_with(-ENOTCONN) - begin_ns;
    assert_true(passed_ns >= 10 * UINT64_C(1900000));    /* 2 ms but for the headroom */
    assert_true(passed_ns / 10 <= clock_monotonic_ns()); /* no wrap */
    assert_true(real_ns >= 2000000);
}

/* Dead in the middle: the fields of vCPU 0 are torn, those of vCPU 1 are still the old line. */
static void the_line_of_a_dom0_that_died_in_an_update_is_saved(void **state)
{
    struct vcpu_time_info *torn = &first.info.vcpu_info[0].time;

    (void)state;
    run_at(&first, 7000, (struct tdf){1, 1});
    uint64_t last_ns = read_with(0);
    update_begin(&first);
    torn->tsc_timestamp = 1;
    torn->system_time = 2;
    (void)read_with(-ETIMEDOUT);
    uint64_t begin_ns = clock_monotonic_ns();
    while (clock_monotonic_ns() - begin_ns < 1000000)
        ;
    domain_clock_orphan(&clock_, &first.info, NR_VCPUS);
    uint64_t passed_ns = read_with(-ENOTCONN) - last_ns; /* the standstill is caught up with */
    assert_true(passed_ns >= 1000000);
    assert_true(passed_ns < UINT64_C(60000000000));
}

static void a_line_that_can_not_be_saved_stands(void **state)
{
    (void)state;
    show(&first, 8000);
    assert_int_equal(read_with(0), 8000);
    update_begin(&first);
    domain_clock_orphan(&clock_, &first.info, 1);
    assert_int_equal(read_with(-ENOTCONN), 8000);
    /* Now with an offset below 0. */
    show(&second, UINT64_C(1) << 40);
    domain_clock_adopt(&clock_, time_of(&second), UINT64_C(1) << 40);
    assert_int_equal(read_with(0), 8000);
    update_begin(&second);
    domain_clock_orphan(&clock_, &second.info, 1);
    assert_int_equal(read_with(-ENOTCONN), 8000);
}

static void dom0_dies_once(void **state)
{
    (void)state;
    show(&first, 8000);
    domain_clock_orphan(&clock_, &first.info, NR_VCPUS);
    show(&first, 9000);
    domain_clock_orphan(&clock_, &first.info, NR_VCPUS);
    assert_int_equal(read_with(-ENOTCONN), 8000);
}

/* Another page counts its versions from the beginning. */
static void the_next_life_forgets_what_was_waited_for(void **state)
{
    (void)state;
    update_begin(&first);
    (void)read_with(-ETIMEDOUT);
    assert_int_equal(clock_.held_version, time_of(&first)->version);
    domain_clock_orphan(&clock_, &first.info, NR_VCPUS);
    assert_int_equal(clock_.held_version, 0);
}

static void the_next_life_starts_where_the_clock_is(void **state)
{
    static const uint64_t births_ns[] = {0, 50, 1000, UINT64_C(1) << 60};

    (void)state;
    for (size_t i = 0; i < sizeof(births_ns) / sizeof(births_ns[0]); i++) {
        uint64_t last_ns = read_with(0);
        domain_clock_orphan(&clock_, &first.info, NR_VCPUS);
        assert_int_equal(read_with(-ENOTCONN), last_ns);
        show(&first, births_ns[i]);
        domain_clock_adopt(&clock_, time_of(&first), births_ns[i]);
        assert_int_equal(read_with(0), last_ns);
        assert_true(domain_clock_offset_ns(&clock_) == last_ns - births_ns[i]);
        show(&first, births_ns[i] + 30);
        assert_int_equal(read_with(0), last_ns + 30);
    }
}

/* What passed between the last reading and the next life is not lost. */
static void the_next_life_counts_the_time_without_dom0(void **state)
{
    (void)state;
    for (int life = 0; life < 3; life++) { /* the offset is 0, less, more */
        run_at(&first, first.line.system_time, (struct tdf){1, 1});
        uint64_t last_ns = read_with(0), begin_ns = clock_monotonic_ns();
        domain_clock_orphan(&clock_, &first.info, NR_VCPUS);
        while (clock_monotonic_ns() - begin_ns < 1000000)
            ;
        uint64_t born_ns = life == 0 ? UINT64_C(1) << 40 : 0;
        show(&first, born_ns);
        domain_clock_adopt(&clock_, time_of(&first), born_ns);
        uint64_t passed_ns = read_with(0) - last_ns;
        assert_in_range(passed_ns, 1000000, UINT64_C(60000000000));
    }
}

/* Stopped between the birth of the domain and our taking it over. */
static void a_life_that_begins_in_an_update_starts_at_its_birth(void **state)
{
    (void)state;
    uint64_t last_ns = read_with(0);
    domain_clock_orphan(&clock_, &first.info, NR_VCPUS);
    show(&second, 300);
    update_begin(&second);
    domain_clock_adopt(&clock_, time_of(&second), 300);
    assert_int_equal(read_with(-ETIMEDOUT), last_ns);
    second.line.system_time = 350;
    update_end(&second);
    assert_int_equal(read_with(0), last_ns + 50);
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
        CLOCK_TEST(after_a_standstill_a_slower_line_is_waited_for),
        CLOCK_TEST(a_look_at_a_clock_that_stands_is_cheap),
        CLOCK_TEST(an_update_is_waited_for_once),
        CLOCK_TEST(the_next_update_is_waited_for_again),
        CLOCK_TEST(without_dom0_time_goes_on_at_the_last_rate),
        CLOCK_TEST(the_line_of_a_dom0_that_died_in_an_update_is_saved),
        CLOCK_TEST(a_line_that_can_not_be_saved_stands),
        CLOCK_TEST(dom0_dies_once),
        CLOCK_TEST(the_next_life_forgets_what_was_waited_for),
        CLOCK_TEST(the_next_life_starts_where_the_clock_is),
        CLOCK_TEST(the_next_life_counts_the_time_without_dom0),
        CLOCK_TEST(a_life_that_begins_in_an_update_starts_at_its_birth),
        CLOCK_TEST(a_change_in_progress_keeps_nobody_waiting),
        CLOCK_TEST(no_thread_nor_handler_sees_a_step_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
