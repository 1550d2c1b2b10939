/* SPDX-License-Identifier: MIT */
/* disk_model_law: the distributions, the seed and the fates. */
#include <math.h>
#include <stdlib.h>

#include "faults/fault_walk.h"
#include "unit/service/block/engine/disk_model_law_fixture.h"

#define DRAWS 200000

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

struct moments {
    double mean, cv, skewness, p50, p99;
};

/* Of the service times of requests that find the device idle. */
static struct moments measure(const char *text)
{
    struct disk_model_law *law = make(text);
    double *service_ns = calloc(DRAWS, sizeof(*service_ns));
    double sum = 0, square = 0, cube = 0;
    struct moments m;
    uint64_t now_ns = 0;

    assert_non_null(service_ns);
    for (int i = 0; i < DRAWS; i++) {
        struct disk_model_outcome outcome = disk_model_law_arrive(law, now_ns, DISK_READ, 0, 512);

        assert_true(outcome.begin_ns == now_ns && outcome.due_ns >= now_ns);
        assert_int_equal(outcome.fate, DISK_MODEL_SERVED);
        service_ns[i] = (double)(outcome.due_ns - outcome.begin_ns);
        sum += service_ns[i];
        now_ns = outcome.due_ns;
    }
    m.mean = sum / DRAWS;
    for (int i = 0; i < DRAWS; i++) {
        double d = service_ns[i] - m.mean;

        square += d * d;
        cube += d * d * d;
    }
    m.cv = sqrt(square / DRAWS) / m.mean;
    m.skewness = square > 0 ? cube / DRAWS / pow(square / DRAWS, 1.5) : 0;
    qsort(service_ns, DRAWS, sizeof(*service_ns), compare_doubles);
    m.p50 = service_ns[DRAWS / 2];
    m.p99 = service_ns[DRAWS / 100 * 99];
    free(service_ns);
    disk_model_law_destroy(law);
    return m;
}

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance * fabs(expected)))
        fail_msg("%g is not within %g of %g", value, tolerance, expected);
}

/* Tolerances: about five standard errors of 200,000 draws. */
static void lognormal_has_its_moments(void **state)
{
    struct moments m = measure("mean=200us,cv=0.25");
    double sigma = sqrt(log(1 + 0.25 * 0.25));

    (void)state;
    assert_near(m.mean, 200e3, 0.003);
    assert_near(m.cv, 0.25, 0.015);
    assert_near(m.skewness, 0.25 * (3 + 0.25 * 0.25), 0.1); /* cv^3 + 3 cv */
    assert_near(m.p50, 200e3 * exp(-sigma * sigma / 2), 0.004);
    assert_near(m.p99, 200e3 * exp(2.326348 * sigma - sigma * sigma / 2), 0.01);
}

static void exponential_has_its_moments(void **state)
{
    struct moments m = measure("mean=1ms,law=exponential");

    (void)state;
    assert_near(m.mean, 1e6, 0.012);
    assert_near(m.cv, 1, 0.02);
    assert_near(m.skewness, 2, 0.1);
    assert_near(m.p50, 1e6 * log(2), 0.015);
    assert_near(m.p99, 1e6 * log(100), 0.03);
}

static void fixed_is_fixed(void **state)
{
    struct moments m = measure("mean=123456ns,law=fixed");

    (void)state;
    assert_true(m.mean == 123456 && m.cv == 0);
}

static void lognormal_without_variation_is_fixed(void **state)
{
    struct moments m = measure("mean=123456ns,cv=0");

    (void)state;
    assert_true(m.mean == 123456 && m.cv == 0);
}

static void a_tail_beyond_all_measure_is_cut(void **state)
{
    struct disk_model_law *law = make("mean=1000s,cv=100");

    uint64_t longest_ns = 0;

    (void)state;
    for (int i = 0; i < DRAWS; i++) {
        struct disk_model_outcome outcome = disk_model_law_arrive(law, 0, DISK_READ, 0, 512);

        if (outcome.due_ns - outcome.begin_ns > longest_ns)
            longest_ns = outcome.due_ns - outcome.begin_ns;
    }
    assert_int_equal(longest_ns, UINT64_C(1000000000000000));
    disk_model_law_destroy(law);
}

/* FNV-1a over everything that comes out. */
static uint64_t hash_trace(const char *text, uint64_t step_ns)
{
    struct disk_model_law *law = make(text);
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (uint64_t i = 0; i < 10000; i++) {
        struct disk_model_outcome outcome =
            disk_model_law_arrive(law, i * step_ns, DISK_READ, 0, 4096);
        uint64_t words[3] = {outcome.begin_ns, outcome.due_ns, outcome.fate};
        const unsigned char *bytes = (const unsigned char *)words;

        for (size_t b = 0; b < sizeof(words); b++)
            hash = (hash ^ bytes[b]) * UINT64_C(0x100000001b3);
    }
    disk_model_law_destroy(law);
    return hash;
}

static void the_same_seed_gives_the_same_trace(void **state)
{
    const char *text = "mean=90us,channels=2,iops=20000,error=0.1,slow=0.1:1ms,seed=7";

    (void)state;
    assert_true(hash_trace(text, 45000) == hash_trace(text, 45000));
    assert_true(hash_trace(text, 45000) !=
                hash_trace("mean=90us,channels=2,iops=20000,error=0.1,slow=0.1:1ms,seed=8", 45000));
}

