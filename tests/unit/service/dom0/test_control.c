/* SPDX-License-Identifier: MIT */
/* control: domains begin and end with their connections, and so does Dom0. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "faults/fault_walk.h"
#include "unit/service/dom0/control_fixture.h"

/* As of a service that was started without a standard input. */
static void any_descriptor_may_hold_the_status(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    assert_int_equal(call(f, fd, CONTROL_STATUS, 0, &reply), 1); /* the connection is taken */
    int input = dup(0);
    ask(fd, CONTROL_STATUS, 0);
    close(0);
    run(f);
    assert_int_equal(fcntl(0, F_GETFD), -1); /* that of the status was sent and closed */
    assert_int_equal(dup2(input, 0), 0);
    close(input);
    assert_int_equal(reply_of(fd, &reply), 1);
    assert_int_equal(reply.status, 0);
}

static void a_domain_lives_as_long_as_its_connection(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    assert_int_equal(call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply), 2);
    assert_int_equal(reply.status, 0);
    assert_int_equal(reply.arg0, 1);
    assert_int_equal(call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply), 0);
    assert_int_equal(reply.status, -EEXIST);
    assert_int_equal(f->ended, 0);
    hang_up(f, fd);
    run(f);
    assert_int_equal(f->created, 1);
    assert_int_equal(f->pid, getpid()); /* who asks is in this process */
    assert_int_equal(f->ended, 1);
}

/* As a poll that the kernel has ended is told: no edge tells of anything any more. */
static void a_connection_that_cannot_be_watched_ends_with_its_domain(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    struct event_tap tap;
    int fd = dial(f);
    assert_true(poller_run(f->poller, false) > 0);
    event_tap_open(&tap, f->poller);
    (void)control_run(f->control); /* takes the connection */
    event_tap_close(&tap);
    assert_int_equal(call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply), 2);
    event_tap_tell(&tap, POLLERR | POLLNVAL);
    run(f);
    assert_int_equal(f->ended, 1);
    assert_int_equal(reply_of(fd, &reply), -1);
    hang_up(f, fd);
}

static void a_listener_that_cannot_be_watched_ends_the_poller(void **state)
{
    struct fixture *f = *state;
    struct control *second;
    struct event_tap tap;
    char path[sizeof(f->socket) + 2];
    snprintf(path, sizeof(path), "%s.2", f->socket);
    event_tap_open(&tap, f->poller);
    assert_int_equal(control_create(path, f->poller, f->log, PEERS_MAX, &ops, f, &second), 0);
    event_tap_close(&tap);
    event_tap_tell(&tap, POLLERR);
    assert_int_equal(poller_run(f->poller, false), -EIO);
    assert_non_null(strstr(poller_failure(f->poller), "dom0.sock"));
    control_destroy(second);
}

static void hypercalls_are_for_domains(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    assert_int_equal(call(f, fd, CONTROL_EVTCHN_ALLOC_UNBOUND, 0, &reply), 0);
    assert_int_equal(reply.status, -ENODEV);
    assert_int_equal(call(f, fd, CONTROL_MAPPED, 0, &reply), 0);
    assert_int_equal(reply.status, -ENODEV);
    assert_int_equal(f->mapped, 0);
    (void)call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply);
    (void)call(f, fd, CONTROL_MAPPED, 0, &reply);
    assert_int_equal(reply.status, 0);
    (void)call(f, fd, CONTROL_MAPPED, 0, &reply);
    assert_int_equal(reply.status, -EALREADY);
    (void)call(f, fd, CONTROL_EVTCHN_ALLOC_UNBOUND, 1, &reply);
    assert_int_equal(reply.status, 0);
    assert_int_equal(reply.arg0, 7);
    (void)call(f, fd, CONTROL_EVTCHN_ALLOC_UNBOUND, 2, &reply);
    assert_int_equal(reply.status, -EINVAL);
    assert_int_equal(reply.arg0, 0);
    (void)call(f, fd, CONTROL_EVTCHN_CLOSE, 7, &reply);
    assert_int_equal(reply.status, 0);
    (void)call(f, fd, CONTROL_EVTCHN_CLOSE, 0xffffffff, &reply);
    assert_int_equal(reply.status, -EINVAL);
    (void)call(f, fd, 99, 0, &reply);
    assert_int_equal(reply.status, -ENOSYS);
}

static void who_is_destroyed_hears_it(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int domain = dial(f), other = dial(f);
    (void)call(f, domain, CONTROL_CREATE_DOMAIN, 16, &reply);
    (void)call(f, other, CONTROL_DESTROY, 9, &reply);
    assert_int_equal(reply.status, -ENOENT);
    (void)call(f, domain, CONTROL_DESTROY, 1, &reply);
    assert_int_equal(reply.status, -EPERM);
    assert_int_equal(f->ended, 0);
    (void)call(f, other, CONTROL_DESTROY, 1, &reply);
    assert_int_equal(reply.status, 0);
    assert_int_equal(f->ended, 1);
    assert_int_equal(reply_of(domain, &reply), 0);
    assert_int_equal(reply.status, -ESHUTDOWN);
    assert_int_equal(reply_of(domain, &reply), -1);
}

