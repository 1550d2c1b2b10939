/* SPDX-License-Identifier: MIT */
/* guests: processes that live as domains of the Dom0 under test, and say how they fared. */
#ifndef SPLITDOM_TESTS_FAULTS_GUESTS_H
#define SPLITDOM_TESTS_FAULTS_GUESTS_H

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/why.h"
#include "faults_dom0.h"
#include "service/cli/control_client.h"
#include "service/cli/store_client.h"
#include "service/dom0/dom0_private.h"
#include "service/dom0/dom0_setup.h"
#include "splitdom/blkfront.h"

enum {
    HANG_S = 400,
    GUEST_HANG_S = 20,
    SETTLE_S = 3,
    ALL_WELL = 0, /* what a guest says */
    REFUSED = 1,
    BROKEN = 2,
};

/* A process of its own. It begins when it is told to. */
struct guest {
    pid_t pid;
    int go_fd, pid_fd;
    struct poller_watch *watch;
    bool ended;
};

struct fixture {
    struct faults_place place;
    struct dom0 *dom0;
    struct guest neighbour;
};

static struct fixture *f;

static inline int setup(void **state)
{
    (void)state;
    alarm(HANG_S);
    f = calloc(1, sizeof(*f));
    return f == NULL ? -1 : faults_place_make(&f->place);
}

static inline int teardown(void **state)
{
    (void)state;
    alarm(0);
    dom0_teardown(f->dom0);
    int rc = faults_place_remove(&f->place);
    free(f);
    return rc;
}

/* ---- guests -------------------------------------------------------------------------------------
 */

static inline int read_some(struct blkfront *bf, uint64_t count)
{
    uint8_t bytes[512];
    for (uint64_t i = 0; i < count; i++) {
        if (blkfront_read(bf, i, 1, bytes) < 0)
            return REFUSED;
        if (!faults_data_is_right(i, bytes))
            return BROKEN;
    }
    return ALL_WELL;
}

static inline int connect_disk(struct blkfront **bf)
{
    const struct blkfront_options options = {.size = sizeof(struct blkfront_options),
                                             .rundir = f->place.base,
                                             .name = "faults",
                                             .depth = 1};
    return blkfront_connect(&options, bf, NULL);
}

static inline int live_as_domain(void)
{
    struct blkfront *bf;
    if (connect_disk(&bf) < 0)
        return REFUSED;
    int result = read_some(bf, 20);
    blkfront_close(bf);
    return result;
}

/* A write that was refused has not happened; one that was not, has. */
static inline int live_in_store(void)
{
    struct store_client *store;
    char value[XENSTORE_PAYLOAD_MAX + 1];
    if (store_client_open(f->place.rundir.store_socket, &store) < 0)
        return REFUSED;
    int result = store_client_write(store, "/tool/faults/key", "value") < 0 ? REFUSED : ALL_WELL;
    int rc = store_client_read(store, "/tool/faults/key", value);
    if (rc == 0 && strcmp(value, "value") != 0)
        result = BROKEN;
    if (rc < 0)
        result = REFUSED;
    store_client_close(store);
    return result;
}

static inline int ask_for_status(void)
{
    struct why why;
    char *text;
    size_t bytes;
    int rc =
        control_client_ask(f->place.rundir.control_socket, CONTROL_STATUS, &text, &bytes, &why);
    bool whole = rc == 0 && bytes > 0 && strstr(text, "domain") != NULL;
    free(text);
    return rc < 0 ? REFUSED : whole ? ALL_WELL : BROKEN;
}

static inline int live(void)
{
    int results[] = {live_as_domain(), live_in_store(), ask_for_status()};
    int worst = ALL_WELL;
    for (size_t i = 0; i < 3; i++)
        worst = results[i] > worst ? results[i] : worst;
    return worst;
}

/* Reads until its pipe is closed. */
static inline int live_next_door(void)
{
    struct blkfront *bf;
    uint8_t bytes[512];
    if (connect_disk(&bf) < 0)
        return REFUSED;
    for (uint64_t i = 0; getppid() != 1; i = (i + 1) % 2000) {
        if (blkfront_read(bf, i, 1, bytes) < 0 || !faults_data_is_right(i, bytes))
            return BROKEN;
    }
    return BROKEN;
}

static inline void on_guest_end(void *ctx, uint32_t revents)
{
    struct guest *guest = ctx;
    (void)revents;
    guest->ended = true;
}

static inline void guest_make(struct guest *guest, int (*life)(void))
{
    int fds[2];
    char byte;
    *guest = (struct guest){.pid = -1};
    assert_int_equal(pipe(fds), 0);
    fflush(NULL);
    guest->pid = fork();
    assert_true(guest->pid >= 0);
    if (guest->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(GUEST_HANG_S + (life == live_next_door ? HANG_S : 0));
        dup2(fds[0], 3);
        close_range(4, ~0u, 0); /* what is Dom0's */
        if (read(3, &byte, 1) != 1)
            _exit(BROKEN);
        _exit(life());
    }
    close(fds[0]);
    guest->go_fd = fds[1];
    guest->pid_fd = pidfd_open(guest->pid, 0);
    assert_true(guest->pid_fd >= 0);
    assert_int_equal(poller_add(f->dom0->worker.poller, guest->pid_fd, POLLIN, on_guest_end, guest,
                                &guest->watch),
                     0);
}

static inline void guest_go(struct guest *guest)
{
    assert_int_equal(write(guest->go_fd, "g", 1), 1);
    close(guest->go_fd);
}

/* Returns what it said, or 128 and the signal that ended it. */
static inline int guest_bury(struct guest *guest)
{
    int status;
    poller_remove(f->dom0->worker.poller, guest->watch);
    close(guest->pid_fd);
    assert_int_equal(waitpid(guest->pid, &status, 0), guest->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif
