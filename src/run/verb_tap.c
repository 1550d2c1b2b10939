/* SPDX-License-Identifier: MIT */
/*
 * tap: an interface of a domain as one of the kernel, in the network namespace of the caller, or as
 * a socket that the caller has: the way for programs that know nothing of splitdom.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "bridge/net/tap_pump.h"
#include "run/verb.h"
#include "run/verb_option.h"
#include "run/vif_session.h"

struct tap_verb {
    struct vif_options options;
    const char *name;    /* NULL: a socket */
    int fd;              /* that one */
    const char *address; /* NULL: none */
};

static int check(struct tap_verb *verb, const char *fd, const char *queues, struct why *why)
{
    uint64_t number = 1;

    if (verb->name == NULL && fd == NULL)
        return why_fail(why, -EINVAL, "IFNAME is missing, the name of the interface (or --fd N)");
    if (queues != NULL &&
        verb_option_number("--queues", queues, 1, NETFRONT_QUEUES_MAX, &number, why) < 0)
        return -EINVAL;
    verb->options.queues = (uint32_t)number;
    if (fd == NULL)
        return 0;
    if (verb->name != NULL || verb->address != NULL || queues != NULL)
        return why_fail(why, -EINVAL, "--fd goes with no interface of the kernel's");
    int rc = verb_option_number("--fd", fd, 3, INT32_MAX, &number, why);
    verb->fd = (int)number;
    verb->options.no_offload = true;
    return rc;
}

static int parse(int argc, char **argv, struct tap_verb *verb, struct why *why)
{
    const char *fd = NULL, *queues = NULL;
    int at = 1;

    while (at < argc) {
        int rc = vif_options_take(&verb->options, argc, argv, &at, why);
        if (rc == 0)
            rc = verb_option_take("--address", argc, argv, &at, &verb->address, why);
        if (rc == 0)
            rc = verb_option_take("--queues", argc, argv, &at, &queues, why);
        if (rc == 0)
            rc = verb_option_take("--fd", argc, argv, &at, &fd, why);
        if (rc < 0)
            return rc;
        if (rc > 0)
            continue;
        if (argv[at][0] == '-' || verb->name != NULL)
            return why_fail(why, -EINVAL, "unknown argument '%s'", argv[at]);
        verb->name = argv[at++];
    }
    return check(verb, fd, queues, why);
}

/* Until a signal comes, or the pump ends. */
static int follow(struct vif_session *session, struct tap_pump *pump, bool is_socket,
                  struct why *why)
{
    struct pollfd fds[2] = {{.fd = session->stop_fd, .events = POLLIN},
                            {.fd = tap_pump_fd(pump), .events = POLLIN}};
    bool of_tap;

    while (poll(fds, 2, -1) < 1)
        continue;
    int rc = tap_pump_error(pump, &of_tap);
    if (rc == 0 || fds[0].revents != 0)
        return 0;
    if (of_tap)
        return why_fail(why, rc, "the %s is gone: %s", is_socket ? "socket" : "tap device",
                        strerror(-rc));
    return why_fail(why, rc, "%s", netfront_failure(session->nf));
}

static int carry(const struct tap_verb *verb, struct vif_session *session, struct why *why)
{
    struct tap_pump *pump = NULL;
    struct netfront_info info;
    struct tap tap;

    netfront_info(session->nf, &info);
    int rc = verb->name == NULL
                 ? tap_adopt(&tap, verb->fd, why)
                 : tap_open(&tap, verb->name, netfront_queues(session->nf), &info, why);
    if (rc == 0 && verb->address != NULL)
        rc = tap_set_address(&tap, verb->address, why);
    if (rc == 0) {
        rc = tap_pump_start(session->nf, &tap, &pump);
        if (rc < 0)
            why_fail_errno(why, rc, "cannot carry frames");
    }
    if (rc == 0)
        rc = follow(session, pump, tap.is_socket, why);
    tap_pump_stop(pump);
    tap_close(&tap);
    return rc;
}

static int tap_main(int argc, char **argv)
{
    struct tap_verb verb = {.name = NULL};
    struct vif_session session;
    struct why why = {""};

    if (parse(argc, argv, &verb, &why) < 0)
        return verb_usage(&verb_tap, &why);
    int rc = vif_session_open(&session, &verb.options, &why);
    if (rc == 0) {
        rc = carry(&verb, &session, &why);
        vif_session_close(&session);
    }
    return verb_end(rc, &why);
}

const struct domu_verb verb_tap = {
    .name = "tap",
    .arguments = "IFNAME|--fd N [options]",
    .help = "    makes a network interface of a domain one of this network namespace\n"
            "    --address A.B.C.D/P   its IPv4 address, else none\n"
            "    --queues N            of tap device and interface, if Dom0 has as many (1)\n"
            "    --fd N                or a socket that is open as N: one frame a "
            "message\n" VIF_OPTIONS_HELP,
    .main = tap_main,
};
