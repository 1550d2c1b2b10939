/* SPDX-License-Identifier: MIT */
/* domain_settings: a whole domain whose nodes are changed by hand, sense and nonsense. */
#include "base/clock.h"
#include "base/thread.h"
#include "ring/barrier.h"
#include "ring/futex.h"
#include "unit/service/dom0/domain_settings_fixture.h"

/* How far the domain's clock goes while so much real time passes. */
static uint64_t passes(uint64_t real_ns)
{
    uint64_t before = tdf_clock_now_ns(&f->domain->clock);
    tdf_source_advance_ns(&f->time, real_ns);
    return tdf_clock_now_ns(&f->domain->clock) - before;
}

static void the_nodes_say_what_holds(void **state)
{
    (void)state;
    step();
    assert_string_equal(get("sched/weight"), "256");
    assert_string_equal(get("tdf"), "1");
    assert_string_equal(get("pause"), "0");
    assert_string_equal(get("disk-scale"), "1");
}

/* Only Dom0 writes them; the domain reads. */
static void the_nodes_are_the_domains_to_read(void **state)
{
    (void)state;
    static const char *const nodes[] = {"sched/weight", "tdf", "pause", "disk-scale"};
    struct xs_peer domain;
    xs_peer_open(&domain, f->store, DOMID);
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        char path[64];
        snprintf(path, sizeof(path), "/local/domain/5/%s", nodes[i]);
        xs_peer_call(&domain, XS_GET_PERMS, 0, path, strlen(path) + 1);
        assert_int_equal(domain.hdr.len, 6);
        assert_memory_equal(domain.payload, "n0\0r5", 6);
    }
    xs_conn_close(domain.conn);
}

static void a_weight_is_taken(void **state)
{
    (void)state;
    set("sched/weight", "1");
    assert_int_equal(f->domain->settings.weight, 1);
    set("sched/weight", "65535");
    assert_int_equal(f->domain->settings.weight, 65535);
}

static void a_disk_scale_is_taken(void **state)
{
    (void)state;
    set("disk-scale", "5/2");
    assert_int_equal(f->domain->settings.disk_scale.num, 5);
    assert_int_equal(f->domain->settings.disk_scale.den, 2);
    assert_string_equal(get("disk-scale"), "2.5");
}

enum { PATIENCE_S = 60, NAP_NS = 50000000 };

struct sleeper {
    const uint32_t *version;
    uint32_t woken, stop; /* atomic */
};

static void *sleep_at_the_clock(void *arg)
{
    struct sleeper *sleeper = arg;

    while (load_full_u32(&sleeper->stop) == 0) {
        const uint32_t version = load_full_u32(sleeper->version);
        if (futex_wait(sleeper->version, version, NAP_NS, FUTEX_SCOPE_SHARED) == 0)
            store_full_u32(&sleeper->woken, 1);
    }
    return NULL;
}

static void a_change_wakes_who_sleeps_at_the_clock(void **state)
{
    (void)state;
    struct sleeper sleeper = {.version =
                                  &f->domain->segment.shared_info->vcpu_info[0].time.version};
    const uint64_t end_ns = clock_monotonic_ns() + PATIENCE_S * SECOND_NS;
    pthread_t thread;
    assert_int_equal(thread_start(&thread, sleep_at_the_clock, &sleeper), 0);
    /* It may be about to sleep. */
    for (unsigned i = 0; load_full_u32(&sleeper.woken) == 0 && clock_monotonic_ns() < end_ns; i++)
        set("tdf", i % 2 == 0 ? "2" : "1");
    store_full_u32(&sleeper.stop, 1);
    pthread_join(thread, NULL);
    assert_int_equal(sleeper.woken, 1);
}

static void a_tdf_changes_the_rate(void **state)
{
    (void)state;
    set("tdf", "10");
    assert_in_range(passes(10 * SECOND_NS), SECOND_NS - 1000, SECOND_NS + 1000);
    set("tdf", "1/2");
    assert_in_range(passes(SECOND_NS), 2 * SECOND_NS - 1000, 2 * SECOND_NS + 1000);
    set("tdf", "1");
    assert_in_range(passes(SECOND_NS), SECOND_NS - 1000, SECOND_NS + 1000);
}

static void a_pause_stops_the_clock_and_forgets_nothing(void **state)
{
    (void)state;
    set("tdf", "10");
    set("pause", "1");
    assert_int_equal(passes(100 * SECOND_NS), 0);
    set("tdf", "5"); /* counts from the end of the pause on */
    assert_int_equal(passes(100 * SECOND_NS), 0);
    assert_string_equal(get("tdf"), "5");
    set("pause", "0");
    assert_in_range(passes(10 * SECOND_NS), 2 * SECOND_NS - 1000, 2 * SECOND_NS + 1000);
}

