/* SPDX-License-Identifier: MIT */
/* evtchn: the doorbell, the way from a domain to Dom0. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "ring/barrier.h"
#include "ring/evtchn.h"
#include "unit/ring/evtchn_fixture.h"

static void kick_rings_the_doorbell(void **state)
{
    (void)state;
    uint64_t count = 0;
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(evtchn_kick(fd), 0);
    assert_int_equal(evtchn_kick(fd), 0);
    assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
    assert_int_equal(count, 2);
    close(fd);
}

static void kick_of_a_full_doorbell_succeeds(void **state)
{
    (void)state;
    uint64_t full = UINT64_MAX - 1;
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, &full, sizeof(full)), sizeof(full));
    assert_int_equal(evtchn_kick(fd), 0);
    close(fd);
}

static void kick_reports_a_doorbell_that_is_none(void **state)
{
    (void)state;
    assert_int_equal(evtchn_kick(-1), -EBADF);
}

static void only_an_eventfd_is_a_doorbell(void **state)
{
    (void)state;
    int pipes[2], sockets[2];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    const int others[] = {pipes[0],
                          pipes[1],
                          sockets[0],
                          open("/dev/null", O_RDWR),
                          open("/dev/zero", O_RDONLY),
                          memfd_create("file", 0),
                          timerfd_create(CLOCK_MONOTONIC, 0),
                          epoll_create1(0),
                          inotify_init1(0)};
    close(pipes[0]); /* without a reader: to write is to die */
    for (size_t i = 1; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_true(others[i] >= 0);
        assert_int_equal(evtchn_check_doorbell(others[i]), -EBADFD);
        close(others[i]);
    }
    assert_int_equal(evtchn_check_doorbell(-1), -EBADF);
    close(sockets[1]);
}

static void a_doorbell_is_not_rung_by_the_check_and_does_not_block(void **state)
{
    (void)state;
    eventfd_t count;
    int fd = eventfd(0, 0); /* as a back end might send it, that wants us to wait */
    assert_int_equal(evtchn_check_doorbell(fd), 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(eventfd_read(fd, &count), -1);
    assert_int_equal(errno, EAGAIN);
    /* A full one is checked and rung as quickly. */
    assert_int_equal(eventfd_write(fd, UINT64_MAX - 1), 0);
    assert_int_equal(evtchn_check_doorbell(fd), 0);
    assert_int_equal(evtchn_kick(fd), 0);
    close(fd);
}

struct kicker {
    int fd, rc;
    uint32_t tid; /* atomic */
};

static void *kick(void *arg)
{
    struct kicker *kicker = arg;
    store_full_u32(&kicker->tid, (uint32_t)gettid());
    kicker->rc = evtchn_kick(kicker->fd);
    return NULL;
}

/* The one letter of its state in /proc, ' ' if there is none. */
static char state_of_thread(uint32_t tid)
{
    char path[64], line[128] = "";
    snprintf(path, sizeof(path), "/proc/self/task/%u/stat", tid);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        if (fgets(line, sizeof(line), file) == NULL)
            line[0] = '\0';
        fclose(file);
    }
    const char *end = strrchr(line, ')');
    return end != NULL ? end[2] : ' ';
}

/* A Dom0 has filled it and made it blocking: whoever rings sleeps. Then that Dom0 is gone. */
static void nobody_stays_asleep_at_a_doorbell_that_is_silenced(void **state)
{
    (void)state;
    pthread_t thread;
    struct kicker kicker = {.fd = eventfd(0, EFD_NONBLOCK), .rc = -1};
    assert_int_equal(evtchn_check_doorbell(kicker.fd), 0);
    assert_int_equal(eventfd_write(kicker.fd, UINT64_MAX - 1), 0);
    assert_int_equal(fcntl(kicker.fd, F_SETFL, 0), 0);
    alarm(WAIT_LIMIT_MS / 1000);
    assert_int_equal(pthread_create(&thread, NULL, kick, &kicker), 0);
    while (load_full_u32(&kicker.tid) == 0 || state_of_thread(kicker.tid) != 'S')
        sched_yield();
    evtchn_silence(kicker.fd);
    pthread_join(thread, NULL);
    alarm(0);
    assert_int_equal(kicker.rc, 0);
    close(kicker.fd);
}

int main(void)
{
#define SI_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_an_eventfd_is_a_doorbell),
        cmocka_unit_test(a_doorbell_is_not_rung_by_the_check_and_does_not_block),
        cmocka_unit_test(nobody_stays_asleep_at_a_doorbell_that_is_silenced),
        cmocka_unit_test(kick_rings_the_doorbell),
        cmocka_unit_test(kick_of_a_full_doorbell_succeeds),
        cmocka_unit_test(kick_reports_a_doorbell_that_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
