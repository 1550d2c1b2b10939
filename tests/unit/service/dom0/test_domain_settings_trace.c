/* SPDX-License-Identifier: MIT */
/* domain_settings: who is traced is asked to write down, and readers are told of each clock. */
#include "base/clock.h"
#include "trace/trace_reader.h"
#include "unit/service/dom0/domain_settings_fixture.h"

static struct tracer tracer;
static struct trace_reader reader;
static struct trace_record last;
static uint32_t count;

static int begin_tracer(void **state)
{
    int rc = setup(state);
    tracer_init(&tracer);
    f->host.tracer = &tracer;
    return rc;
}

static int end_tracer(void **state)
{
    (void)tracer_end(&tracer, &count);
    trace_reader_close(&reader);
    int rc = teardown(state);
    tracer_fini(&tracer);
    return rc;
}

static void begin_trace(uint32_t domid, uint32_t sample)
{
    int fd = tracer_begin(&tracer, &count, domid, sample);
    assert_true(fd >= 0);
    assert_int_equal(trace_reader_open(&reader, TRACE_DOM0_LANES, TRACE_DOM0_RECORDS, fd, true), 0);
    domain_settings_trace(f->domain);
    step();
}

static void keep(void *ctx, const struct trace_record *record)
{
    (void)ctx;
    last = *record;
    count++;
}

static void take(void)
{
    count = 0;
    (void)trace_reader_take(&reader, keep, NULL);
}

static void a_domain_that_is_traced_is_asked_for_its_half(void **state)
{
    char threshold[16];
    (void)state;
    begin_trace(DOMID, 10);
    snprintf(threshold, sizeof(threshold), "%u", trace_threshold(10));
    assert_string_equal(get("splitdom/trace"), threshold);
    assert_int_equal(f->domain->trace.threshold, trace_threshold(10));
    assert_int_equal(f->domain->settings.trace.threshold, trace_threshold(10));
    assert_ptr_equal(f->domain->settings.trace.writer, &tracer.writer);
    assert_true(tracer_end(&tracer, &count));
    domain_settings_trace(f->domain);
    assert_string_equal(get("splitdom/trace"), "0");
    assert_int_equal(f->domain->settings.trace.threshold, 0);
}

static void somebody_elses_trace_asks_nothing(void **state)
{
    (void)state;
    begin_trace(DOMID + 1, 1);
    assert_string_equal(get("splitdom/trace"), "(none)");
    take();
    assert_int_equal(count, 0);
}

static void each_rate_of_the_clock_is_told(void **state)
{
    (void)state;
    uint64_t before_ns = clock_monotonic_ns();
    begin_trace(0, 1);
    take();
    assert_int_equal(count, 1); /* as it is at the begin */
    assert_int_equal(last.kind, TRACE_CLOCK);
    assert_int_equal(last.domid, DOMID);
    assert_true(last.at_ns[0] >= before_ns && last.at_ns[0] <= clock_monotonic_ns());
    assert_int_equal(last.at_ns[1], tdf_clock_now_ns(&f->domain->clock));
    assert_true(last.at_ns[2] == 1 && last.at_ns[3] == 1);
    domain_settings_trace(f->domain); /* nothing has changed */
    take();
    assert_int_equal(count, 0);
    set("tdf", "5/2");
    take();
    assert_true(count >= 1);
    assert_true(last.at_ns[2] == 5 && last.at_ns[3] == 2);
}

static void who_is_not_traced_is_not_told_of(void **state)
{
    (void)state;
    begin_trace(0, 1);
    take();
    assert_true(tracer_end(&tracer, &count));
    domain_settings_trace(f->domain);
    take();
    set("tdf", "7");
    domain_settings_trace_clock(f->domain);
    take();
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_domain_that_is_traced_is_asked_for_its_half, begin_tracer,
                                        end_tracer),
        cmocka_unit_test_setup_teardown(somebody_elses_trace_asks_nothing, begin_tracer,
                                        end_tracer),
        cmocka_unit_test_setup_teardown(each_rate_of_the_clock_is_told, begin_tracer, end_tracer),
        cmocka_unit_test_setup_teardown(who_is_not_traced_is_not_told_of, begin_tracer, end_tracer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
