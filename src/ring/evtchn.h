/* SPDX-License-Identifier: MIT */
/*
 * evtchn: event channels, the interrupts of a paravirtual domain.
 *
 * Dom0 to domain: two levels of bits in shared_info (Xen's EVTCHN_2L ABI, xen/common/event_2l.c).
 * An event for a port that is already pending changes nothing: several events can become one. The
 * vCPU that a port is bound to sleeps on a futex, the first word of its vcpu_info
 * (splitdom/xen/shared_info.h).
 *
 * Domain to Dom0: one eventfd for each domain, the doorbell. Dom0 keeps no pending bits: when a
 * doorbell has rung, it looks at everything that domain has.
 *
 * port < EVTCHN_2L_NR_CHANNELS and vcpu < XEN_LEGACY_MAX_VCPUS: the caller's numbers, asserted.
 */
#ifndef SPLITDOM_RING_EVTCHN_H
#define SPLITDOM_RING_EVTCHN_H

#include <stdbool.h>
#include <stdint.h>

#include "splitdom/xen/shared_info.h"

/*
 * Sender: marks port pending and raises the upcall of vcpu. True: the vCPU may be asleep, call
 * evtchn_wake. The order is pending bit, selector bit, upcall flag; it pairs with evtchn_collect,
 * which clears in the opposite order. Everything in *si may be garbage: then the domain misses its
 * own events, and nobody else's.
 */
bool evtchn_set_pending(struct shared_info *si, evtchn_port_t port, uint32_t vcpu);

/* Wakes whoever sleeps as vcpu. Errors: -EFAULT the domain took its memory away. */
int evtchn_wake(struct shared_info *si, uint32_t vcpu);

/* Wakes all who sleep as vcpu although no port is pending: something outside the rings happened. */
void evtchn_raise_upcall(struct shared_info *si, uint32_t vcpu);

/*
 * Receiver: sleeps as vcpu until an upcall is pending. timeout_ns < 0: no limit. Returns 0, or
 * -ETIMEDOUT once timeout_ns is over, however often something else wakes the sleeper before.
 * Several threads may sleep as one vCPU; an upcall wakes one of them.
 */
int evtchn_wait(struct shared_info *si, uint32_t vcpu, int64_t timeout_ns);

/*
 * Receiver: calls fn for each port of vcpu that is pending and not masked. The pending bit is
 * cleared before the call, so an event that comes during fn is not lost. Returns the number of
 * ports.
 */
int evtchn_collect(struct shared_info *si, uint32_t vcpu, void (*fn)(void *ctx, evtchn_port_t port),
                   void *ctx);

/*
 * Is fd, which a peer sent, an eventfd? A pipe or a socket in its place could end the ringing
 * process by SIGPIPE, and anything else could do anything when it is written. Makes fd
 * non-blocking. Errors: -EBADFD it is something else; -EBADF.
 */
int evtchn_check_doorbell(int fd);

/* Nobody listens to this doorbell any more: frees a thread that is blocked in evtchn_kick, because
 * Dom0 broke the rules and made its doorbell blocking and full. */
void evtchn_silence(int doorbell_fd);

/* Rings the doorbell of Dom0. Never blocks. Errors: -errno of write(2), but a full counter is 0. */
int evtchn_kick(int doorbell_fd);

#endif
