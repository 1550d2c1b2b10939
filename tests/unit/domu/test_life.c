/* SPDX-License-Identifier: MIT */
/* life: its calls on the control socket, with a Dom0 that answers when the test says so. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/unix_socket.h"
#include "domu/life.h"
#include "splitdom/control.h"

struct fixture {
    struct life life;
    int dom0;
    struct patience patience;
};

static uint64_t at_its_end(void *ctx)
{
    (void)ctx;
    return 1;
}

static int setup(void **state)
{
    static struct fixture f;
    const struct timeval slice = {.tv_usec = 1000};
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0 ||
        setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof(slice)) < 0)
        return -1;
    life_init(&f.life);
    f.patience = (struct patience){.now_ns = at_its_end, .end_ns = PATIENCE_FOR_EVER};
    f.life.control_fd = fds[0];
    f.life.patience = &f.patience;
    f.dom0 = fds[1];
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    close(f->life.control_fd);
    close(f->dom0);
    return 0;
}

static void answer(const struct fixture *f, int32_t status, uint32_t arg0)
{
    const struct control_reply reply = {.magic = CONTROL_MAGIC, .status = status, .arg0 = arg0};
    assert_int_equal(unix_socket_send(f->dom0, &reply, sizeof(reply), NULL, 0, true), 0);
}

static void asked(const struct fixture *f, uint32_t op, uint32_t arg0)
{
    struct control_request request;
    assert_int_equal(recv(f->dom0, &request, sizeof(request), MSG_DONTWAIT), sizeof(request));
    assert_int_equal(request.magic, CONTROL_MAGIC);
    assert_int_equal(request.version, CONTROL_VERSION);
    assert_int_equal(request.op, op);
    assert_int_equal(request.arg0, arg0);
}

static void a_port_is_what_dom0_says(void **state)
{
    struct fixture *f = *state;
    answer(f, 0, 9);
    assert_int_equal(life_alloc_port(&f->life, 2), 9);
    asked(f, CONTROL_EVTCHN_ALLOC_UNBOUND, 2);
    answer(f, -ENOSPC, 0);
    assert_int_equal(life_alloc_port(&f->life, 2), -ENOSPC);
    asked(f, CONTROL_EVTCHN_ALLOC_UNBOUND, 2);
    answer(f, 0, 0);
    assert_int_equal(life_close_port(&f->life, 9), 0);
    asked(f, CONTROL_EVTCHN_CLOSE, 9);
}

static void ports_that_there_are_not_are_refused(void **state)
{
    struct fixture *f = *state;
    const uint32_t bad[] = {0, 4096, UINT32_MAX};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        answer(f, 0, bad[i]);
        assert_int_equal(life_alloc_port(&f->life, 1), -EPROTO);
    }
    answer(f, 0, 4095);
    assert_int_equal(life_alloc_port(&f->life, 1), 4095);
    answer(f, 0, 1);
    assert_int_equal(life_alloc_port(&f->life, 1), 1);
}

/* The reply to a call that gave up is not taken for that to the next one. */
static void a_late_reply_is_nobodys(void **state)
{
    struct fixture *f = *state;
    for (uint32_t gave_up = 1; gave_up <= 3; gave_up++) {
        for (uint32_t i = 0; i < gave_up; i++)
            assert_int_equal(life_alloc_port(&f->life, 1), -ETIMEDOUT);
        for (uint32_t i = 0; i < gave_up; i++)
            answer(f, 0, 10 + i);
        answer(f, 0, 20 + gave_up);
        assert_int_equal(life_alloc_port(&f->life, 1), 20 + gave_up);
        answer(f, 0, 30);
        assert_int_equal(life_alloc_port(&f->life, 1), 30);
    }
}

/* The limit of the socket is for those who have patience. */
static void who_has_no_patience_left_does_not_wait_for_a_reply(void **state)
{
    struct fixture *f = *state;
    const struct timeval limit = {.tv_sec = 20};
    assert_int_equal(setsockopt(f->life.control_fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)),
                     0);
    uint64_t begin_ns = clock_monotonic_ns();
    assert_int_equal(life_close_port(&f->life, 9), -ETIMEDOUT);
    assert_true(clock_monotonic_ns() - begin_ns < 10 * CLOCK_NS_PER_SEC);
    asked(f, CONTROL_EVTCHN_CLOSE, 9); /* all the same */
    answer(f, 0, 0);
    answer(f, -ENOSPC, 0); /* what is there is taken */
    assert_int_equal(life_close_port(&f->life, 8), -ENOSPC);
}

/* A Dom0 that is stopped takes nothing off the socket. -EAGAIN is what it says of its limits. */
static void who_has_no_patience_left_does_not_wait_for_room(void **state)
{
    struct fixture *f = *state;
    char packet[64] = "";
    while (unix_socket_send(f->life.control_fd, packet, sizeof(packet), NULL, 0, false) == 0)
        continue;
    assert_int_equal(life_close_port(&f->life, 9), -ETIMEDOUT);
    assert_int_equal(f->life.replies_owed, 0);
}

/* A child of fork has the socket, too. */
static void the_end_of_a_life_is_told_whoever_has_inherited_it(void **state)
{
    struct fixture *f = *state;
    char byte;
    int inherited = dup(f->life.control_fd);
    assert_true(inherited >= 0);
    assert_int_equal(recv(f->dom0, &byte, 1, MSG_DONTWAIT), -1);
    life_destroy(&f->life);
    assert_int_equal(recv(f->dom0, &byte, 1, MSG_DONTWAIT), 0);
    close(inherited);
}

