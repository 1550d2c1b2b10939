/* SPDX-License-Identifier: MIT */
#include "service/cli/verb_sample.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "service/cli/control_client.h"
#include "service/cli/verb.h"

/* Behind Dom0's table for people comes the JSON. */
static int read_status(const char *text, size_t bytes, struct top_sample *out, struct why *why)
{
    size_t first_bytes = strlen(text) + 1;
    int rc = first_bytes >= bytes ? -EPROTO
                                  : top_sample_read(out, text + first_bytes, bytes - first_bytes);
    if (rc == -EPROTO)
        return why_fail(why, rc, "Dom0's answer is invalid: is Dom0 of another version?");
    return rc < 0 ? why_fail_errno(why, rc, "cannot read Dom0's answer") : 0;
}

/* One that is about to end closes its sockets before it gives up its lock. */
static bool has_ended(const struct rundir *rundir, int rc)
{
    return rc == -ENOENT || rc == -ECONNREFUSED || rc == -ECONNRESET || rc == -EPIPE ||
           !verb_is_running(rundir, NULL);
}

int verb_sample(void *ctx, struct top_sample *out, struct why *why)
{
    const struct rundir *rundir = ctx;
    char *text;
    size_t bytes;
    *out = (struct top_sample){0};
    int rc = control_client_ask(rundir->control_socket, CONTROL_STATUS, &text, &bytes, why);
    if (rc < 0)
        return has_ended(rundir, rc) ? why_fail(why, -ESHUTDOWN, "Dom0 has ended") : rc;
    rc = read_status(text, bytes, out, why);
    free(text);
    if (rc < 0) {
        top_sample_free(out);
        return rc;
    }
    out->taken_ns = clock_monotonic_ns();
    top_sample_look(out);
    return 0;
}
