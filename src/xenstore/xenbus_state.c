/* SPDX-License-Identifier: MIT */
#include "xenstore/xenbus_state.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

const char *xenbus_state_name(enum xenbus_state state)
{
    static const char *const name[] = {
        [XenbusStateUnknown] = "Unknown",
        [XenbusStateInitialising] = "Initialising",
        [XenbusStateInitWait] = "InitWait",
        [XenbusStateInitialised] = "Initialised",
        [XenbusStateConnected] = "Connected",
        [XenbusStateClosing] = "Closing",
        [XenbusStateClosed] = "Closed",
        [XenbusStateReconfiguring] = "Reconfiguring",
        [XenbusStateReconfigured] = "Reconfigured",
    };
    return (size_t)state < sizeof(name) / sizeof(name[0]) ? name[state] : "?";
}

int xenbus_state_parse(const char *text, enum xenbus_state *out)
{
    int number;
    if (sscanf(text, "%9d", &number) != 1) /* so many digits fit an int */
        return -EINVAL;
    if (number < 0 || number > XenbusStateReconfigured)
        return -ERANGE;
    *out = (enum xenbus_state)number;
    return 0;
}

bool xenbus_state_front_is_ready(enum xenbus_state front)
{
    return front == XenbusStateInitialised || front == XenbusStateConnected;
}

bool xenbus_state_back_is_waiting(enum xenbus_state back)
{
    return back == XenbusStateInitWait;
}

bool xenbus_state_is_closing(enum xenbus_state state)
{
    return state == XenbusStateClosing || state == XenbusStateClosed || state == XenbusStateUnknown;
}