static void replies_that_make_no_sense_are_refused(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply = {.magic = CONTROL_MAGIC + 1};
    assert_int_equal(unix_socket_send(f->dom0, &reply, sizeof(reply), NULL, 0, true), 0);
    assert_int_equal(life_close_port(&f->life, 1), -EPROTO);
    reply.magic = CONTROL_MAGIC;
    assert_int_equal(unix_socket_send(f->dom0, &reply, sizeof(reply) - 1, NULL, 0, true), 0);
    assert_int_equal(life_close_port(&f->life, 1), -EPROTO);
    answer(f, 1, 0);
    assert_int_equal(life_close_port(&f->life, 1), -EPROTO);
    /* A descriptor that was not asked for: none stays open. */
    int next = fcntl(0, F_DUPFD_CLOEXEC, 0);
    close(next);
    assert_int_equal(unix_socket_send(f->dom0, &reply, sizeof(reply), &f->dom0, 1, true), 0);
    assert_int_equal(life_close_port(&f->life, 1), -EPROTO);
    assert_int_equal(fcntl(0, F_DUPFD_CLOEXEC, 0), next);
    close(next);
}

static void each_interrupt_is_made_up_for(void **state)
{
    struct fixture *f = *state;
    struct shared_info *si = aligned_alloc(XEN_PAGE_SIZE, XEN_PAGE_SIZE);
    memset(si, 0, XEN_PAGE_SIZE);
    f->life.segment.shared_info = si;
    assert_false(life_is_interrupted(&f->life));
    life_interrupt(&f->life);
    life_interrupt(&f->life);
    life_resume(&f->life);
    assert_true(life_is_interrupted(&f->life));
    life_resume(&f->life);
    assert_false(life_is_interrupted(&f->life));
    f->life.segment.shared_info = NULL;
    free(si);
}

static void the_end_of_dom0_is_told(void **state)
{
    struct fixture *f = *state;
    shutdown(f->dom0, SHUT_WR);
    assert_int_equal(life_close_port(&f->life, 1), -ENOTCONN);
    assert_true(life_error_is_death(-ENOTCONN) && life_error_is_death(-ECONNRESET) &&
                life_error_is_death(-EPIPE));
    assert_false(life_error_is_death(-ETIMEDOUT) || life_error_is_death(-EPROTO));
}

static void a_domain_is_described_as_it_is_wanted(void **state)
{
    struct fixture *f = *state;
    const struct life_description wanted = {.name = "mine", .weight = 300, .share = {3, 4}};
    struct {
        struct control_request request;
        char name[CONTROL_NAME_SIZE];
    } packet;
    char why[256] = "";
    answer(f, 0, 0);
    assert_int_equal(life_describe(&f->life, &wanted, why, sizeof(why)), 0);
    assert_int_equal(recv(f->dom0, &packet, sizeof(packet), MSG_DONTWAIT),
                     sizeof(packet.request) + sizeof("mine"));
    assert_string_equal(packet.name, "mine");
    assert_int_equal(packet.request.magic, CONTROL_MAGIC);
    assert_int_equal(packet.request.version, CONTROL_VERSION);
    assert_int_equal(packet.request.op, CONTROL_DESCRIBE);
    assert_int_equal(packet.request.arg0, 300);
    assert_int_equal(packet.request.tdf_num, 3);
    assert_int_equal(packet.request.tdf_den, 4);
    assert_string_equal(why, "");
    answer(f, 0, 0);
    assert_int_equal(life_describe(&f->life, &(struct life_description){0}, why, 256), 0);
    assert_int_equal(recv(f->dom0, &packet, sizeof(packet), MSG_DONTWAIT),
                     sizeof(packet.request) + 1); /* no name */
}

static void a_refusal_is_told_in_dom0s_words_where_it_has_some(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply = {
        .magic = CONTROL_MAGIC, .status = -EEXIST, .reason = "somebody has it"};
    char why[256] = "";
    assert_int_equal(unix_socket_send(f->dom0, &reply, sizeof(reply), NULL, 0, true), 0);
    assert_int_equal(life_describe(&f->life, &(struct life_description){0}, why, 256), -EEXIST);
    assert_string_equal(why, "the service does not take the domain as described: somebody has it");
    answer(f, -EEXIST, 0);
    assert_int_equal(life_describe(&f->life, &(struct life_description){0}, why, 256), -EEXIST);
    assert_string_equal(why, "the service does not take the domain as described: File exists");
}

static void a_file_is_fetched_by_its_operation(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply = {.magic = CONTROL_MAGIC};
    assert_int_equal(unix_socket_send(f->dom0, &reply, sizeof(reply), &f->dom0, 1, true), 0);
    int fd = life_fetch(&f->life, CONTROL_SHARED_CACHE, 51712);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    asked(f, CONTROL_SHARED_CACHE, 51712);
    answer(f, -ENODEV, 0);
    assert_int_equal(life_fetch(&f->life, CONTROL_SHARED_CACHE, 51728), -ENODEV);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_port_is_what_dom0_says, setup, teardown),
        cmocka_unit_test_setup_teardown(ports_that_there_are_not_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_late_reply_is_nobodys, setup, teardown),
        cmocka_unit_test_setup_teardown(who_has_no_patience_left_does_not_wait_for_a_reply, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_has_no_patience_left_does_not_wait_for_room, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_end_of_a_life_is_told_whoever_has_inherited_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(replies_that_make_no_sense_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(each_interrupt_is_made_up_for, setup, teardown),
        cmocka_unit_test_setup_teardown(the_end_of_dom0_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_domain_is_described_as_it_is_wanted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refusal_is_told_in_dom0s_words_where_it_has_some, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_file_is_fetched_by_its_operation, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
