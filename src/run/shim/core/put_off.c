/* SPDX-License-Identifier: MIT */
#include "run/shim/core/put_off.h"

#include <stdint.h>
#include <sys/syscall.h>

#include "ring/barrier.h"
#include "run/shim/core/process.h"
#include "run/shim/core/stub.h"

void put_off_tell(void)
{
    fetch_add_relaxed_u32(&process.put_off, 1);
}

bool put_off_is_due(void)
{
    uint32_t count = load_relaxed_u32(&process.put_off), before;
    uint64_t pending = 0;

    if (__builtin_expect(count == 0, 1))
        return false;
    do { /* it may come in this call */
        before = count;
        SYS2(SYS_rt_sigpending, &pending, sizeof(pending));
        count = load_relaxed_u32(&process.put_off);
    } while (count != before);
    return (pending & UINT64_C(1) << (CANCEL_SIGNAL - 1)) != 0;
}
