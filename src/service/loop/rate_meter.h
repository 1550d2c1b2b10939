/* SPDX-License-Identifier: MIT */
/*
 * rate_meter: how many of something there were in the last complete second of CLOCK_MONOTONIC,
 * beside a count that only grows. Zeroed at first.
 *
 * Pure bookkeeping: the caller has the clock and the count. Whoever adds to the count calls
 * rate_meter_note before, so that each second's end is seen with the count that it ended with. A
 * second in which nothing was added needs no call.
 */
#ifndef SPLITDOM_SERVICE_LOOP_RATE_METER_H
#define SPLITDOM_SERVICE_LOOP_RATE_METER_H

#include <stdbool.h>
#include <stdint.h>

#define RATE_METER_SECOND_NS UINT64_C(1000000000)

struct rate_meter {
    uint64_t end_ns;       /* of the present second; 0: there was none yet */
    uint64_t count_before; /* at its begin */
    uint64_t rate;         /* of the second before */
};

static inline void rate_meter_next_second(struct rate_meter *meter, uint64_t now_ns, uint64_t count)
{
    bool follows = meter->end_ns != 0 && now_ns - meter->end_ns < RATE_METER_SECOND_NS;
    meter->rate = follows ? count - meter->count_before : 0;
    meter->count_before = count;
    meter->end_ns = (now_ns / RATE_METER_SECOND_NS + 1) * RATE_METER_SECOND_NS;
}

/* It is now_ns, and count is about to grow. */
static inline void rate_meter_note(struct rate_meter *meter, uint64_t now_ns, uint64_t count)
{
    if (now_ns >= meter->end_ns)
        rate_meter_next_second(meter, now_ns, count);
}

/* Of the last complete second, as seen at now_ns with this count. */
static inline uint64_t rate_meter_read(const struct rate_meter *meter, uint64_t now_ns,
                                       uint64_t count)
{
    struct rate_meter copy = *meter;
    rate_meter_note(&copy, now_ns, count);
    return copy.rate;
}

#endif
