/* SPDX-License-Identifier: MIT */
/* cancelled: a call in a thread that has been cancelled (pthread_cancel) before it. */
#ifndef SPLITDOM_TESTS_FAKES_CANCELLED_H
#define SPLITDOM_TESTS_FAKES_CANCELLED_H

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct cancelled {
    void (*call)(void *ctx);
    void *ctx;
    bool returned;
};

static inline void *cancelled_main(void *arg)
{
    struct cancelled *c = arg;
    pthread_cancel(pthread_self());
    c->call(c->ctx);
    c->returned = true;
    pthread_testcancel();
    return NULL;
}

/* Does the call return, and the thread end behind it? */
static inline bool cancelled_returns(void (*call)(void *ctx), void *ctx)
{
    struct cancelled c = {.call = call, .ctx = ctx};
    pthread_t thread;
    void *result;
    if (pthread_create(&thread, NULL, cancelled_main, &c) != 0)
        abort();
    pthread_join(thread, &result);
    return c.returned && result == PTHREAD_CANCELED;
}

#endif
