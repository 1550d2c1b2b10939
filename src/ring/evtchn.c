/* SPDX-License-Identifier: MIT */
#include "ring/evtchn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "ring/barrier.h"
#include "ring/futex.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the wire formats are little-endian"
#endif
enum { UPCALL_PENDING_BYTE = 0xff };

/* The futex word: evtchn_upcall_pending is its first byte, evtchn_upcall_mask its second. */
static uint32_t *upcall_word(struct shared_info *si, uint32_t vcpu)
{
    assert(vcpu < XEN_LEGACY_MAX_VCPUS);
    return (uint32_t *)(void *)&si->vcpu_info[vcpu];
}

static bool raise_vcpu(struct shared_info *si, uint32_t word, uint32_t vcpu)
{
    struct vcpu_info *v = &si->vcpu_info[vcpu];
    uint64_t bit = 1ull << word;
    if (fetch_or_full_u64(&v->evtchn_pending_sel, bit) & bit)
        return false; /* whoever set the bit raised the upcall, or is just about to */
    return exchange_full_u8(&v->evtchn_upcall_pending, 1) == 0;
}

bool evtchn_set_pending(struct shared_info *si, evtchn_port_t port, uint32_t vcpu)
{
    assert(port < EVTCHN_2L_NR_CHANNELS && vcpu < XEN_LEGACY_MAX_VCPUS);
    uint64_t bit = 1ull << (port % 64);
    if (fetch_or_full_u64(&si->evtchn_pending[port / 64], bit) & bit)
        return false;
    if (load_full_u64(&si->evtchn_mask[port / 64]) & bit)
        return false; /* who unmasks it looks at the pending bit */
    return raise_vcpu(si, port / 64, vcpu);
}

int evtchn_wake(struct shared_info *si, uint32_t vcpu)
{
    int woken = futex_wake(upcall_word(si, vcpu), 1, FUTEX_SCOPE_SHARED);
    return woken < 0 ? woken : 0;
}

void evtchn_raise_upcall(struct shared_info *si, uint32_t vcpu)
{
    store_full_u8(&si->vcpu_info[vcpu].evtchn_upcall_pending, 1);
    (void)futex_wake(upcall_word(si, vcpu), INT_MAX, FUTEX_SCOPE_SHARED);
}

int evtchn_wait(struct shared_info *si, uint32_t vcpu, int64_t timeout_ns)
{
    const uint32_t *word = upcall_word(si, vcpu);
    uint64_t begin_ns = timeout_ns > 0 ? clock_monotonic_ns() : 0;
    int64_t left_ns = timeout_ns;
    for (;;) {
        if (load_full_u8(&si->vcpu_info[vcpu].evtchn_upcall_pending) != 0)
            return 0;
        /* Compare with the whole word as it is: garbage in its padding must not turn the sleep
         * into a spin, and a flag that was raised meanwhile makes futex_wait return at once. */
        uint32_t seen = load_full_u32(word);
        if ((seen & UPCALL_PENDING_BYTE) != 0)
            return 0;
        if (futex_wait(word, seen, left_ns, FUTEX_SCOPE_SHARED) == -ETIMEDOUT)
            return -ETIMEDOUT;
        /* Woken for nothing: what has passed counts, or a stream of wake-ups would go on for ever.
         */
        if (timeout_ns > 0) {
            left_ns = timeout_ns - (int64_t)(clock_monotonic_ns() - begin_ns);
            if (left_ns < 0)
                left_ns = 0;
        }
    }
}

int evtchn_collect(struct shared_info *si, uint32_t vcpu, void (*fn)(void *ctx, evtchn_port_t port),
                   void *ctx)
{
    assert(vcpu < XEN_LEGACY_MAX_VCPUS);
    struct vcpu_info *v = &si->vcpu_info[vcpu];
    int count = 0;
    exchange_full_u8(&v->evtchn_upcall_pending, 0);
    uint64_t words = exchange_full_u64(&v->evtchn_pending_sel, 0);
    while (words != 0) {
        uint32_t word = (uint32_t)__builtin_ctzll(words);
        words &= words - 1;
        uint64_t ready =
            load_full_u64(&si->evtchn_pending[word]) & ~load_full_u64(&si->evtchn_mask[word]);
        fetch_and_full_u64(&si->evtchn_pending[word], ~ready);
        for (; ready != 0; ready &= ready - 1, count++)
            fn(ctx, word * 64 + (evtchn_port_t)__builtin_ctzll(ready));
    }
    return count;
}

/* Adds to an eventfd's count. Errors: those of write(2), interruptions left out. */
static int add(int fd, uint64_t count)
{
    ssize_t n;
    do
        n = write(fd, &count, sizeof(count));
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(count) ? 0 : n < 0 ? -errno : -EIO;
}

/*
 * An eventfd has no type of file, and takes eight bytes of zeros, which add nothing to it: of the
 * nameless files of the kernel no other one does. /proc would tell, too, where there is one.
 */
int evtchn_check_doorbell(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if ((st.st_mode & S_IFMT) != 0)
        return -EBADFD;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || add(fd, 0) < 0)
        return -EBADFD;
    return 0;
}

void evtchn_silence(int doorbell_fd)
{
    uint64_t count;
    /* The flag is shared with Dom0, which could have changed it. Who is gone changes it no more. */
    int flags = fcntl(doorbell_fd, F_GETFL);
    if (flags < 0 || fcntl(doorbell_fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return;
    while (read(doorbell_fd, &count, sizeof(count)) < 0 && errno == EINTR)
        continue;
}

int evtchn_kick(int doorbell_fd)
{
    int rc = add(doorbell_fd, 1);
    return rc == -EAGAIN ? 0 : rc;
}
