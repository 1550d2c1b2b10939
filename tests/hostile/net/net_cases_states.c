/* SPDX-License-Identifier: MIT */
/* Ends and new starts in each state of connecting. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net_cases.h"

enum { DEATHS = 100, FRAME_BYTES = 60 };

/* The steps of a front end that connects, closes and starts over. */
static const enum xenbus_state steps[] = {
    XenbusStateInitialising, XenbusStateInitWait, XenbusStateInitialised,   XenbusStateConnected,
    XenbusStateClosing,      XenbusStateClosed,   XenbusStateInitialising,  XenbusStateConnected,
    XenbusStateUnknown,      XenbusStateClosed,   XenbusStateReconfiguring, XenbusStateReconfigured,
};

enum { STEPS = sizeof(steps) / sizeof(steps[0]) };

/* Killed when it has gone so many steps, and Dom0 perhaps not. */
static void go_and_stay(const struct rundir *rundir, uint32_t round, int told)
{
    struct net_peer np;
    if (round % (STEPS + 1) == STEPS) /* before it is a domain */
        (void)!write(told, "", 1);
    if (net_peer_create(&np, rundir) < 0)
        _exit(1);
    for (uint32_t i = 0; i <= round % (STEPS + 1) && i < STEPS; i++)
        (void)net_peer_state(&np, steps[i]);
    (void)!write(told, "", 1);
    for (;;)
        (void)pause();
}

int net_case_dies_connecting(struct net_attack *a)
{
    uint32_t times = 0;
    for (; times < DEATHS || !net_is_over(a); times++) {
        int told[2];
        char byte;
        if (pipe(told) < 0)
            return net_saw(a, 0, "pipe: %d", errno);
        pid_t child = fork();
        if (child == 0)
            go_and_stay(&a->rundir, times, told[1]);
        close(told[1]);
        ssize_t got = read(told[0], &byte, 1);
        close(told[0]);
        if (child < 0 || got != 1)
            return net_saw(a, 0, "number %u did not get there", times);
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
    }
    int rc = net_another_connects(a);
    return net_saw(a, rc == 0, "%u times, another one connects (%d)", times, rc);
}

/* Comes into the state from the beginning. */
static int reach(struct net_peer *np, uint32_t step)
{
    int rc = net_peer_restart(np);
    net_peer_start_rings(np);
    for (uint32_t i = 0; rc == 0 && i <= step; i++)
        rc = net_peer_state(np, steps[i]);
    return rc;
}

/* Closes, and starts over, from each state, by each way that front ends have: 6, 5 and 6, 1. */
int net_case_starts_over(struct net_attack *a)
{
    struct net_peer np;
    uint32_t times = 0;
    int rc = net_peer_open(&np, &a->rundir);
    for (; rc == 0 && (times < 3 * STEPS || !net_is_over(a)); times++) {
        rc = reach(&np, times % STEPS);
        if (rc == 0 && times / STEPS % 3 == 1)
            rc = net_peer_state(&np, XenbusStateClosing);
        if (rc == 0 && times / STEPS % 3 == 2)
            rc = net_peer_state(&np, XenbusStateInitialising);
        if (rc == 0 && times % 2 == 0) /* or two changes are one */
            rc = net_peer_back_state(&np) < 0 ? -EPROTO : 0;
        if (rc == 0)
            rc = net_peer_restart(&np);
        if (rc == 0)
            rc = net_peer_connect(&np);
    }
    net_peer_close(&np);
    return net_saw(a, rc == 0, "%u times, connected again (%d)", times, rc);
}
