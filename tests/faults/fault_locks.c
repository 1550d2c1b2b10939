/* SPDX-License-Identifier: MIT */
/*
 * fault_locks: who gives back a lock, waits with one, or destroys one, has it (or, of the last,
 * nobody has). glibc looks at none of that, and a lock that is missing shows only in a race.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void check(bool is_right, const char *what)
{
    if (is_right)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static bool is_mine(const pthread_mutex_t *lock)
{
#ifdef __GLIBC__
    return lock->__data.__owner == gettid();
#else
    return lock != NULL;
#endif
}

int __real_pthread_mutex_unlock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock)
{
    check(is_mine(lock), "a lock is given back by a thread that does not have it");
    return __real_pthread_mutex_unlock(lock);
}

int __real_pthread_mutex_destroy(pthread_mutex_t *lock);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *lock);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *lock)
{
    int error = __real_pthread_mutex_destroy(lock);
    check(error == 0, "a lock is destroyed that somebody has");
    return error;
}

int __real_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock)
{
    check(is_mine(lock), "a thread waits with a lock that it does not have");
    return __real_pthread_cond_wait(cond, lock);
}

int __real_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock,
                                  const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock,
                                  const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock,
                                  const struct timespec *until)
{
    check(is_mine(lock), "a thread waits with a lock that it does not have");
    return __real_pthread_cond_timedwait(cond, lock, until);
}
