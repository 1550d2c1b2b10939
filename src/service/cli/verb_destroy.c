/* SPDX-License-Identifier: MIT */
/* destroy: ends a domain at once, whether it listens or not. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "service/cli/control_client.h"
#include "service/cli/verb.h"

int verb_destroy(const struct rundir *rundir, const struct service_options *options)
{
    struct why why;
    int rc = control_client_tell(rundir->control_socket, CONTROL_DESTROY, options->domid, NULL,
                                 CONTROL_CLIENT_TIMEOUT_S, &why);
    if (rc == 0)
        return VERB_OK;
    if (rc == -ENOENT)
        fprintf(stderr, "service: there is no domain %" PRIu32 ": see 'service list'\n",
                options->domid);
    else
        fprintf(stderr, "service: cannot destroy domain %" PRIu32 ": %s\n", options->domid,
                why.text);
    return VERB_FAILED;
}
