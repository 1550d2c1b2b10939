/* SPDX-License-Identifier: MIT */
/* sched: random traces against the rules of sched.h written out naively. */
#include "service/block/sched.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"

enum { W = SCHED_WINDOW_NS };

static uint32_t unit_cost(const struct sched_entity *e)
{
    (void)e;
    return 1;
}

enum { ENTITIES = 12 };

struct shadow {
    uint32_t peak[2]; /* present window, window before */
};

static bool shadow_is(const struct shadow *w, bool busy)
{
    uint32_t peak = w->peak[0] > w->peak[1] ? w->peak[0] : w->peak[1];

    return busy ? peak > SCHED_LIGHT_DEMAND : peak > 0 && peak <= SCHED_LIGHT_DEMAND;
}

static void shadow_look(struct shadow *w, const struct sched_entity *e)
{
    for (int i = 0; i < ENTITIES; i++)
        if (e[i].in_flight + e[i].queued > w[i].peak[0])
            w[i].peak[0] = e[i].in_flight + e[i].queued;
}

static void shadow_roll(struct shadow *w, const struct sched_entity *e)
{
    for (int i = 0; i < ENTITIES; i++) {
        w[i].peak[1] = w[i].peak[0];
        w[i].peak[0] = e[i].in_flight + e[i].queued;
    }
}

static void check_pick(struct sched *s, struct sched_entity *e, struct shadow *w, uint64_t now)
{
    bool light = false, busy = false, any = false, may[ENTITIES];
    uint32_t queued[ENTITIES], in_flight = 0, busy_in_flight = 0, depth;
    uint64_t vtime[ENTITIES];
    struct sched_entity *got;

    for (int i = 0; i < ENTITIES; i++) {
        light = light || shadow_is(&w[i], false);
        busy = busy || shadow_is(&w[i], true);
        in_flight += e[i].in_flight;
        busy_in_flight += shadow_is(&w[i], true) ? e[i].in_flight : 0;
        queued[i] = e[i].queued;
        vtime[i] = e[i].vtime;
    }
    depth = light && busy ? 6 : 16;
    assert_int_equal(sched_depth(s, now), depth);
    assert_int_equal(s->in_flight, in_flight);
    assert_int_equal(s->busy_in_flight, busy_in_flight);
    for (int i = 0; i < ENTITIES; i++) {
        may[i] = queued[i] > 0 && in_flight < depth &&
                 !(light && busy && busy_in_flight >= 5 && shadow_is(&w[i], true));
        any = any || may[i];
    }
    got = sched_pick(s, now, unit_cost);
    assert_int_equal(got != NULL, any); /* work-conserving, and no more than that */
    if (!got)
        return;
    assert_true(may[got - e]);
    for (int i = 0; i < ENTITIES; i++)
        if (may[i])
            assert_true((int64_t)(vtime[got - e] - vtime[i]) <= 0);
}

static void random_traces_keep_the_rules(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct sched s;
        struct sched_entity e[ENTITIES];
        struct shadow w[ENTITIES];
        uint64_t random = seed, now = 0, window = 0;

        memset(w, 0, sizeof(w));
        sched_init(&s, 16, 6);
        s.vtime = UINT64_MAX - (UINT64_C(1) << 33);
        for (int i = 0; i < ENTITIES; i++)
            sched_entity_init(&e[i], (uint32_t)(1 + prng_splitmix64(&random) % 1000));
        for (int step = 0; step < 20000; step++) {
            uint64_t i = prng_splitmix64(&random) % ENTITIES;
            uint64_t op = prng_splitmix64(&random) % 100;
            uint32_t limit = i % 3 == 0 ? 2 : i % 3 == 1 ? 4 : 30;

            now += prng_splitmix64(&random) % (W / 100);
            if (now - window >= W) {
                window += W;
                shadow_roll(w, e);
            }
            if (op < 30 && e[i].in_flight + e[i].queued < limit &&
                (uint64_t)(step / 3000) % 4 != i % 4)
                sched_enqueue(&s, &e[i], now);
            else if (op < 35 && e[i].queued > 0)
                sched_cancel(&s, &e[i]);
            else if (op < 65 && e[i].in_flight > 0)
                sched_complete(&s, &e[i], now);
            else if (op >= 65)
                check_pick(&s, e, w, now);
            shadow_look(w, e);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_traces_keep_the_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