/* The published generator, from published code: seed 7, first service time of the stream. */
static void the_generator_is_xoshiro256starstar(void **state)
{
    struct disk_model_law *law = make("mean=1000s,law=exponential,seed=7");
    uint64_t x = 7, s[4], first;

    (void)state;
    for (int i = 0; i < 4; i++) {
        uint64_t z = (x += 0x9e3779b97f4a7c15u);

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        s[i] = z ^ (z >> 31);
    }
    first = s[1] * 5;
    first = ((first << 7) | (first >> 57)) * 9;
    assert_near((double)disk_model_law_arrive(law, 0, DISK_READ, 0, 512).due_ns,
                -log((double)((first >> 11) + 1) / 9007199254740992.0) * 1e12, 1e-9);
    disk_model_law_destroy(law);
}

static void each_operation_has_its_time(void **state)
{
    struct disk_model_law *law = make("law=fixed,mean=10us,write=30us,flush=2ms,channels=4");

    (void)state;
    assert_int_equal(disk_model_law_arrive(law, 0, DISK_READ, 0, 512).due_ns, 10000);
    assert_int_equal(disk_model_law_arrive(law, 0, DISK_WRITE, 0, 512).due_ns, 30000);
    assert_int_equal(disk_model_law_arrive(law, 0, DISK_FLUSH, 0, 0).due_ns, 2000000);
    assert_int_equal(disk_model_law_arrive(law, 0, DISK_DISCARD, 0, 0).due_ns, 30000);
    disk_model_law_destroy(law);
}

/* What time dilation builds on: a device k times slower on arrivals k times apart. */
static void scaling_the_mean_scales_the_trace(void **state)
{
    struct disk_model_law *one = make("mean=200us,channels=4,seed=3");
    struct disk_model_law *ten = make("mean=2ms,channels=4,seed=3");

    (void)state;
    for (uint64_t i = 0; i < 10000; i++) {
        uint64_t a = disk_model_law_arrive(one, i * 60000, DISK_READ, 0, 512).due_ns;
        uint64_t b = disk_model_law_arrive(ten, i * 600000, DISK_READ, 0, 512).due_ns;

        /* rounding to whole ns, summed up over the requests of a busy period */
        assert_true(llabs((int64_t)(a * 10 - b)) <= 10 * 10000);
    }
    disk_model_law_destroy(one);
    disk_model_law_destroy(ten);
}

static void faults_change_no_service_times(void **state)
{
    struct disk_model_law *good = make("mean=200us,seed=5");
    struct disk_model_law *bad = make("mean=200us,seed=5,error=0.3,short=0.3,stuck=0.3");

    (void)state;
    for (uint64_t i = 0; i < 10000; i++)
        assert_true(disk_model_law_arrive(good, i * 100, DISK_READ, 0, 512).due_ns ==
                    disk_model_law_arrive(bad, i * 100, DISK_READ, 0, 512).due_ns);
    disk_model_law_destroy(good);
    disk_model_law_destroy(bad);
}

static void fates_come_with_their_probabilities(void **state)
{
    struct disk_model_law *law =
        make("mean=1us,law=fixed,channels=2,error=0.1,short=0.05,stuck=0.02,slow=0.2:1ms");
    double count[4] = {0}, slow = 0;

    (void)state;
    for (uint64_t i = 0; i < DRAWS; i++) {
        struct disk_model_outcome outcome =
            disk_model_law_arrive(law, i * 2000000, DISK_READ, 0, 512);
        uint64_t service_ns = outcome.due_ns - outcome.begin_ns;

        count[outcome.fate]++;
        assert_true(service_ns == 1000 || service_ns == 1001000);
        slow += service_ns > 1000;
    }
    assert_near(count[DISK_MODEL_ERROR], 0.1 * DRAWS, 0.04);
    assert_near(count[DISK_MODEL_SHORT], 0.05 * DRAWS, 0.05);
    assert_near(count[DISK_MODEL_STUCK], 0.02 * DRAWS, 0.08);
    assert_near(slow, 0.2 * DRAWS, 0.025);
    disk_model_law_destroy(law);
}

static void certain_fates_are_certain(void **state)
{
    static const char *const texts[] = {"", "error=1", "short=1", "stuck=1"};

    (void)state;
    for (uint32_t fate = 0; fate < 4; fate++) {
        struct disk_model_law *law = make(texts[fate]);

        for (int i = 0; i < 1000; i++)
            assert_int_equal(disk_model_law_arrive(law, 0, DISK_READ, 0, 512).fate, fate);
        disk_model_law_destroy(law);
    }
}

static int create(void *config)
{
    struct disk_model_law *law;
    int rc = disk_model_law_create(config, &law);
    assert_true((rc < 0) == (law == NULL));
    disk_model_law_destroy(law);
    return rc;
}

static void without_memory_there_is_no_law(void **state)
{
    struct disk_model_config config;
    struct why why;
    (void)state;
    assert_int_equal(disk_model_config_parse("mean=10us", &config, &why), 0);
    assert_int_equal(fault_walk(create, &config), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lognormal_has_its_moments),
        cmocka_unit_test(exponential_has_its_moments),
        cmocka_unit_test(fixed_is_fixed),
        cmocka_unit_test(lognormal_without_variation_is_fixed),
        cmocka_unit_test(a_tail_beyond_all_measure_is_cut),
        cmocka_unit_test(the_same_seed_gives_the_same_trace),
        cmocka_unit_test(the_generator_is_xoshiro256starstar),
        cmocka_unit_test(each_operation_has_its_time),
        cmocka_unit_test(scaling_the_mean_scales_the_trace),
        cmocka_unit_test(faults_change_no_service_times),
        cmocka_unit_test(fates_come_with_their_probabilities),
        cmocka_unit_test(certain_fates_are_certain),
        cmocka_unit_test(without_memory_there_is_no_law),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
