/* SPDX-License-Identifier: MIT */
/*
 * vhost_session_private: for the files of vhost_session:
 *   vhost_session.c   begin and end, requests
 *   vhost_messages.c  what the front end asks
 */
#ifndef SPLITDOM_BRIDGE_VHOST_VHOST_SESSION_PRIVATE_H
#define SPLITDOM_BRIDGE_VHOST_VHOST_SESSION_PRIVATE_H

#include "bridge/vhost/vhost_session.h"

/*
 * Lets the front end know that the configuration has changed, if it has not read it since, can be
 * told, and its driver is at work. Where that is the next device after one that was killed, the
 * disk may have changed in between.
 */
void vhost_session_tell_config(struct vhost_session *session);

/* Waits until nothing is in flight; cancels what is when stop_fd is readable. */
void vhost_session_drain(struct vhost_session *session);

#endif
