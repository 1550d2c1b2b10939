/* SPDX-License-Identifier: MIT */
/*
 * xenbus_state: the values of a `state` node and what they allow.
 */
#ifndef SPLITDOM_XENSTORE_XENBUS_STATE_H
#define SPLITDOM_XENSTORE_XENBUS_STATE_H

#include <stdbool.h>

#include "splitdom/xen/xenbus.h"

/* "InitWait"; "?" for a number that is no state. Static. */
const char *xenbus_state_name(enum xenbus_state state);

/* Parses the text of a state node as Linux does: a number with what scanf lets stand around it.
 * Returns 0; -EINVAL: there is no number; -ERANGE: it is no state. */
int xenbus_state_parse(const char *text, enum xenbus_state *out);

/* A front end that published its ring: the back end may connect. Some go from 1 to 4 directly. */
bool xenbus_state_front_is_ready(enum xenbus_state front);

/* A back end that offers itself to a new front end. */
bool xenbus_state_back_is_waiting(enum xenbus_state back);

/* A half that is going or gone: Closing, Closed, or no node at all. */
bool xenbus_state_is_closing(enum xenbus_state state);

#endif
