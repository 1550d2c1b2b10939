/* SPDX-License-Identifier: MIT */
/* poller: what only io_uring does, and what the kernel can do to its polls. */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fakes/valgrind.h"
#include "faults/fault_walk.h"
#include "unit/service/loop/poller_seen.h"

#ifdef HAVE_LIBURING
#include <liburing.h>

static void uring_tells_what_the_kernel_says_for_good(void **state)
{
    struct poller *p = poller_or_skip(state);
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int ring_fd = poller_uring(p)->ring_fd, kept = dup(ring_fd);
    struct seen seen;

    assert_true(null_fd >= 0 && kept >= 0);
    open_seen(&seen, p); /* something to be submitted */
    assert_int_equal(dup2(null_fd, ring_fd), ring_fd);
    int rc = poller_run(p, false), again = poller_run(p, true);
    assert_int_equal(dup2(kept, ring_fd), ring_fd);
    assert_int_equal(rc, -EOPNOTSUPP); /* of io_uring_enter on what is none */
    assert_int_equal(again, rc);
    assert_string_equal(poller_failure(p), "io_uring_enter");
    close_seen(&seen);
    close(kept);
    close(null_fd);
}

static void uring_tells_a_watch_that_has_ended(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen seen = {.poller = p, .fd = 1000}; /* not open */

    assert_int_equal(poller_add(p, seen.fd, POLLIN, on_event, &seen, &seen.watch), 0);
    assert_int_equal(poller_run(p, true), 1);
    assert_int_equal(seen.revents, POLLERR | POLLNVAL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(poller_run(p, false), 0);
    poller_remove(p, seen.watch);
}

static void ignore(struct poller_op *op, int32_t res)
{
    (void)op;
    (void)res;
}

/* Ends the polls of a descriptor behind the poller's back. */
static void end_polls_of(struct poller *p, int fd)
{
    static struct poller_op op = {.complete = ignore};
    struct io_uring_sqe *sqe = poller_uring_sqe(p, &op);

    assert_non_null(sqe);
    io_uring_prep_cancel_fd(sqe, fd, IORING_ASYNC_CANCEL_ALL);
    assert_int_equal(poller_uring_submit(p), 0);
    while (poller_run(p, false) > 0)
        continue;
}

static void uring_makes_a_poll_again_that_the_kernel_has_ended(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen seen;

    open_seen(&seen, p);
    assert_int_equal(poller_run(p, false), 0);
    for (int i = 1; i <= 40; i++) { /* each event begins the count anew */
        end_polls_of(p, seen.fd);
        assert_int_equal(seen.calls, i - 1);
        ring_bell(&seen);
        while (seen.calls < i)
            assert_true(poller_run(p, true) >= 0);
        assert_int_equal(seen.revents, POLLIN);
        eventfd_t value;
        assert_int_equal(eventfd_read(seen.fd, &value), 0); /* so that a new poll is no edge */
    }
    close_seen(&seen);
}

static void uring_does_not_make_a_poll_again_for_ever(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen seen;
    int ends = 0;

    open_seen(&seen, p);
    assert_int_equal(poller_run(p, false), 0);
    while (seen.calls == 0 && ends < 1000) {
        end_polls_of(p, seen.fd);
        ends++;
    }
    assert_in_range(ends, 2, 100);
    assert_int_equal(seen.revents, POLLERR | POLLNVAL);
    close_seen(&seen);
}

static void uring_tells_an_fd_that_cant_be_polled(void **state)
{
    struct poller *p = poller_or_skip(state);
    struct seen seen = {.poller = p};
    FILE *file = tmpfile();

    assert_non_null(file);
    assert_int_equal(poller_add(p, fileno(file), POLLIN, on_event, &seen, &seen.watch), 0);
    assert_int_equal(poller_run(p, true), 1);
    assert_true(seen.revents & (POLLERR | POLLIN));
    poller_remove(p, seen.watch);
    assert_int_equal(poller_run(p, false), 0);
    fclose(file);
}

struct nop {
    struct poller_op op;
    struct poller *poller;
    int completed;
    int left; /* submits itself again that many times */
};

static void on_nop(struct poller_op *op, int32_t res)
{
    struct nop *nop = (struct nop *)op;
    struct io_uring_sqe *sqe;

    assert_int_equal(res, 0);
    nop->completed++;
    if (nop->left-- <= 0)
        return;
    sqe = poller_uring_sqe(nop->poller, &nop->op);
    assert_non_null(sqe);
    io_uring_prep_nop(sqe);
    assert_int_equal(poller_uring_submit(nop->poller), 0);
}

static void operations_of_others_complete_on_the_ring(void **state)
{
    struct poller *p = poller_or_skip(state);
    static struct nop nops[1000]; /* more than the submission queue holds */
    int called = 0;

    memset(nops, 0, sizeof(nops));
    assert_non_null(poller_uring(p));
    for (int i = 0; i < 1000; i++) {
        struct io_uring_sqe *sqe;

        nops[i] = (struct nop){.op.complete = on_nop, .poller = p, .left = i == 0 ? 3 : 0};
        sqe = poller_uring_sqe(p, &nops[i].op);
        assert_non_null(sqe);
        io_uring_prep_nop(sqe);
    }
    assert_int_equal(poller_uring_submit(p), 0);
    while (called < 1003) {
        int rc = poller_run(p, true);

        assert_true(rc > 0);
        called += rc;
    }
    assert_int_equal(poller_run(p, false), 0);
    assert_int_equal(nops[0].completed, 4);
    for (int i = 1; i < 1000; i++)
        assert_int_equal(nops[i].completed, 1);
}

/* With the completion queue full of other things the kernel ends a poll: it has to be re-armed. */
static void an_overflowing_completion_queue_loses_nothing(void **state)
{
    static struct nop nops[40];
    struct poller *p = NULL;
    struct seen seen[4];

    poller_or_skip(state);
    assert_int_equal(poller_uring_create(8, 16, &p), 0);
    for (int i = 0; i < 4; i++)
        open_seen(&seen[i], p);
    assert_int_equal(poller_run(p, false), 0);
    for (int round = 0; round < 3; round++) {
        memset(nops, 0, sizeof(nops));
        for (int i = 0; i < 40; i++) {
            nops[i].op.complete = on_nop;
            io_uring_prep_nop(poller_uring_sqe(p, &nops[i].op));
        }
        assert_int_equal(poller_uring_submit(p), 0);
        for (int i = 0; i < 4; i++) {
            seen[i].calls = 0;
            ring_bell(&seen[i]);
        }
        while (poller_run(p, false) > 0)
            ;
        for (int i = 0; i < 4; i++)
            assert_true(seen[i].calls >= 1);
        for (int i = 0; i < 40; i++)
            assert_int_equal(nops[i].completed, 1);
    }
    for (int i = 0; i < 4; i++)
        close_seen(&seen[i]);
    poller_destroy(p);
}

/* A place in the submission queue has kept what it was used for last. */
static void the_end_of_a_watch_is_told_to_nobody(void **state)
{
    enum { PLACES = 8 };
    static struct nop nops[PLACES];
    struct poller *p = NULL;
    struct seen seen;

    poller_or_skip(state);
    assert_int_equal(poller_uring_create(PLACES, 2 * PLACES, &p), 0);
    memset(nops, 0, sizeof(nops));
    for (int round = 0; round < 2 * PLACES; round++) { /* each place is that of a cancel once */
        for (int i = 0; i < PLACES; i++) {
            nops[i].op.complete = on_nop;
            io_uring_prep_nop(poller_uring_sqe(p, &nops[i].op));
        }
        assert_int_equal(poller_uring_submit(p), 0);
        while (poller_run(p, false) > 0)
            ;
        open_seen(&seen, p);
        assert_int_equal(poller_run(p, false), 0);
        close_seen(&seen);
        assert_int_equal(poller_run(p, false), 0);
        for (int i = 0; i < PLACES; i++)
            assert_int_equal(nops[i].completed, round + 1);
    }
    poller_destroy(p);
}

/* From here on any system call but exit_group ends the process. */
static int forbid_system_calls(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    const struct sock_fprog program = {.len = 4, .filter = filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void an_idle_run_makes_no_system_call(void **state)
{
    pid_t pid;
    int status;

    poller_or_skip(state);
    if (under_valgrind())
        skip(); /* which makes system calls of its own */
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct poller *p; /* a ring belongs to the process that created it */
        struct poller_watch *watch;
        int fd = eventfd(0, EFD_CLOEXEC);

        if (poller_create(POLLER_URING, &p) || poller_add(p, fd, POLLIN, on_event, NULL, &watch) ||
            poller_run(p, false) != 0)
            _exit(1);
        if (forbid_system_calls() < 0)
            _exit(2);
        for (int i = 0; i < 1000; i++)
            if (poller_run(p, false) != 0)
                syscall(SYS_exit_group, 3);
        syscall(SYS_exit_group, 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void uring_that_lacks_something_leaves_nothing(void **state)
{
    enum poller_kind kind = POLLER_URING;
    (void)poller_or_skip(state);
    assert_int_equal(fault_walk(make_poller, &kind), 4);
}

static void a_kernel_that_is_too_old_has_no_uring(void **state)
{
    struct poller *p;
    (void)poller_or_skip(state);
    fault_arm_call("io_uring_queue_init_params", 1, EINVAL);
    int rc = poller_create(POLLER_URING, &p);
    fault_disarm();
    assert_int_equal(rc, -ENOSYS); /* the caller takes the other kind then */
}

/* A ring with room for one entry, and a kernel that takes none for a while. */
static struct poller *full_uring(void **state, struct seen *seen)
{
    struct poller *p;
    (void)poller_or_skip(state);
    assert_int_equal(poller_uring_create(1, 8, &p), 0);
    open_seen(&seen[0], p);
    fault_arm_call("io_uring_submit", 0, EBUSY);
    open_seen(&seen[1], p);
    open_seen(&seen[2], p);
    return p;
}

static void polls_without_room_are_made_when_there_is_some(void **state)
{
    struct seen seen[3];
    struct poller *p = full_uring(state, seen);
    fault_disarm();
    assert_true(poller_run(p, false) >= 0);
    for (int i = 0; i < 3; i++) {
        ring_bell(&seen[i]);
        while (seen[i].calls == 0)
            assert_true(poller_run(p, false) >= 0);
        close_seen(&seen[i]);
    }
    poller_destroy(p);
}

static void polls_without_room_can_be_removed(void **state)
{
    struct seen seen[3];
    struct poller *p = full_uring(state, seen);
    close_seen(&seen[1]); /* never made */
    close_seen(&seen[0]); /* its cancellation has no room either */
    fault_disarm();
    ring_bell(&seen[2]);
    while (seen[2].calls == 0)
        assert_true(poller_run(p, false) >= 0);
    assert_int_equal(seen[0].calls + seen[1].calls, 0);
    close_seen(&seen[2]);
    poller_destroy(p);
}

/* What was made is cancelled when there is room, and not before. */
static void a_cancellation_without_room_is_made_when_there_is_some(void **state)
{
    struct poller *p;
    struct seen seen[2];
    (void)poller_or_skip(state);
    assert_int_equal(poller_uring_create(1, 8, &p), 0);
    open_seen(&seen[0], p);
    assert_int_equal(poller_run(p, false), 0);
    open_seen(&seen[1], p); /* which takes the room */
    fault_arm_call("io_uring_submit", 0, EBUSY);
    poller_remove(p, seen[0].watch);
    fault_disarm();
    ring_bell(&seen[0]);
    ring_bell(&seen[1]);
    while (seen[1].calls == 0)
        assert_true(poller_run(p, false) >= 0);
    assert_int_equal(seen[0].calls, 0);
    assert_int_equal(poller_run(p, false), 0);
    close(seen[0].fd);
    close_seen(&seen[1]);
    poller_destroy(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_URING(uring_tells_what_the_kernel_says_for_good),
        WITH_URING(uring_tells_a_watch_that_has_ended),
        WITH_URING(uring_makes_a_poll_again_that_the_kernel_has_ended),
        WITH_URING(uring_does_not_make_a_poll_again_for_ever),
        WITH_URING(uring_tells_an_fd_that_cant_be_polled),
        WITH_URING(operations_of_others_complete_on_the_ring),
        WITH_URING(an_overflowing_completion_queue_loses_nothing),
        WITH_URING(the_end_of_a_watch_is_told_to_nobody),
        WITH_URING(an_idle_run_makes_no_system_call),
        WITH_URING(uring_that_lacks_something_leaves_nothing),
        WITH_URING(a_kernel_that_is_too_old_has_no_uring),
        WITH_URING(polls_without_room_are_made_when_there_is_some),
        WITH_URING(polls_without_room_can_be_removed),
        WITH_URING(a_cancellation_without_room_is_made_when_there_is_some),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    puts("built without liburing");
    return 77;
}

#endif
