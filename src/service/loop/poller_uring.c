/* SPDX-License-Identifier: MIT */
/*
 * poller_uring: the poller on one io_uring: a multishot poll per watch, and the operations of
 * others (the uring disk engine's reads) on the same ring, so that one system call submits reads
 * and waits for reads, doorbells, sockets and timers.
 *
 * DEFER_TASKRUN: completions are worked off only when this thread enters the kernel for them, never
 * by an interruption; TASKRUN_FLAG shows in shared memory that there are some, which makes an idle
 * poller_run free of system calls. SINGLE_ISSUER goes with it: the ring belongs to the thread that
 * created it (after a fork, in the child).
 *
 * The kernel names its completions by the 64 bits that we gave with the submission: a poller_op's
 * address, a watch's address + 1, or 0 for cancellations, whose result nobody needs: the poll that
 * was cancelled ends with a completion of its own, and only that one frees the watch.
 */
#include <errno.h>
#include <stddef.h>

#include "base/container_of.h"
#include "base/list.h"
#include "service/loop/poller.h"
#include "service/loop/poller_private.h"

#ifdef HAVE_LIBURING

#include <assert.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>

#define WATCH_TAG UINT64_C(1)

enum watch_todo { WATCH_IDLE, WATCH_ARM, WATCH_CANCEL };

struct poller_watch {
    struct list_node link;      /* in watches */
    struct list_node todo_link; /* in todo, unless the next is WATCH_IDLE */
    enum watch_todo todo;
    poller_fn *fn;
    void *ctx;
    int fd;
    uint32_t events;
    uint32_t failures; /* polls on end that the kernel ended without an event */
    bool is_armed;     /* a poll is, or is about to be, with the kernel: a last CQE will come */
    bool is_removed;   /* fn must not run any more */
    bool is_called;    /* fn is running */
};

enum { EVENTS_PER_RUN = 16, WATCH_RETRIES = 16 };

struct poller_uring {
    struct poller base;
    struct io_uring ring;
    struct list watches; /* all, also removed ones that wait for their last CQE */
    struct list todo;    /* got no SQE: retried by the next run */
};

static const struct poller_ops uring_ops;

static struct poller_uring *uring_of(struct poller *p)
{
    assert(p->ops == &uring_ops);
    return container_of(p, struct poller_uring, base);
}

static struct io_uring_sqe *get_sqe(struct poller_uring *pu)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&pu->ring);

    if (!sqe) {
        io_uring_submit(&pu->ring); /* a failure shows as a queue that is still full */
        sqe = io_uring_get_sqe(&pu->ring);
    }
    return sqe;
}

static uint64_t watch_tag(const struct poller_watch *watch)
{
    return (uint64_t)(uintptr_t)watch | WATCH_TAG;
}

static void free_watch(struct poller_watch *watch)
{
    list_remove(&watch->link);
    free(watch);
}

static void defer(struct poller_uring *pu, struct poller_watch *watch, enum watch_todo todo)
{
    watch->todo = todo;
    list_push_back(&pu->todo, &watch->todo_link);
}

static void arm(struct poller_uring *pu, struct poller_watch *watch)
{
    struct io_uring_sqe *sqe = get_sqe(pu);

    if (!sqe) {
        defer(pu, watch, WATCH_ARM);
        return;
    }
    /* Without IORING_POLL_ADD_LEVEL a multishot poll is edge-triggered. */
    io_uring_prep_poll_multishot(sqe, watch->fd, watch->events);
    io_uring_sqe_set_data64(sqe, watch_tag(watch));
    watch->is_armed = true;
}

/*
 * IORING_OP_ASYNC_CANCEL and not POLL_REMOVE: the latter refuses (EALREADY) a poll that has an
 * event on its way, and then the poll would stay.
 */
static void cancel(struct poller_uring *pu, struct poller_watch *watch)
{
    struct io_uring_sqe *sqe = get_sqe(pu);

    if (!sqe) {
        defer(pu, watch, WATCH_CANCEL);
        return;
    }
    io_uring_prep_cancel64(sqe, watch_tag(watch), 0);
    io_uring_sqe_set_data64(sqe, 0);
}

