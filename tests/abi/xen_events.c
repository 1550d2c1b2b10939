/* SPDX-License-Identifier: MIT */
#include "xen_events.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "xen_headers.h"

/* Seconds in which this process runs: a machine that stands still meanwhile is one of them. */
enum { PATIENCE_S = 60, EVENT_WORDS = EVTCHN_2L_NR_CHANNELS / 64 };

int xen_events_wait(struct xen_events *events)
{
    struct vcpu_info *vcpu = &events->shared_info->vcpu_info[0];
    uint32_t *word = (uint32_t *)(void *)vcpu;
    const struct timespec second = {.tv_sec = 1};
    uint32_t seen, waited_s = 0;
    while (((seen = __atomic_load_n(word, __ATOMIC_SEQ_CST)) & 0xff) == 0) {
        if (syscall(SYS_futex, word, FUTEX_WAIT, seen, &second, NULL, 0) < 0 &&
            errno == ETIMEDOUT && ++waited_s == PATIENCE_S)
            return -ETIMEDOUT;
    }
    __atomic_exchange_n(&vcpu->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
    xen_ulong_t words = __atomic_exchange_n(&vcpu->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    for (uint32_t i = 0; i < EVENT_WORDS; i++) {
        if ((words >> i) & 1)
            __atomic_exchange_n(&events->shared_info->evtchn_pending[i], 0, __ATOMIC_SEQ_CST);
    }
    events->upcalls++;
    return 0;
}

int xen_events_kick(struct xen_events *events)
{
    uint64_t one = 1;
    events->kicks++;
    if (write(events->doorbell, &one, sizeof(one)) == sizeof(one))
        return 0;
    return errno == EAGAIN ? 0 : -errno;
}
