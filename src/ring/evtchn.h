/* SPDX-License-Identifier: MIT */
/*
 * evtchn: event channels, the interrupts of a paravirtual domain.
 *
 * Dom0 -> domain: two-level bits in shared_info (Xen's EVTCHN_2L ABI, xen/common/event_2l.c); the
 * edges collapse: a port that is pending stays pending. The vCPU that a port is bound to sleeps on
 * a futex over the first word of its vcpu_info (splitdom/xen/shared_info.h).
 * Domain -> Dom0: one eventfd per domain, the doorbell. Dom0 then looks at everything the domain
 * has; it keeps no pending bits of its own.
 */
#ifndef SPLITDOM_RING_EVTCHN_H
#define SPLITDOM_RING_EVTCHN_H

#include <stdbool.h>
#include <stdint.h>

#include "splitdom/xen/shared_info.h"

/*
 * Sender: marks port pending and raises the upcall of vcpu. True: the vCPU may be asleep, call
 * evtchn_wake. Mandatory order: pending bit, selector bit, upcall flag; pairs with evtchn_collect,
 * which clears in the opposite order. Everything in *si may be garbage: at worst the domain misses
 * its own events. port < EVTCHN_2L_NR_CHANNELS and vcpu < XEN_LEGACY_MAX_VCPUS are ours to ensure.
 */
bool evtchn_set_pending(struct shared_info *si, evtchn_port_t port, uint32_t vcpu);

/* Wakes whoever sleeps as vcpu. Errors: -EFAULT the domain took its memory away. */
int evtchn_wake(struct shared_info *si, uint32_t vcpu);

/* Makes vcpu's sleepers run without any port being pending: something outside the rings happened.
 */
void evtchn_raise_upcall(struct shared_info *si, uint32_t vcpu);

/*
 * Receiver: sleeps as vcpu until an upcall is pending. timeout_ns < 0: no limit. Returns 0 or
 * -ETIMEDOUT, in time whatever else wakes us meanwhile. Several threads may sleep as one vCPU; an
 * upcall wakes one of them.
 */
int evtchn_wait(struct shared_info *si, uint32_t vcpu, int64_t timeout_ns);

/*
 * Receiver: takes vcpu's pending, unmasked ports: calls fn for each after clearing its pending bit,
 * so that an event which comes during fn is not lost. Returns the number of ports.
 */
int evtchn_collect(struct shared_info *si, uint32_t vcpu, void (*fn)(void *ctx, evtchn_port_t port),
                   void *ctx);

/* Masked ports become pending but raise nothing. */
void evtchn_mask(struct shared_info *si, evtchn_port_t port);
/* An event that came while masked is raised again (EVTCHNOP_unmask). */
void evtchn_unmask(struct shared_info *si, evtchn_port_t port, uint32_t vcpu);

/*
 * Is fd, which a peer sent, an eventfd? A pipe or a socket in its place could end the ringing
 * process by SIGPIPE, and anything else could do anything when it is written. Makes fd
 * non-blocking. Errors: -EBADFD it is something else; -EBADF.
 */
int evtchn_check_doorbell(int fd);

/* Nobody listens any more: lets go whoever is held up in evtchn_kick, because a Dom0 that did not
 * play by the rules made its doorbell blocking and full. */
void evtchn_silence(int doorbell_fd);

/* Rings the doorbell of Dom0. Never blocks. Errors: -errno of write(2), but a full counter is 0. */
int evtchn_kick(int doorbell_fd);

#endif
