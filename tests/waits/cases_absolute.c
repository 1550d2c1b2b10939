/* SPDX-License-Identifier: MIT */
/* Waits until a time by some clock. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <threads.h>
#include <unistd.h>

#include "tests/waits/waits.h"

static void over(int error)
{
    errno = error;
    if (error != ETIMEDOUT)
        broken("no time-out");
    end(0);
}

static void sleep_until(clockid_t clock)
{
    struct timespec until = wait_until(clock);
    begin();
    errno = clock_nanosleep(clock, TIMER_ABSTIME, &until, NULL);
    if (errno != 0)
        broken("clock_nanosleep");
    end(0);
}

static void until_realtime(void)
{
    sleep_until(CLOCK_REALTIME);
}
static void until_monotonic(void)
{
    sleep_until(CLOCK_MONOTONIC);
}
static void until_boottime(void)
{
    sleep_until(CLOCK_BOOTTIME);
}
static void until_tai(void)
{
    sleep_until(CLOCK_TAI);
}

/* The past is over. */
static void until_past(void)
{
    struct timespec until = wait_until(CLOCK_MONOTONIC);
    until.tv_sec -= 10;
    int64_t from = clock_ns(CLOCK_MONOTONIC);
    begin();
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    end(clock_ns(CLOCK_MONOTONIC) - from);
}

static void condition(clockid_t clock)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_condattr_t attributes;
    pthread_cond_t cond;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, clock);
    pthread_cond_init(&cond, &attributes);
    struct timespec until = wait_until(clock);
    int error = 0;
    pthread_mutex_lock(&mutex);
    begin();
    while (error == 0)
        error = pthread_cond_timedwait(&cond, &mutex, &until);
    over(error);
}

static void cond_realtime(void)
{
    condition(CLOCK_REALTIME);
}
static void cond_monotonic(void)
{
    condition(CLOCK_MONOTONIC);
}

/* Somebody else has it for good. */
static void *keep_mutex(void *mutex)
{
    pthread_mutex_lock(mutex);
    sem_t never;
    sem_init(&never, 0, 0);
    for (;;)
        sem_wait(&never);
    return NULL;
}

static void taken(pthread_mutex_t *mutex)
{
    pthread_t thread;
    must(-pthread_create(&thread, NULL, keep_mutex, mutex), "thread");
    while (pthread_mutex_trylock(mutex) == 0) {
        pthread_mutex_unlock(mutex);
        sched_yield();
    }
}

static void mutex_timed(void)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    taken(&mutex);
    struct timespec until = wait_until(CLOCK_REALTIME);
    begin();
    over(pthread_mutex_timedlock(&mutex, &until));
}

static void mutex_pi(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t mutex;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&mutex, &attributes);
    taken(&mutex);
    struct timespec until = wait_until(CLOCK_REALTIME);
    begin();
    over(pthread_mutex_timedlock(&mutex, &until));
}

static void *wait_for_lock(void *lock)
{
    struct timespec until = wait_until(CLOCK_REALTIME);
    begin();
    over(pthread_rwlock_timedrdlock(lock, &until));
    return NULL;
}

static void *wait_for_write(void *lock)
{
    struct timespec until = wait_until(CLOCK_REALTIME);
    begin();
    over(pthread_rwlock_timedwrlock(lock, &until));
    return NULL;
}

static void in_thread(void *(*function)(void *), void *argument)
{
    pthread_t thread;
    must(-pthread_create(&thread, NULL, function, argument), "thread");
    pthread_join(thread, NULL);
}

/* For what its holder keeps waiting. The writer itself gets EDEADLK: another thread asks. */
static void beside_holder(int (*hold)(pthread_rwlock_t *), void *(*wait)(void *))
{
    pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
    hold(&lock);
    in_thread(wait, &lock);
}

static void rwlock_timedrd(void)
{
    beside_holder(pthread_rwlock_wrlock, wait_for_lock);
}

static void rwlock_timedwr(void)
{
    beside_holder(pthread_rwlock_rdlock, wait_for_write);
}

static void sem_timed(void)
{
    sem_t sem;
    sem_init(&sem, 0, 0);
    struct timespec until = wait_until(CLOCK_REALTIME);
    begin();
    over(sem_timedwait(&sem, &until) < 0 ? errno : 0);
}

static mqd_t queue(void)
{
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 8};
    char name[32];
    snprintf(name, sizeof(name), "/waits.%d", (int)getpid());
    mqd_t mq = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    if (mq < 0)
        absent("no message queues");
    mq_unlink(name);
    return mq;
}

static void mq_receive_timed(void)
{
    char bytes[8];
    mqd_t mq = queue();
    struct timespec until = wait_until(CLOCK_REALTIME);
    begin();
    over(mq_timedreceive(mq, bytes, sizeof(bytes), NULL, &until) < 0 ? errno : 0);
}

static void mq_send_timed(void)
{
    mqd_t mq = queue();
    must(mq_send(mq, "x", 1, 0), "mq_send");
    struct timespec until = wait_until(CLOCK_REALTIME);
    begin();
    over(mq_timedsend(mq, "y", 1, 0, &until) < 0 ? errno : 0);
}

static void c11_cond(void)
{
    mtx_t mutex;
    cnd_t cond;
    mtx_init(&mutex, mtx_plain);
    cnd_init(&cond);
    struct timespec until = wait_until(CLOCK_REALTIME);
    mtx_lock(&mutex);
    begin();
    int result = thrd_success;
    while (result == thrd_success)
        result = cnd_timedwait(&cond, &mutex, &until);
    over(result == thrd_timedout ? ETIMEDOUT : EINVAL);
}