static void work_off_todo(struct poller_uring *pu)
{
    struct list todo_now = {0}; /* what gets no SQE again is for the next run */
    struct list_node *node;

    list_move_all(&todo_now, &pu->todo);
    while ((node = list_pop_front(&todo_now)) != NULL) {
        struct poller_watch *watch = container_of(node, struct poller_watch, todo_link);
        enum watch_todo todo = watch->todo;

        watch->todo = WATCH_IDLE;
        if (todo == WATCH_CANCEL && watch->is_armed)
            cancel(pu, watch);
        else if (watch->is_removed)
            free_watch(watch);
        else
            arm(pu, watch);
    }
}

static int uring_add(struct poller *p, int fd, uint32_t events, poller_fn *fn, void *ctx,
                     struct poller_watch **out)
{
    struct poller_uring *pu = uring_of(p);
    struct poller_watch *watch = calloc(1, sizeof(*watch));

    if (!watch)
        return -ENOMEM;
    watch->fn = fn;
    watch->ctx = ctx;
    watch->fd = fd;
    watch->events = events;
    list_push_front(&pu->watches, &watch->link);
    arm(pu, watch);
    *out = watch;
    return 0;
}

static void uring_remove(struct poller *p, struct poller_watch *watch)
{
    struct poller_uring *pu = uring_of(p);

    assert(!watch->is_removed);
    watch->is_removed = true;
    if (watch->is_armed)
        cancel(pu, watch);
    else if (!watch->is_called && watch->todo == WATCH_IDLE)
        free_watch(watch);
    /* else: whoever called fn, or the todo list, frees it */
}

/* Did the kernel end the poll for want of something, or with others (a cancellation by descriptor),
 * so that another one may go well? */
static bool may_try_again(struct poller_watch *watch, int32_t res)
{
    bool passes = res == -ECANCELED || res == -EAGAIN || res == -ENOMEM || res == -EBUSY;
    return passes && ++watch->failures <= WATCH_RETRIES;
}

static void call_watch(struct poller_watch *watch, int32_t res)
{
    watch->is_called = true;
    /* A poll that the kernel refuses (a closed fd) is an error of the fd. */
    watch->fn(watch->ctx, res < 0 ? POLLERR | POLLNVAL : (uint32_t)res);
    watch->is_called = false;
}

/* Returns 1 if fn was called. */
static int watch_event(struct poller_uring *pu, struct poller_watch *watch,
                       const struct io_uring_cqe *cqe)
{
    int called = 0;

    if (!(cqe->flags & IORING_CQE_F_MORE))
        watch->is_armed = false;
    if (cqe->res >= 0)
        watch->failures = 0;
    if (!watch->is_removed && !watch->is_armed && cqe->res < 0 && may_try_again(watch, cqe->res)) {
        defer(pu, watch, WATCH_ARM); /* by the next run */
        return 0;
    }
    if (!watch->is_removed) {
        call_watch(watch, cqe->res);
        called = 1;
    }
    if (watch->is_armed || watch->todo != WATCH_IDLE)
        return called;
    if (watch->is_removed)
        free_watch(watch);
    else if (cqe->res >= 0)
        /* The kernel ended it, as it does when the completion queue is full. Arming looks at the
         * fd's state, so nothing that came in between is lost. */
        arm(pu, watch);
    return called;
}

static int dispatch(struct poller_uring *pu, const struct io_uring_cqe *cqe)
{
    struct poller_op *op;

    if (cqe->user_data == 0)
        return 0;
    if (cqe->user_data & WATCH_TAG)
        return watch_event(pu, (struct poller_watch *)(uintptr_t)(cqe->user_data & ~WATCH_TAG),
                           cqe);
    op = (struct poller_op *)(uintptr_t)cqe->user_data;
    op->complete(op, cqe->res);
    return 1;
}

/*
 * Bounded by what is there now, and by EVENTS_PER_RUN: completions come in convoys, and whoever was
 * answered first may ask again long before the last one is. Each entry is copied and given back
 * before its callback runs, because that may submit, which may need room in the queue.
 */
