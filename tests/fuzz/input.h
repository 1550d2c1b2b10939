/* SPDX-License-Identifier: MIT */
/* input: the bytes that a fuzzer made up, taken from the front; zeros behind their end. */
#ifndef SPLITDOM_TESTS_FUZZ_INPUT_H
#define SPLITDOM_TESTS_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An assertion that no build leaves out. */
static inline void require(bool condition)
{
    if (!condition)
        abort();
}

struct input {
    const uint8_t *data;
    size_t left;
};

static inline uint8_t take(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->data++;
}

static inline uint16_t take_u16(struct input *in)
{
    uint32_t high = take(in);
    return (uint16_t)(high << 8 | take(in));
}

static inline uint32_t take_u32(struct input *in)
{
    uint32_t high = take_u16(in);
    return high << 16 | take_u16(in);
}

/* Copies max bytes, or what there is. Returns how many. */
static inline size_t take_bytes(struct input *in, void *out, size_t max)
{
    size_t n = max < in->left ? max : in->left;
    memcpy(out, in->data, n);
    in->data += n;
    in->left -= n;
    return n;
}

#endif
