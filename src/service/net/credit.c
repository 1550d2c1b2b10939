/* SPDX-License-Identifier: MIT */
#include "service/net/credit.h"

#include <assert.h>

#include "tdf/rational.h"

void net_credit_init(struct net_credit *credit, uint64_t bytes, uint64_t interval_ns,
                     uint64_t now_ns)
{
    assert(bytes <= INT64_MAX && (bytes == 0 || interval_ns > 0));
    *credit = (struct net_credit){.bytes = bytes,
                                  .interval_ns = interval_ns,
                                  .left_bytes = (int64_t)bytes,
                                  .window_ns = now_ns};
}

void net_credit_change(struct net_credit *credit, uint64_t bytes, uint64_t interval_ns,
                       uint64_t now_ns)
{
    assert(bytes > 0 && bytes <= INT64_MAX && interval_ns > 0);
    if (credit->bytes == 0) {
        net_credit_init(credit, bytes, interval_ns, now_ns);
        return;
    }
    (void)net_credit_left(credit, now_ns);
    credit->bytes = bytes;
    credit->interval_ns = interval_ns;
    if (credit->left_bytes > (int64_t)bytes)
        credit->left_bytes = (int64_t)bytes;
}

uint32_t net_credit_left(struct net_credit *credit, uint64_t now_ns)
{
    if (credit->bytes == 0)
        return UINT32_MAX;
    if (now_ns > credit->window_ns) {
        uint64_t windows = (now_ns - credit->window_ns) / credit->interval_ns;
        s128 left = (s128)windows * (int64_t)credit->bytes + credit->left_bytes;

        credit->window_ns += windows * credit->interval_ns;
        credit->left_bytes = left > (int64_t)credit->bytes ? (int64_t)credit->bytes : (int64_t)left;
    }
    if (credit->left_bytes <= 0)
        return 0;
    return credit->left_bytes < UINT32_MAX ? (uint32_t)credit->left_bytes : UINT32_MAX;
}

void net_credit_pay(struct net_credit *credit, uint32_t bytes)
{
    if (credit->bytes != 0)
        credit->left_bytes -= bytes;
}

uint64_t net_credit_when_ns(const struct net_credit *credit)
{
    assert(credit->bytes != 0 && credit->left_bytes <= 0);

    uint64_t owed = (uint64_t)-credit->left_bytes;
    uint64_t windows = owed / credit->bytes + 1, ns;

    if (__builtin_mul_overflow(windows, credit->interval_ns, &ns) ||
        __builtin_add_overflow(ns, credit->window_ns, &ns))
        return UINT64_MAX;
    return ns;
}
