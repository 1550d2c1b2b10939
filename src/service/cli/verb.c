/* SPDX-License-Identifier: MIT */
#include "service/cli/verb.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/why.h"
#include "service/cli/lock.h"

int verb_not_running(const struct rundir *rundir)
{
    struct why why;
    rundir_explain_absence(rundir, why.text, sizeof(why.text));
    fprintf(stderr, "service: %s\n", why.text);
    return VERB_NOT_RUNNING;
}

int verb_end_output(void)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return VERB_OK;
    fprintf(stderr, "service: cannot write to stdout: %s\n", strerror(errno));
    return VERB_FAILED;
}

bool verb_is_running(const struct rundir *rundir, pid_t *holder)
{
    pid_t pid;
    int rc = lock_holder(rundir->lock, &pid);

    if (rc < 0)
        fprintf(stderr, "service: cannot ask for the lock %s: %s\n", rundir->lock, strerror(-rc));
    if (holder != NULL)
        *holder = pid;
    return rc == 0 && pid != 0;
}
