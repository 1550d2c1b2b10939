/* SPDX-License-Identifier: MIT */
/*
 * fault_thread: pthread_create, as fault_calls has the others. Apart, because it is linked with who
 * calls it alone: the stage tsan leaves out programs that cannot start a thread.
 */
#include <errno.h>
#include <pthread.h>

#include "fault.h"

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg)
{
    return fault_strikes("pthread_create") ? fault_error(EAGAIN)
                                           : __real_pthread_create(thread, attr, fn, arg);
}