static void a_domain_cannot_end_the_service(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    (void)call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply);
    assert_int_equal(call(f, fd, CONTROL_STOP, 0, &reply), 0);
    assert_int_equal(reply.status, -EPERM);
    assert_int_equal(f->stops, 0);
    /* It lives on, and what it asked has no other effect. */
    assert_int_equal(call(f, fd, CONTROL_EVTCHN_ALLOC_UNBOUND, 1, &reply), 0);
    assert_int_equal(reply.status, 0);
    control_quiesce(f->control);
    assert_int_equal(f->ended, 1);
}

static void stopping_ends_domains_first_and_then_answers(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int domain = dial(f), asker = dial(f);
    (void)call(f, domain, CONTROL_CREATE_DOMAIN, 16, &reply);
    ask(asker, CONTROL_STOP, 0);
    run(f);
    assert_int_equal(f->stops, 1);
    control_quiesce(f->control);
    assert_int_equal(f->ended, 1);
    assert_int_equal(reply_of(domain, &reply), -1);
    assert_int_equal(recv(asker, &reply, sizeof(reply), MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    control_accept_again(f->control); /* no socket any more */
    control_farewell(f->control, 0, 12);
    assert_int_equal(reply_of(asker, &reply), 1);
    assert_int_equal(reply.arg0, 12);
}

static void dropping_a_domain_ends_it_once(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    (void)call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply);
    control_drop_domain(f->control, &f->domains[0]);
    assert_int_equal(f->ended, 1);
    assert_int_equal(reply_of(fd, &reply), -1);
    control_drop_domain(f->control, &f->domains[0]); /* nobody's any more */
    run(f);
    assert_int_equal(f->ended, 1);
}

static void what_a_domain_shares_with_dom0_comes_as_a_file(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    assert_int_equal(call(f, fd, CONTROL_SHARED_CACHE, 51712, &reply), 0);
    assert_int_equal(reply.status, -ENODEV); /* no domain */
    (void)call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply);
    assert_int_equal(call(f, fd, CONTROL_SHARED_CACHE, 51712, &reply), 1);
    assert_true(reply.status == 0 && reply.arg0 == 0 && reply.arg1 == 0);
    assert_int_equal(call(f, fd, CONTROL_SHARED_CACHE, 51728, &reply), 0);
    assert_int_equal(reply.status, -ENODEV);
    assert_true(reply.arg0 == 0 && reply.reason[0] != '\0');
    assert_int_equal(call(f, fd, CONTROL_TRACE_MEMORY, 0, &reply), 1);
    assert_true(reply.status == 0 && reply.arg0 == 0 && reply.arg1 == 0);
}

static int trace_of(struct fixture *f, int fd, uint32_t domid, struct control_reply *reply)
{
    const struct control_request request = {.magic = CONTROL_MAGIC,
                                            .version = CONTROL_VERSION,
                                            .op = CONTROL_TRACE,
                                            .arg0 = domid,
                                            .tdf_num = 10};
    assert_int_equal(send(fd, &request, sizeof(request), MSG_NOSIGNAL), sizeof(request));
    run(f);
    return reply_of(fd, reply);
}

static void a_trace_ends_with_the_connection_that_began_it(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int other = dial(f), fd = dial(f);
    assert_int_equal(trace_of(f, other, 5, &reply), 0);
    assert_int_equal(reply.status, -ENOENT);
    assert_string_equal(reply.reason, "there is no such domain");
    assert_int_equal(trace_of(f, fd, 0, &reply), 1);
    assert_true(reply.status == 0 && reply.arg0 == 0 && reply.arg1 == 0);
    assert_int_equal(call(f, fd, CONTROL_TRACE_NEXT, 0, &reply), 1);
    assert_true(reply.arg0 == 3 && reply.arg1 == 1); /* whose memory, and that it is fresh */
    assert_int_equal(trace_of(f, fd, 5, &reply), 0); /* and the first one goes on */
    hang_up(f, other);
    run(f);
    assert_int_equal(f->traces_ended, 0);
    hang_up(f, fd);
    run(f);
    assert_int_equal(f->traces_ended, 1);
}

static void a_domain_cannot_trace(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    (void)call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply);
    assert_int_equal(trace_of(f, fd, 0, &reply), 0);
    assert_int_equal(reply.status, -EPERM);
    assert_int_equal(call(f, fd, CONTROL_TRACE_NEXT, 0, &reply), 0);
    assert_int_equal(reply.status, -EPERM);
    hang_up(f, fd);
    run(f);
    assert_int_equal(f->traces_ended, 0);
}