static int dispatch_all(struct poller_uring *pu)
{
    unsigned int left = io_uring_cq_ready(&pu->ring);
    int called = 0;

    if (left > EVENTS_PER_RUN)
        left = EVENTS_PER_RUN;

    for (; left > 0; left--) {
        struct io_uring_cqe *head, cqe;

        if (io_uring_peek_cqe(&pu->ring, &head) != 0)
            break;
        cqe = *head;
        io_uring_cqe_seen(&pu->ring, head);
        called += dispatch(pu, &cqe);
    }
    return called;
}

static bool kernel_has_work(const struct poller_uring *pu)
{
    return (IO_URING_READ_ONCE(*pu->ring.sq.kflags) &
            (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

static int uring_run(struct poller *p, bool sleep)
{
    struct poller_uring *pu = uring_of(p);
    int called;

    do {
        bool is_waiting;
        int rc = 0;

        if (!list_is_empty(&pu->todo))
            work_off_todo(pu);
        is_waiting = sleep && io_uring_cq_ready(&pu->ring) == 0;
        if (is_waiting)
            rc = io_uring_submit_and_wait(&pu->ring, 1);
        else if (io_uring_sq_ready(&pu->ring) > 0 || kernel_has_work(pu))
            rc = io_uring_submit_and_get_events(&pu->ring);
        if (is_waiting && rc >= 0 && io_uring_cq_ready(&pu->ring) == 0)
            return 0; /* a signal, after something had been submitted */
        called = dispatch_all(pu);
        if (rc < 0 && called == 0)
            return rc == -EINTR ? 0 : rc;
        /* What came may all have been of removed watches: that is no reason to wake the caller. */
    } while (sleep && called == 0);
    return called;
}

static void uring_destroy(struct poller *p)
{
    struct poller_uring *pu = uring_of(p);

    struct list_node *node;

    io_uring_queue_exit(&pu->ring);
    while ((node = list_first(&pu->watches)) != NULL)
        free_watch(container_of(node, struct poller_watch, link));
    free(pu);
}

static const struct poller_ops uring_ops = {
    .name = "io_uring_enter",
    .destroy = uring_destroy,
    .add = uring_add,
    .remove = uring_remove,
    .run = uring_run,
};

int poller_uring_create(uint32_t sq_entries, uint32_t cq_entries, struct poller **out)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
        .cq_entries = cq_entries,
    };
    struct poller_uring *pu = calloc(1, sizeof(*pu));
    int rc;

    if (!pu)
        return -ENOMEM;
    pu->base.ops = &uring_ops;
    rc = io_uring_queue_init_params(sq_entries, &pu->ring, &params);
    if (rc < 0) {
        free(pu);
        return rc == -EINVAL ? -ENOSYS : rc; /* flags that this kernel is too old for */
    }
    *out = &pu->base;
    return 0;
}

struct io_uring *poller_uring(struct poller *p)
{
    return p->ops == &uring_ops ? &uring_of(p)->ring : NULL;
}

struct io_uring_sqe *poller_uring_sqe(struct poller *p, struct poller_op *op)
{
    struct io_uring_sqe *sqe = get_sqe(uring_of(p));

    /* The functions that fill an SQE leave user_data alone. */
    if (sqe)
        io_uring_sqe_set_data(sqe, op);
    return sqe;
}

int poller_uring_submit(struct poller *p)
{
    int rc = io_uring_submit(&uring_of(p)->ring);

    return rc < 0 ? rc : 0;
}

#else /* !HAVE_LIBURING */

int poller_uring_create(uint32_t sq_entries, uint32_t cq_entries, struct poller **out)
{
    (void)sq_entries;
    (void)cq_entries;
    (void)out;
    return -ENOSYS;
}

struct io_uring *poller_uring(struct poller *p)
{
    (void)p;
    return NULL;
}

struct io_uring_sqe *poller_uring_sqe(struct poller *p, struct poller_op *op)
{
    (void)p;
    (void)op;
    return NULL;
}

int poller_uring_submit(struct poller *p)
{
    (void)p;
    return -ENOSYS;
}

#endif
