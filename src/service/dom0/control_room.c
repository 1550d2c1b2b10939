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
    struct control_peer *silent; /* has asked nothing yet */
    struct control_peer *busy;   /* had an answer, asks on */
    bool any;                    /* or somebody who is not to be chosen now, but will be */
};

static struct choice look_around(struct control *control)
{
    struct choice choice = {.any = false};
    for (struct control_peer *peer = control_first_peer(control); peer != NULL && !choice.idle;
         peer = control_next_peer(peer)) {
        if (peer->domain != NULL || peer->wants_farewell)
            continue;
        choice.any = true;
        bool is_asking = asks(peer);
        if (peer->had_answer && !is_asking)
            choice.idle = peer;
        else if (peer->had_answer && choice.busy == NULL)
            choice.busy = peer;
        else if (!peer->had_answer && !is_asking && choice.silent == NULL)
            choice.silent = peer;
    }
    return choice;
}

/* Returns whether it has been silent for long enough; if not, looks again when it will have. */
static bool is_over(const struct control *control, const struct control_peer *silent)
{
    uint64_t end_ns = silent->since_ns + CONTROL_SILENCE_NS;
    const struct itimerspec when = {.it_value = clock_timespec(end_ns)};
    if (clock_monotonic_ns() >= end_ns)
        return true;
    (void)timerfd_settime(control->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
    return false;
}

enum control_room control_room_make(struct control *control)
{
    if (control->peer_count < control->peers_max)
        return CONTROL_ROOM;
    struct choice choice = look_around(control);
    struct control_peer *victim = choice.idle;
    if (victim == NULL && choice.silent != NULL && is_over(control, choice.silent))
        victim = choice.silent;
    if (victim == NULL)
        victim = choice.busy;
    if (victim == NULL) {
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
    (void)revents;
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
    if (control->timer_watch != NULL)
        poller_remove(control->poller, control->timer_watch);
    control->timer_watch = NULL;
    if (control->timer_fd >= 0)
        close(control->timer_fd);
    control->timer_fd = -1;
}
