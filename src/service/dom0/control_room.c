/* SPDX-License-Identifier: MIT */
#include "service/dom0/control_room.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/dom0/control_private.h"

/* Has it asked something that waits to be served? Perhaps the poller has not told yet. */
static bool asks(const struct control_peer *peer)
{
    char byte;
    return list_is_linked(&peer->ready) ||
           recv(peer->fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) >= 0;
}

/* Who may give way, the oldest of each kind. */
struct choice {
    struct control_peer *idle;   /* had its answer, asks nothing */
    struct control_peer *silent; /* has asked nothing for long enough */
    struct control_peer *young;  /* has perhaps asked nothing yet, since a short time */
    struct control_peer *busy;   /* had an answer, asks on */
    bool any;                    /* or somebody who is not to be chosen now, but will be */
};

/* Most are told apart without a system call: a flood of connections is to cost little. */
static struct choice look_around(struct control *control, uint64_t now_ns)
{
    struct choice choice = {.any = false};
    for (struct control_peer *peer = control_first_peer(control); peer != NULL && !choice.idle;
         peer = control_next_peer(peer)) {
        if (peer->domain != NULL || peer->wants_farewell || peer->waits)
            continue;
        choice.any = true;
        bool is_young = now_ns - peer->since_ns < CONTROL_SILENCE_NS;
        if (!peer->had_answer && is_young && choice.young == NULL)
            choice.young = peer;
        else if (!peer->had_answer && !is_young && choice.silent == NULL && !asks(peer))
            choice.silent = peer;
        else if (peer->had_answer && !asks(peer))
            choice.idle = peer;
        else if (peer->had_answer && choice.busy == NULL)
            choice.busy = peer;
    }
    return choice;
}

/* When the oldest of the young will have been silent for long enough. */
static void look_again(const struct control *control, const struct control_peer *young)
{
    const struct itimerspec when = {.it_value =
                                        clock_timespec(young->since_ns + CONTROL_SILENCE_NS)};
    (void)timerfd_settime(control->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

enum control_room control_room_make(struct control *control)
{
    if (control->peer_count < control->peers_max)
        return CONTROL_ROOM;
    struct choice choice = look_around(control, clock_monotonic_ns());
    struct control_peer *victim = choice.idle;
    if (victim == NULL)
        victim = choice.silent != NULL ? choice.silent : choice.busy;
    if (victim == NULL) {
        if (choice.young != NULL)
            look_again(control, choice.young);
        control->is_full = choice.any;
        return choice.any ? CONTROL_ROOM_LATER : CONTROL_ROOM_NONE;
    }
    log_limited(control->log, &control->log_limit,
                "dom0.sock: %u connections are open: %s is closed", control->peer_count,
                victim->had_answer ? "one that had its answer" : "a silent one");
    control_close_peer(victim);
    return CONTROL_ROOM;
}

static void on_timer(void *ctx, uint32_t revents)
{
    struct control *control = ctx;
    uint64_t expirations;
    if ((revents & POLLER_BROKEN) != 0)
        (void)poller_fail(control->poller, -EIO, "the timer of dom0.sock");
    (void)!read(control->timer_fd, &expirations, sizeof(expirations));
    control->is_full = false;
}

int control_room_create(struct control *control)
{
    control->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (control->timer_fd < 0)
        return -errno;
    return poller_add(control->poller, control->timer_fd, POLLIN, on_timer, control,
                      &control->timer_watch);
}

void control_room_destroy(struct control *control)
{
    poller_remove(control->poller, control->timer_watch);
    control->timer_watch = NULL;
    if (control->timer_fd >= 0)
        close(control->timer_fd);
    control->timer_fd = -1;
}