/* Neither the connection's memory nor that of its watch. */
static void a_connection_that_is_gone_leaves_no_memory(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    size_t before = 0;
    for (int i = 0; i < 40; i++) {
        if (i == 8) /* what is kept for the next ones is there by now */
            before = mallinfo2().uordblks;
        int fd = dial(f);
        assert_int_equal(call(f, fd, CONTROL_STATUS, 0, &reply), 1);
        hang_up(f, fd);
        run(f);
    }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* with heaps of their own */
    assert_in_range(mallinfo2().uordblks, 0, before + 512);
#endif
    (void)before;
}

static int create(void *arg)
{
    struct fixture *f = arg;
    struct control *control;
    char path[128];
    snprintf(path, sizeof(path), "%s.other", f->socket);
    int rc = control_create(path, f->poller, f->log, 4, &ops, f, &control);
    assert_true((rc < 0) == (control == NULL));
    control_destroy(control);
    return rc;
}

static void what_is_lacking_leaves_nothing(void **state)
{
    assert_true(fault_walk(create, *state) >= 5);
}

/* With all that was begun for it; whoever comes next is served. */
static void a_caller_for_whom_there_is_no_memory_is_hung_up_on(void **state)
{
    static const char *const calls[] = {"calloc", "epoll_ctl"};
    struct fixture *f = *state;
    struct control_reply reply;
    char byte;
    for (int i = 0; i < 2; i++) {
        int fd = dial(f);
        fault_arm_call(calls[i], 1, ENOMEM);
        run(f);
        assert_string_equal(fault_disarm(), calls[i]);
        assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
        hang_up(f, fd);
    }
    assert_int_equal(call(f, dial(f), CONTROL_CREATE_DOMAIN, 16, &reply), 2);
}

static void who_cannot_be_told_apart_from_another_user_is_refused(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    fault_arm_call("getsockopt", 1, EINVAL);
    run(f);
    fault_disarm();
    assert_int_equal(reply_of(fd, &reply), 0);
    assert_int_equal(reply.status, -EAGAIN);
    assert_string_equal(reply.reason, "this service belongs to another user");
}

static void an_interrupted_receive_is_made_again(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    run(f);
    ask(fd, CONTROL_STATUS, 0);
    fault_arm_call("recv", 1, EINTR);
    run(f);
    assert_string_equal(fault_disarm(), "recv");
    assert_int_equal(reply_of(fd, &reply), 1);
}

static void a_status_that_cannot_be_written_is_an_error_with_a_reason(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    ask(fd, CONTROL_STATUS, 0);
    fault_arm_call("open", 1, EMFILE);
    run(f);
    fault_disarm();
    assert_int_equal(reply_of(fd, &reply), 0);
    assert_int_equal(reply.status, -EMFILE);
    assert_non_null(strstr(reply.reason, "cannot write its status down"));
    assert_int_equal(call(f, fd, CONTROL_STATUS, 0, &reply), 1);
}

static void any_of_several_domains_can_be_dropped(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    for (int i = 0; i < 3; i++)
        assert_int_equal(call(f, dial(f), CONTROL_CREATE_DOMAIN, 16, &reply), 2);
    control_drop_domain(f->control, &f->domains[1]);
    assert_int_equal(f->ended, 1);
    assert_int_equal(f->domains[1].domid, 0); /* that one, and no other */
    control_drop_domain(f->control, &f->domains[1]);
    assert_int_equal(f->ended, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTROL_TEST(a_domain_lives_as_long_as_its_connection),
        CONTROL_TEST(any_descriptor_may_hold_the_status),
        CONTROL_TEST(a_connection_that_cannot_be_watched_ends_with_its_domain),
        CONTROL_TEST(a_listener_that_cannot_be_watched_ends_the_poller),
        CONTROL_TEST(hypercalls_are_for_domains),
        CONTROL_TEST(who_is_destroyed_hears_it),
        CONTROL_TEST(a_domain_cannot_end_the_service),
        CONTROL_TEST(stopping_ends_domains_first_and_then_answers),
        CONTROL_TEST(dropping_a_domain_ends_it_once),
        CONTROL_TEST(what_a_domain_shares_with_dom0_comes_as_a_file),
        CONTROL_TEST(a_trace_ends_with_the_connection_that_began_it),
        CONTROL_TEST(a_domain_cannot_trace),
        CONTROL_TEST(a_connection_that_is_gone_leaves_no_memory),
        CONTROL_TEST(what_is_lacking_leaves_nothing),
        CONTROL_TEST(a_caller_for_whom_there_is_no_memory_is_hung_up_on),
        CONTROL_TEST(who_cannot_be_told_apart_from_another_user_is_refused),
        CONTROL_TEST(an_interrupted_receive_is_made_again),
        CONTROL_TEST(a_status_that_cannot_be_written_is_an_error_with_a_reason),
        CONTROL_TEST(any_of_several_domains_can_be_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
