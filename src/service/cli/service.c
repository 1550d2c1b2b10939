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

static int run_verb(struct service_options *options)
{
    struct rundir rundir;
    struct why why;
    int rc;

    if (options->verb == SERVICE_START)
        return verb_start(options);
    rc = rundir_resolve(options->rundir, options->name, false, &rundir, why.text, sizeof(why.text));
    if (rc == -ENOENT && options->verb != SERVICE_ENV)
        return verb_not_running(&rundir);
    if (rc < 0 && rc != -ENOENT) {
        fprintf(stderr, "service: %s\n", why.text);
        return rc == -EINVAL ? VERB_USAGE : VERB_FAILED;
    }
    if (options->domain != NULL && (rc = verb_name_resolve(&rundir, options)) != VERB_OK)
        return rc;
    switch (options->verb) {
    case SERVICE_STOP:
        return verb_stop(&rundir);
    case SERVICE_STATUS:
        return verb_status(&rundir, options);
    case SERVICE_ENV:
        return verb_env(&rundir);
    case SERVICE_LIST:
        return verb_list(&rundir, options);
    case SERVICE_BLOCK_ATTACH:
    case SERVICE_BLOCK_DETACH:
        return verb_block(&rundir, options);
    case SERVICE_DESTROY:
        return verb_destroy(&rundir, options);
    case SERVICE_BLOCK_LIST:
        return verb_block_list(&rundir, options);
    case SERVICE_NETWORK_ATTACH:
    case SERVICE_NETWORK_DETACH:
    case SERVICE_NETWORK_LIST:
    case SERVICE_NET_LINK:
    case SERVICE_RULE:
        return verb_network(&rundir, options);
    case SERVICE_TOP:
        return verb_top(&rundir, options);
    case SERVICE_TRACE:
        return verb_trace(&rundir, options);
    case SERVICE_UPTIME:
        return verb_uptime(&rundir, options);
    case SERVICE_DOMID:
    case SERVICE_DOMNAME:
    case SERVICE_RENAME:
        return verb_name(&rundir, options);
    case SERVICE_RESIZE:
        return options->value != NULL ? verb_block(&rundir, options) : verb_store(&rundir, options);
    default:
        return verb_store(&rundir, options);
    }
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
