/* SPDX-License-Identifier: MIT */
#include "service/cli/verb.h"

#include <stdio.h>
#include <string.h>

#include "service/cli/lock.h"

int verb_not_running(const struct rundir *rundir)
{
    fprintf(stderr, "service: no service '%s' is running in %s: start it with 'service start'\n",
            rundir->name, rundir->base);
    return VERB_NOT_RUNNING;
}

bool verb_is_running(const struct rundir *rundir, pid_t *holder)
{
    pid_t pid;
    const int rc = lock_holder(rundir->lock, &pid);

    if (rc != 0)
        fprintf(stderr, "service: cannot ask for the lock %s: %s\n", rundir->lock,
                strerrordesc_np(-rc));
    if (holder != NULL)
        *holder = pid;
    return rc == 0 && pid != 0;
}
