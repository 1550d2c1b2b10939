/* SPDX-License-Identifier: MIT */
/*
 * barrier: the only file that spells memory orders. Everything shared between threads or domains is
 * read and written through these functions.
 *
 * Xen's names and what stands for them here:
 *   xen_rmb after reading an index   -> load_acquire of the index
 *   xen_wmb before storing an index  -> store_release of the index
 *   xen_mb between a store and a load of another word (the sleep protocols)
 *                                    -> store_full of the one, load_full of the other
 *
 * full means sequentially consistent: if two sides each store one word and then load the other's,
 * at least one of them sees the other's store. Acquire and release alone do not give that, on x86
 * neither. The promise holds among full accesses only: a load_acquire after a store_full may still
 * come first (not on x86, but on aarch64). docs/concurrency.md lists every pair, and what the
 * compiler makes of each function.
 *
 * There is no stand-alone fence, because ThreadSanitizer can't follow one.
 */
#ifndef SPLITDOM_RING_BARRIER_H
#define SPLITDOM_RING_BARRIER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* ThreadSanitizer can't follow what is not C. */
#if defined(__SANITIZE_THREAD__)
#define BARRIER_IS_WATCHED
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BARRIER_IS_WATCHED
#endif
#endif

_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "32-bit atomics must be lock-free to be shared");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit atomics must be lock-free to be shared");

/* The shared structures keep plain integer types, as the ABI has them: the builtins make the access
 * atomic. */
#define BARRIER_ACCESSORS(suffix, type)                                                            \
    static inline type load_relaxed_##suffix(const type *p)                                        \
    {                                                                                              \
        return __atomic_load_n(p, __ATOMIC_RELAXED);                                               \
    }                                                                                              \
    static inline type load_acquire_##suffix(const type *p)                                        \
    {                                                                                              \
        return __atomic_load_n(p, __ATOMIC_ACQUIRE);                                               \
    }                                                                                              \
    static inline type load_full_##suffix(const type *p)                                           \
    {                                                                                              \
        return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                               \
    }                                                                                              \
    static inline void store_relaxed_##suffix(type *p, type v)                                     \
    {                                                                                              \
        __atomic_store_n(p, v, __ATOMIC_RELAXED);                                                  \
    }                                                                                              \
    static inline void store_release_##suffix(type *p, type v)                                     \
    {                                                                                              \
        __atomic_store_n(p, v, __ATOMIC_RELEASE);                                                  \
    }                                                                                              \
    static inline void store_full_##suffix(type *p, type v)                                        \
    {                                                                                              \
        __atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                                  \
    }                                                                                              \
    static inline type exchange_full_##suffix(type *p, type v)                                     \
    {                                                                                              \
        return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                                        \
    }                                                                                              \
    /* Orders nothing: for counts. */                                                              \
    static inline type fetch_add_relaxed_##suffix(type *p, type v)                                 \
    {                                                                                              \
        return __atomic_fetch_add(p, v, __ATOMIC_RELAXED);                                         \
    }                                                                                              \
    static inline type fetch_or_full_##suffix(type *p, type v)                                     \
    {                                                                                              \
        return __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST);                                          \
    }                                                                                              \
    static inline type fetch_and_full_##suffix(type *p, type v)                                    \
    {                                                                                              \
        return __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST);                                         \
    }                                                                                              \
    /* On failure *expected becomes what was found. */                                             \
    static inline bool compare_exchange_full_##suffix(type *p, type *expected, type desired)       \
    {                                                                                              \
        return __atomic_compare_exchange_n(p, expected, desired, false, __ATOMIC_SEQ_CST,          \
                                           __ATOMIC_SEQ_CST);                                      \
    }

BARRIER_ACCESSORS(u8, uint8_t)
BARRIER_ACCESSORS(u16, uint16_t)
BARRIER_ACCESSORS(u32, uint32_t)
BARRIER_ACCESSORS(u64, uint64_t)
#undef BARRIER_ACCESSORS

/*
 * Copies count words to memory of the caller's own, wherever that begins. As of load_acquire of
 * each: no later load is older. The processor may take many words at a time, and half a word of one
 * moment with half of another: what was copied counts only if a version says that nobody wrote
 * meanwhile.
 */
static inline void copy_acquire_u64(void *to, const uint64_t *from, uint32_t count)
{
#if defined(__x86_64__) && !defined(BARRIER_IS_WATCHED)
    /* Loads are done in order there, whatever their size: those of libc's copy, the widest that the
     * processor has, before any that follow. The compiler keeps to that because of the empty
     * statements. It does not know the count, or it would copy by a string instruction, which takes
     * longer to begin than 512 bytes take to copy. */
    __asm__ volatile("" : "+r"(count) : : "memory");
    __builtin_memcpy(to, from, count * sizeof(*from));
    __asm__ volatile("" : : : "memory");
#else
    for (uint32_t i = 0; i < count; i++) {
        uint64_t word = load_acquire_u64(from + i);
        __builtin_memcpy((uint8_t *)to + i * sizeof(word), &word, sizeof(word));
    }
#endif
}

/*
 * Copies count words from memory of the caller's own to where others read them. As of
 * store_release of each: none is seen before what was stored earlier. Parts of several moments may
 * be seen: copy_acquire_u64.
 */
static inline void copy_release_u64(uint64_t *to, const void *from, uint32_t count)
{
#if defined(__x86_64__) && !defined(BARRIER_IS_WATCHED)
    /* Stores are seen in order there, whatever their size; for so few words libc's copy uses no
     * others. */
    __asm__ volatile("" : "+r"(count) : : "memory");
    __builtin_memcpy(to, from, count * sizeof(*to));
    __asm__ volatile("" : : : "memory");
#else
    for (uint32_t i = 0; i < count; i++) {
        uint64_t word;
        __builtin_memcpy(&word, (const uint8_t *)from + i * sizeof(word), sizeof(word));
        store_release_u64(to + i, word);
    }
#endif
}

static inline void *load_acquire_ptr(void *const *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void *exchange_full_ptr(void **p, void *v)
{
    return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);
}

/* In a spin loop: tells the core that nothing happens until another core writes. */
static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
