/* SPDX-License-Identifier: MIT */
/* pipe_fixture: frames through a pipe whose clock the test moves. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_NET_PIPE_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_NET_PIPE_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net_fixture.h"
#include "service/net/pipe.h"

enum { FRAMES = 20000 };

static struct fixture_port f;

/* What came out: the number that a frame carries, and when. */
static struct {
    uint32_t number[2 * FRAMES];
    uint64_t due_ns[2 * FRAMES];
    uint32_t count;
} seen;

static inline uint32_t number_of(const struct net_frame *frame)
{
    uint32_t number;
    memcpy(&number, frame->data + 14, sizeof(number));
    return number;
}

static inline void out(struct net_pipe *pipe, struct net_port *port, struct net_frame *frame,
                       uint64_t due_ns)
{
    (void)pipe;
    assert_ptr_equal(port, &f.port);
    assert_true(seen.count < 2 * FRAMES);
    seen.number[seen.count] = number_of(frame);
    seen.due_ns[seen.count++] = due_ns;
}

static inline void put(struct net_pipe *pipe, uint32_t number, uint32_t bytes, uint64_t now_ns)
{
    struct net_frame *frame = fixture_frame(2, 4, 0x88b5, bytes);
    memcpy(frame->data + 14, &number, sizeof(number));
    net_pipe_put(pipe, &f.port, frame, now_ns);
    net_frame_put(frame);
}

static inline void begin(void)
{
    fixture_init(&f, "vif1.0", 256);
    seen.count = 0;
}

#endif