/* Its clock lies in its memory: nothing is written there while it may still make holes in it. */
static void what_is_set_before_the_memory_is_sealed_waits(void **state)
{
    (void)state;
    domain_destroy(f->domain);
    assert_int_equal(create((struct tdf){1, 1}), 0);
    set("tdf", "10");
    assert_string_equal(get("tdf"), "10");
    assert_in_range(passes(SECOND_NS), SECOND_NS - 1000, SECOND_NS + 1000);
    assert_int_equal(domain_mapped(f->domain), 0);
    assert_in_range(passes(10 * SECOND_NS), SECOND_NS - 1000, SECOND_NS + 1000);

    domain_destroy(f->domain);
    assert_int_equal(create((struct tdf){1, 1}), 0);
    set("pause", "1");
    assert_in_range(passes(SECOND_NS), SECOND_NS - 1000, SECOND_NS + 1000);
    assert_int_equal(domain_mapped(f->domain), 0);
    assert_int_equal(passes(SECOND_NS), 0);
}

/* As in Xen: whoever pauses must let it go on, too. */
static void pauses_count(void **state)
{
    (void)state;
    set("pause", "2");
    assert_int_equal(passes(SECOND_NS), 0);
    set("pause", "1");
    assert_int_equal(passes(SECOND_NS), 0);
    assert_string_equal(get("pause"), "1");
    set("pause", "0");
    assert_in_range(passes(SECOND_NS), SECOND_NS - 1000, SECOND_NS + 1000);
}

static void nonsense_is_set_back_to_what_holds(void **state)
{
    (void)state;
    static const char *const weights[] = {"0", "65536", "-1",
                                          "",  "many",  "99999999999999999999999"};
    static const char *const factors[] = {"0",      "0/1", "1/0", "-2",  "1001",
                                          "1/1001", "",    "x",   "nan", "1/2/3"};
    static const char *const pauses[] = {"1000000001", "", "yes", "-1"};
    static const char *const scales[] = {"0", "1/2", "1001", "", "x", "-1"};
    char huge[1024];
    set("sched/weight", "300");
    set("tdf", "2");
    for (size_t i = 0; i < sizeof(weights) / sizeof(weights[0]); i++) {
        set("sched/weight", weights[i]);
        assert_string_equal(get("sched/weight"), "300");
        assert_int_equal(f->domain->settings.weight, 300);
    }
    for (size_t i = 0; i < sizeof(factors) / sizeof(factors[0]); i++) {
        set("tdf", factors[i]);
        assert_string_equal(get("tdf"), "2");
    }
    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        set("pause", pauses[i]);
        assert_string_equal(get("pause"), "0");
    }
    set("disk-scale", "3");
    for (size_t i = 0; i < sizeof(scales) / sizeof(scales[0]); i++) {
        set("disk-scale", scales[i]);
        assert_string_equal(get("disk-scale"), "3");
        assert_int_equal(f->domain->settings.disk_scale.num, 3);
    }
    memset(huge, '1', sizeof(huge) - 1);
    huge[sizeof(huge) - 1] = '\0';
    set("tdf", huge);
    assert_string_equal(get("tdf"), "2");
    set("pause", huge);
    assert_string_equal(get("pause"), "0");
    assert_in_range(passes(2 * SECOND_NS), SECOND_NS - 1000, SECOND_NS + 1000);
}

/* A watch tells of what is below, too. */
static void a_node_below_a_setting_is_none(void **state)
{
    (void)state;
    set("tdf/below", "10");
    assert_string_equal(get("tdf"), "1");
    assert_string_equal(get("tdf/below"), "10");
    set("sched/weight/below", "many");
    assert_string_equal(get("sched/weight/below"), "many");
}

static uint32_t log_lines(void)
{
    uint32_t lines = 0;
    FILE *file = fopen(f->log_path, "r");
    assert_non_null(file);
    for (int c; (c = fgetc(file)) != EOF;)
        lines += c == '\n';
    fclose(file);
    return lines;
}

static void only_what_is_refused_is_told(void **state)
{
    (void)state;
    uint32_t before = log_lines();
    set("tdf", "10");
    set("sched/weight", "300");
    assert_int_equal(log_lines(), before);
    set("tdf", "nonsense");
    assert_int_equal(log_lines(), before + 1);
}

static void nonsense_does_not_fill_the_log(void **state)
{
    (void)state;
    static const char *const nodes[] = {"sched/weight", "tdf", "pause", "disk-scale"};
    for (int i = 0; i < 100; i++)
        set(nodes[i % 4], "nonsense");
    assert_in_range(log_lines(), 1, 2 * LOG_LIMIT_LINES);
    for (int i = 0; i < 100; i++)
        set("disk-scale", "nonsense");
    assert_in_range(log_lines(), 1, 2 * LOG_LIMIT_LINES);
}

