/* SPDX-License-Identifier: MIT */
/*
 * rundir_watch: notices when a name is taken out of the run directory, as a cleaner of temporary
 * files does. Costs nothing while nothing happens there (inotify(7)).
 */
#ifndef SPLITDOM_SERVICE_DOM0_RUNDIR_WATCH_H
#define SPLITDOM_SERVICE_DOM0_RUNDIR_WATCH_H

#include "service/loop/poller.h"

struct rundir_watch;

/* Called from poller_run. */
struct rundir_watch_ops {
    /* It is no longer there, or was for a moment not. NULL: any name may be lost, the kernel has
     * dropped what it had to tell. */
    void (*lost)(void *ctx, const char *name);
    /* The directory itself was renamed, or removed and nobody holds it open. Where somebody does,
     * as the lock does, only the loss of its names is told: a directory is empty when it goes. */
    void (*gone)(void *ctx);
};

/* Watches the directory dir. Errors: -errno (-ENOSYS, -EMFILE, ...: then nothing is noticed). */
int rundir_watch_create(const char *dir, struct poller *poller, const struct rundir_watch_ops *ops,
                        void *ctx, struct rundir_watch **out);
/* NULL allowed. */
void rundir_watch_destroy(struct rundir_watch *watch);

#endif