#ifdef __GLIBC__
static void cond_clock(clockid_t clock)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    struct timespec until = wait_until(clock);
    int error = 0;
    pthread_mutex_lock(&mutex);
    begin();
    while (error == 0)
        error = pthread_cond_clockwait(&cond, &mutex, clock, &until);
    over(error);
}

static void cond_clock_monotonic(void)
{
    cond_clock(CLOCK_MONOTONIC);
}
static void cond_clock_realtime(void)
{
    cond_clock(CLOCK_REALTIME);
}

static void mutex_clock(void)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    taken(&mutex);
    struct timespec until = wait_until(CLOCK_MONOTONIC);
    begin();
    over(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &until));
}

static void mutex_pi_clock(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t mutex;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&mutex, &attributes);
    taken(&mutex);
    struct timespec until = wait_until(CLOCK_MONOTONIC);
    begin();
    int error = pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &until);
    if (error == EINVAL)
        absent("this C library has none with priority inheritance");
    over(error);
}

static void *wait_for_clock_write(void *lock)
{
    struct timespec until = wait_until(CLOCK_MONOTONIC);
    begin();
    over(pthread_rwlock_clockwrlock(lock, CLOCK_MONOTONIC, &until));
    return NULL;
}

static void *wait_for_clock_read(void *lock)
{
    struct timespec until = wait_until(CLOCK_MONOTONIC);
    begin();
    over(pthread_rwlock_clockrdlock(lock, CLOCK_MONOTONIC, &until));
    return NULL;
}

static void rwlock_clockwr(void)
{
    beside_holder(pthread_rwlock_rdlock, wait_for_clock_write);
}

static void rwlock_clockrd(void)
{
    beside_holder(pthread_rwlock_wrlock, wait_for_clock_read);
}

static void sem_clock(void)
{
    sem_t sem;
    sem_init(&sem, 0, 0);
    struct timespec until = wait_until(CLOCK_MONOTONIC);
    begin();
    over(sem_clockwait(&sem, CLOCK_MONOTONIC, &until) < 0 ? errno : 0);
}

static void *forever(void *unused)
{
    sem_t never;
    (void)unused;
    sem_init(&never, 0, 0);
    for (;;)
        sem_wait(&never);
    return NULL;
}

static void join_timed(void)
{
    pthread_t thread;
    must(-pthread_create(&thread, NULL, forever, NULL), "thread");
    struct timespec until = wait_until(CLOCK_REALTIME);
    begin();
    over(pthread_timedjoin_np(thread, NULL, &until));
}

static void join_clock(void)
{
    pthread_t thread;
    must(-pthread_create(&thread, NULL, forever, NULL), "thread");
    struct timespec until = wait_until(CLOCK_MONOTONIC);
    begin();
    over(pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until));
}

#endif

const struct wait_case cases_absolute[] = {
    {"clock_nanosleep until REALTIME", KIND_WAIT, until_realtime, 0, 0, 0, 0, 0},
    {"clock_nanosleep until MONOTONIC", KIND_WAIT, until_monotonic, 0, 0, 0, 0, 0},
    {"clock_nanosleep until BOOTTIME", KIND_WAIT, until_boottime, 0, 0, 0, 0, 0},
    {"clock_nanosleep until TAI", KIND_WAIT, until_tai, 0, 0, 0, 0, 0},
    {"clock_nanosleep until the past", KIND_EQUAL, until_past, 0, 0, 0, 0, 0},
    {"pthread_cond_timedwait REALTIME", KIND_WAIT, cond_realtime, 0, 0, 0, 0, 0},
    {"pthread_cond_timedwait MONOTONIC", KIND_WAIT, cond_monotonic, 0, 0, 0, 0, 0},
    {"pthread_mutex_timedlock", KIND_WAIT, mutex_timed, 0, 0, 0, 0, 0},
    {"pthread_mutex_timedlock PI", KIND_WAIT, mutex_pi, 0, 0, 0, 0, 0},
    {"pthread_rwlock_timedrdlock", KIND_WAIT, rwlock_timedrd, 0, 0, 0, 0, 0},
    {"pthread_rwlock_timedwrlock", KIND_WAIT, rwlock_timedwr, 0, 0, 0, 0, 0},
    {"sem_timedwait", KIND_WAIT, sem_timed, 0, 0, 0, 0, 0},
    {"mq_timedreceive", KIND_WAIT, mq_receive_timed, 0, 0, 0, 0, 0},
    {"mq_timedsend", KIND_WAIT, mq_send_timed, 0, 0, 0, 0, 0},
    {"cnd_timedwait", KIND_WAIT, c11_cond, 0, 0, 0, 0, 0},
#ifdef __GLIBC__
    {"pthread_cond_clockwait MONOTONIC", KIND_WAIT, cond_clock_monotonic, 0, 0, 0, 0, 0},
    {"pthread_cond_clockwait REALTIME", KIND_WAIT, cond_clock_realtime, 0, 0, 0, 0, 0},
    {"pthread_mutex_clocklock", KIND_WAIT, mutex_clock, 0, 0, 0, 0, 0},
    {"pthread_mutex_clocklock PI", KIND_WAIT, mutex_pi_clock, 0, 0, 0, 0, 0},
    {"pthread_rwlock_clockwrlock", KIND_WAIT, rwlock_clockwr, 0, 0, 0, 0, 0},
    {"pthread_rwlock_clockrdlock", KIND_WAIT, rwlock_clockrd, 0, 0, 0, 0, 0},
    {"sem_clockwait", KIND_WAIT, sem_clock, 0, 0, 0, 0, 0},
    {"pthread_timedjoin_np", KIND_WAIT, join_timed, 0, 0, 0, 0, 0},
    {"pthread_clockjoin_np", KIND_WAIT, join_clock, 0, 0, 0, 0, 0},
#endif
    {.name = NULL},
};
