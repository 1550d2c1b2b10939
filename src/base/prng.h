/* SPDX-License-Identifier: MIT */
/*
 * prng: pseudo-random numbers that a seed reproduces on every machine.
 *
 * xoshiro256** (Blackman and Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS
 * 47(4), 2021), seeded through splitmix64 (Steele, Lea and Flood, OOPSLA 2014) as its authors
 * advise. Not for secrets. Each generator belongs to one thread.
 */
#ifndef SPLITDOM_BASE_PRNG_H
#define SPLITDOM_BASE_PRNG_H

#include <stdint.h>

struct prng {
    uint64_t state[4];
};

static inline uint64_t prng_splitmix64(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Seeds the state from splitmix64's sequence at *seeder, and advances *seeder: several generators
 * can be made from one seed. */
static inline void prng_seed(struct prng *prng, uint64_t *seeder)
{
    for (int i = 0; i < 4; i++)
        prng->state[i] = prng_splitmix64(seeder);
}

/* A sequence of its own for each pair of numbers. */
static inline void prng_init(struct prng *prng, uint64_t seed, uint64_t stream)
{
    /* The stream number is mixed before it is combined with the seed: (1, 2) and (2, 1) must
     * differ, and the plain sums or differences of neighbours would give states one step apart. */
    uint64_t mixed_seed = prng_splitmix64(&seed);
    uint64_t state = mixed_seed ^ (stream + 1) * UINT64_C(0xd1342543de82ef95);

    prng_seed(prng, &state);
}

static inline uint64_t prng_rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline uint64_t prng_next(struct prng *prng)
{
    uint64_t *s = prng->state;
    uint64_t result = prng_rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = prng_rotate(s[3], 45);
    return result;
}

/* Uniform in 0..bound-1, without bias; bound >= 1. Uses a multiplication instead of a remainder,
 * and draws again for the few low products that would make some results likelier (Lemire, "Fast
 * random integer generation in an interval", ACM TOMACS 29(1), 2019). */
static inline uint64_t prng_below(struct prng *prng, uint64_t bound)
{
    unsigned __int128 product = (unsigned __int128)prng_next(prng) * bound;

    if ((uint64_t)product < bound) {
        uint64_t reject_below = (0 - bound) % bound;

        while ((uint64_t)product < reject_below)
            product = (unsigned __int128)prng_next(prng) * bound;
    }
    return (uint64_t)(product >> 64);
}

/* Uniform in [0, 1), 53 bits. */
static inline double prng_unit(struct prng *prng)
{
    return (double)(prng_next(prng) >> 11) * 0x1p-53;
}

#endif