static void a_removed_node_comes_back(void **state)
{
    (void)state;
    assert_int_equal(xs_local_rm(f->store, "/local/domain/5/tdf"), 0);
    assert_int_equal(xs_local_rm(f->store, "/local/domain/5/sched/weight"), 0);
    step();
    assert_string_equal(get("tdf"), "1");
    assert_string_equal(get("sched/weight"), "256");
}

static void a_domain_may_start_with_a_factor(void **state)
{
    (void)state;
    domain_destroy(f->domain);
    assert_int_equal(create((struct tdf){5, 2}), 0);
    step();
    assert_string_equal(get("tdf"), "2.5");
    assert_in_range(passes(5 * SECOND_NS), 2 * SECOND_NS - 1000, 2 * SECOND_NS + 1000);
}

/* Its nodes go with it, and nobody follows them any more. */
static void the_end_of_the_domain_ends_it(void **state)
{
    (void)state;
    domain_destroy(f->domain);
    f->domain = NULL;
    step();
    assert_string_equal(get("tdf"), "(none)");
    assert_int_equal(xs_local_write(f->store, "/local/domain/5/tdf", "3"), 0);
    step();
    assert_string_equal(get("tdf"), "3");
    assert_int_equal(xs_local_rm(f->store, "/local/domain/5"), 0);
}

/* Written when the clock shows it already, so that whoever reads the node may look at the
 * clock. */
static void the_rate_in_force_is_told(void **state)
{
    (void)state;
    step();
    assert_string_equal(get("splitdom/tdf-in-force"), "1");
    set("tdf", "2.5");
    assert_string_equal(get("splitdom/tdf-in-force"), "2.5");
    set("pause", "2");
    assert_string_equal(get("splitdom/tdf-in-force"), "0");
    set("tdf", "4"); /* holds when it goes on */
    assert_string_equal(get("splitdom/tdf-in-force"), "0");
    set("pause", "0");
    assert_string_equal(get("splitdom/tdf-in-force"), "4");
}

static void a_share_of_the_cpu_is_kept_within_bounds(void **state)
{
    (void)state;
    step();
    set("cpu-share", "7"); /* nobody's node: nobody sets it back */
    assert_string_equal(get("cpu-share"), "7");
    assert_int_equal(domain_settings_offer_share(f->domain, (struct tdf){1, 2}), 0);
    step();
    assert_string_equal(get("cpu-share"), "1/2");
    set("cpu-share", "1/10");
    assert_string_equal(get("cpu-share"), "1/10");
    set("cpu-share", "0");
    assert_string_equal(get("cpu-share"), "1/10");
    set("cpu-share", "1.5");
    assert_string_equal(get("cpu-share"), "1/10");
}

/* As if an administrator had written the node. */
static void a_domain_may_begin_with_a_weight(void **state)
{
    char path[XENBUS_PATH_MAX], value[16];
    (void)state;
    assert_int_equal(domain_settings_begin_weight(f->domain, 77), 0);
    assert_int_equal(f->domain->settings.weight, 77);
    xenbus_home_path(path, f->domain->domid, "sched/weight");
    assert_true(xs_local_read(f->domain->host->back.store, path, value, sizeof(value)) > 0);
    assert_string_equal(value, "77");
}

int main(void)
{
#define SETTINGS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        SETTINGS_TEST(a_change_wakes_who_sleeps_at_the_clock),
        SETTINGS_TEST(the_rate_in_force_is_told),
        SETTINGS_TEST(a_share_of_the_cpu_is_kept_within_bounds),
        SETTINGS_TEST(the_nodes_say_what_holds),
        SETTINGS_TEST(the_nodes_are_the_domains_to_read),
        SETTINGS_TEST(a_weight_is_taken),
        SETTINGS_TEST(a_disk_scale_is_taken),
        SETTINGS_TEST(a_node_below_a_setting_is_none),
        SETTINGS_TEST(only_what_is_refused_is_told),
        SETTINGS_TEST(nonsense_does_not_fill_the_log),
        SETTINGS_TEST(a_tdf_changes_the_rate),
        SETTINGS_TEST(a_pause_stops_the_clock_and_forgets_nothing),
        SETTINGS_TEST(what_is_set_before_the_memory_is_sealed_waits),
        SETTINGS_TEST(pauses_count),
        SETTINGS_TEST(nonsense_is_set_back_to_what_holds),
        SETTINGS_TEST(a_removed_node_comes_back),
        SETTINGS_TEST(a_domain_may_start_with_a_factor),
        SETTINGS_TEST(the_end_of_the_domain_ends_it),
        SETTINGS_TEST(a_domain_may_begin_with_a_weight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
