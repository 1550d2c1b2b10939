/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/block/engine/nbd_patience.h"

#define MS UINT64_C(1000000)

static struct nbd_patience make(void)
{
    return (struct nbd_patience){.limit_ns = 1000 * MS};
}

static void the_first_try_is_at_once(void **state)
{
    struct nbd_patience p = make();
    (void)state;
    assert_false(nbd_patience_is_over(&p, 1000000 * MS)); /* nothing has happened yet */
    nbd_patience_lose(&p, false, 7 * MS);
    assert_int_equal(p.try_ns, 7 * MS);
}

static void pauses_double_up_to_the_longest(void **state)
{
    static const uint64_t wanted_ms[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
    struct nbd_patience p = make();
    uint64_t now_ns = 5 * MS;
    (void)state;
    nbd_patience_lose(&p, false, now_ns);
    for (size_t i = 0; i < sizeof(wanted_ms) / sizeof(wanted_ms[0]); i++) {
        nbd_patience_fail(&p, now_ns);
        assert_int_equal(p.try_ns, now_ns + wanted_ms[i] * MS);
        now_ns = p.try_ns;
    }
}

static void it_is_over_after_the_limit(void **state)
{
    struct nbd_patience p = make();
    (void)state;
    nbd_patience_lose(&p, false, 50 * MS);
    assert_false(nbd_patience_is_over(&p, 1050 * MS - 1));
    assert_true(nbd_patience_is_over(&p, 1050 * MS));
}

/* Else a server that dies of each command would be waited for for ever. */
static void a_connection_alone_is_no_end_of_an_outage(void **state)
{
    struct nbd_patience p = make();
    (void)state;
    nbd_patience_lose(&p, false, 0);
    nbd_patience_lose(&p, false, 600 * MS); /* there was one in between */
    assert_int_equal(p.try_ns, 700 * MS);
    assert_true(nbd_patience_is_over(&p, 1000 * MS));
}

/* Else a disk that nobody uses would have no patience at its server's second restart. */
static void a_connection_that_lasts_ends_it(void **state)
{
    struct nbd_patience p = make();
    (void)state;
    assert_true(nbd_patience_lose(&p, false, 7 * MS));
    assert_false(nbd_patience_lose(&p, false, 5006 * MS));
    assert_true(nbd_patience_lose(&p, false, p.try_ns + 5000 * MS));
    assert_int_equal(p.try_ns, p.since_ns);
    assert_false(nbd_patience_is_over(&p, p.since_ns + 999 * MS));
}

/* Else what is asked first after a long rest would have no patience. */
static void what_is_asked_after_that_belongs_to_another(void **state)
{
    struct nbd_patience p = make();
    (void)state;
    nbd_patience_lose(&p, false, 7 * MS);
    nbd_patience_connect(&p, 6000 * MS); /* the try took its time: that is no rest */
    nbd_patience_ask(&p, 10999 * MS);
    assert_false(nbd_patience_lose(&p, true, 10999 * MS));
    uint64_t asked_ns = 16000 * MS;
    nbd_patience_connect(&p, 11000 * MS);
    nbd_patience_ask(&p, asked_ns);
    assert_true(nbd_patience_cut(&p, asked_ns, asked_ns + 500 * MS));
    assert_int_equal(p.since_ns, asked_ns);
    assert_false(nbd_patience_is_over(&p, asked_ns + 999 * MS));
}

static void an_answer_ends_it(void **state)
{
    struct nbd_patience p = make();
    (void)state;
    nbd_patience_lose(&p, false, 0);
    nbd_patience_fail(&p, 0);
    nbd_patience_answer(&p);
    assert_false(nbd_patience_is_over(&p, 5000 * MS));
    nbd_patience_lose(&p, false, 6000 * MS);
    assert_int_equal(p.try_ns, 6000 * MS); /* the pauses begin anew */
    assert_false(nbd_patience_is_over(&p, 6999 * MS));
}

/* Else one that takes what is asked, and ends or is cut long after, would begin a new outage. */
static void nor_one_that_lasts_and_answers_nothing(void **state)
{
    struct nbd_patience p = make();
    (void)state;
    assert_true(nbd_patience_lose(&p, true, 7 * MS));
    assert_false(nbd_patience_lose(&p, true, 7000 * MS));
    assert_false(nbd_patience_cut(&p, 8000 * MS, 9000 * MS));
    assert_int_equal(p.since_ns, 7 * MS);
    assert_true(p.try_ns > 9000 * MS);
    nbd_patience_answer(&p);
    assert_true(nbd_patience_cut(&p, 20000 * MS, 20500 * MS));
    assert_int_equal(p.since_ns, 20000 * MS); /* that long it has waited already */
    assert_int_equal(p.try_ns, 20500 * MS);
    assert_true(nbd_patience_is_over(&p, 21000 * MS));
}

/* Else a server that answers once and ends would be connected to without end. */
static void a_connection_that_did_not_last_is_followed_by_a_pause(void **state)
{
    struct nbd_patience p = make();
    (void)state;
    nbd_patience_lose(&p, false, 10000 * MS);
    nbd_patience_answer(&p);
    nbd_patience_lose(&p, false, 14999 * MS);
    assert_int_equal(p.try_ns, 15099 * MS);
    nbd_patience_answer(&p);
    nbd_patience_lose(&p, false, 20099 * MS);
    assert_int_equal(p.try_ns, 20099 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_try_is_at_once),
        cmocka_unit_test(pauses_double_up_to_the_longest),
        cmocka_unit_test(it_is_over_after_the_limit),
        cmocka_unit_test(a_connection_alone_is_no_end_of_an_outage),
        cmocka_unit_test(a_connection_that_lasts_ends_it),
        cmocka_unit_test(what_is_asked_after_that_belongs_to_another),
        cmocka_unit_test(nor_one_that_lasts_and_answers_nothing),
        cmocka_unit_test(an_answer_ends_it),
        cmocka_unit_test(a_connection_that_did_not_last_is_followed_by_a_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
