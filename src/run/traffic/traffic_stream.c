/* SPDX-License-Identifier: MIT */
#include "run/traffic/traffic_stream.h"

#include <string.h>

static uint64_t *word_of(struct traffic_stream *stream, uint64_t number)
{
    return &stream->window[number % TRAFFIC_WINDOW / 64];
}

static uint64_t bit_of(uint64_t number)
{
    return UINT64_C(1) << (number % 64);
}

/* The window moves on: numbers that are new in it have not come. */
static void advance(struct traffic_stream *stream, uint64_t number)
{
    if (number - stream->next >= TRAFFIC_WINDOW)
        memset(stream->window, 0, sizeof(stream->window));
    else
        for (uint64_t n = stream->next; n <= number; n++)
            *word_of(stream, n) &= ~bit_of(n);
    stream->next = number + 1;
}

void traffic_stream_take(struct traffic_stream *stream, uint64_t number, uint32_t length_bytes)
{
    if (number == UINT64_MAX) /* nobody has sent so many */
        return;
    if (number >= stream->next) {
        advance(stream, number);
    } else if (stream->next - number > TRAFFIC_WINDOW) {
        stream->too_late++;
        return;
    } else if ((*word_of(stream, number) & bit_of(number)) != 0) {
        stream->duplicates++;
        return;
    } else {
        stream->reordered++;
    }
    *word_of(stream, number) |= bit_of(number);
    stream->unique++;
    stream->bytes += length_bytes;
}

void traffic_stream_end(struct traffic_stream *stream, uint64_t total)
{
    stream->ended = true;
    stream->total = total;
}

uint64_t traffic_stream_expected(const struct traffic_stream *stream)
{
    return stream->ended && stream->total > stream->next ? stream->total : stream->next;
}

uint64_t traffic_stream_lost(const struct traffic_stream *stream)
{
    return traffic_stream_expected(stream) - stream->unique;
}
