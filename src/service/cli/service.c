/* SPDX-License-Identifier: MIT */
/*
 * service: starts Dom0, ends it, and asks it for its state. Exit: 0 done; 1 failed; 2 wrong
 * arguments; 3 no service is running.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/std_fds.h"
#include "base/why.h"
#include "service/cli/service_options.h"
#include "service/cli/verb.h"
#include "splitdom/version.h"

static int resize(const struct rundir *rundir, const struct service_options *options)
{
    return options->value != NULL ? verb_block(rundir, options) : verb_store(rundir, options);
}

/* Those that need a Dom0. */
static int (*const actions[])(const struct rundir *rundir,
                              const struct service_options *options) = {
    [SERVICE_STATUS] = verb_status,
    [SERVICE_LIST] = verb_list,
    [SERVICE_SET] = verb_store,
    [SERVICE_PAUSE] = verb_store,
    [SERVICE_UNPAUSE] = verb_store,
    [SERVICE_SHUTDOWN] = verb_store,
    [SERVICE_DESTROY] = verb_destroy,
    [SERVICE_RESIZE] = resize,
    [SERVICE_BLOCK_ATTACH] = verb_block,
    [SERVICE_BLOCK_DETACH] = verb_block,
    [SERVICE_BLOCK_LIST] = verb_block_list,
    [SERVICE_NETWORK_ATTACH] = verb_network,
    [SERVICE_NETWORK_DETACH] = verb_network,
    [SERVICE_NETWORK_LIST] = verb_network_list,
    [SERVICE_NET_LINK] = verb_network,
    [SERVICE_RULE] = verb_network,
    [SERVICE_TOP] = verb_top,
    [SERVICE_TRACE] = verb_trace,
    [SERVICE_UPTIME] = verb_uptime,
    [SERVICE_DOMID] = verb_name,
    [SERVICE_DOMNAME] = verb_name,
    [SERVICE_RENAME] = verb_name,
};

static int run_verb(struct service_options *options)
{
    struct rundir rundir;
    struct why why;

    if (options->verb == SERVICE_START)
        return verb_start(options);
    int rc =
        rundir_resolve(options->rundir, options->name, false, &rundir, why.text, sizeof(why.text));
    if (rc < 0 && rc != -ENOENT) {
        fprintf(stderr, "service: %s\n", why.text);
        return rc == -EINVAL ? VERB_USAGE : VERB_FAILED;
    }
    if (options->verb == SERVICE_ENV)
        return verb_env(&rundir);
    if (rc == 0 && options->verb == SERVICE_STOP)
        return verb_stop(&rundir);
    if (rc == 0)
        verb_await_start(&rundir);
    if (rc == -ENOENT || !verb_is_running(&rundir, NULL))
        return verb_not_running(&rundir);
    int status = options->domain != NULL ? verb_name_resolve(&rundir, options) : VERB_OK;
    return status == VERB_OK ? actions[options->verb](&rundir, options) : status;
}

static int run(int argc, char **argv, struct service_options *options)
{
    struct why why;
    if (service_options_parse(argc, argv, options, &why) < 0) {
        fprintf(stderr, "service: %s\nusage: service VERB [options]; see '%s --help'\n", why.text,
                program_invocation_short_name);
        return VERB_USAGE;
    }
    if (options->verb == SERVICE_HELP) {
        fputs(service_options_usage(), stdout);
        return verb_end_output();
    }
    if (options->verb == SERVICE_VERSION) {
        puts("service (splitdom) " SPLITDOM_VERSION);
        return verb_end_output();
    }
    return run_verb(options);
}

int main(int argc, char **argv)
{
    std_fds_fill();
    signal(SIGPIPE, SIG_IGN); /* stdout or a socket closed: the write says EPIPE */
    signal(SIGCHLD, SIG_DFL); /* ignored by a parent: how a start fails would not be told */
    signal(SIGXFSZ, SIG_IGN); /* a file at its size limit, a domain's memory too: EFBIG */
    struct service_options *options = malloc(sizeof(*options)); /* too large for a small stack */
    if (options == NULL)
        fprintf(stderr, "service: out of memory\n");
    int status = options != NULL ? run(argc, argv, options) : EXIT_FAILURE;
    free(options);
    return status;
}
