/* SPDX-License-Identifier: MIT */
/*
 * pcap: what comes to an interface of a domain, as a capture file: what a rule of Dom0's mirrors to
 * that interface, and what its bridge floods.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bridge/net/pcapng.h"
#include "run/verb.h"
#include "run/verb_option.h"
#include "run/vif_session.h"

struct pcap_verb {
    struct vif_options options;
    const char *path;
    uint64_t count; /* frames to take; 0: until a signal */
    bool domain_time;
};

static int take_option(struct pcap_verb *verb, int argc, char **argv, int *at, struct why *why)
{
    const char *value;
    int rc = vif_options_take(&verb->options, argc, argv, at, why);

    if (rc != 0)
        return rc;
    rc = verb_option_take("--count", argc, argv, at, &value, why);
    if (rc == 1)
        rc = verb_option_number("--count", value, 1, UINT64_MAX, &verb->count, why) < 0 ? -EINVAL
                                                                                        : 1;
    if (rc != 0)
        return rc;
    if (strcmp(argv[*at], "--domain-time") != 0)
        return 0;
    verb->domain_time = true;
    (*at)++;
    return 1;
}

static int parse(int argc, char **argv, struct pcap_verb *verb, struct why *why)
{
    int at = 1;

    while (at < argc) {
        int rc = take_option(verb, argc, argv, &at, why);
        if (rc < 0)
            return rc;
        if (rc > 0)
            continue;
        if ((argv[at][0] == '-' && argv[at][1] != '\0') || verb->path != NULL)
            return why_fail(why, -EINVAL, "unknown argument '%s'", argv[at]);
        verb->path = argv[at++];
    }
    return verb->path == NULL ? why_fail(why, -EINVAL, "which file is to be written?") : 0;
}

/* One frame, or none: *count goes up. Errors: of the interface, and of the file. */
static int take_frame(struct vif_session *session, uint8_t data[NETFRONT_FRAME_MAX], FILE *out,
                      const struct pcapng_interface *interface, uint64_t *count, struct why *why)
{
    struct netfront_frame frame = {.data = data, .room_bytes = NETFRONT_FRAME_MAX};
    int rc = netfront_receive(session->nf, &frame, 1, 0);

    if (rc == -EAGAIN) {
        rc = fflush(out) == 0 ? 0 : -errno; /* who looks at the file sees all that has come */
        return rc < 0 ? why_fail_errno(why, rc, "cannot write the capture") : 0;
    }
    if (rc < 0)
        return why_fail(why, rc, "%s", netfront_failure(session->nf));
    const struct pcapng_frame record = {
        .data = data,
        .captured_bytes = frame.length_bytes,
        .length_bytes = frame.length_bytes,
        .real_ns = clock_ns(CLOCK_REALTIME),
        .domain_ns =
            frame.stamp_ns != NETFRONT_NO_STAMP ? frame.stamp_ns : domu_now_ns(session->domu),
    };
    pcapng_put(out, interface, &record);
    (*count)++;
    return ferror(out) ? why_fail_errno(why, -EIO, "cannot write the capture") : 1;
}

static int capture(const struct pcap_verb *verb, struct vif_session *session, FILE *out,
                   struct why *why)
{
    struct pollfd fds[2] = {{.fd = session->stop_fd, .events = POLLIN},
                            {.fd = netfront_fd(session->nf), .events = POLLIN}};
    struct pcapng_interface interface = {.domain_time = verb->domain_time};
    struct netfront_info info;
    char name[32];
    uint64_t count = 0;

    if (fds[1].fd < 0)
        return why_fail_errno(why, fds[1].fd, "cannot wait for frames");
    netfront_info(session->nf, &info);
    snprintf(name, sizeof(name), "vif%u.%u", info.domid, info.devid);
    interface.name = name;
    memcpy(interface.mac, info.mac, sizeof(interface.mac));
    uint8_t *data = malloc(NETFRONT_FRAME_MAX); /* too large for a small stack */
    int rc = data == NULL ? why_fail(why, -ENOMEM, "out of memory") : 0;
    pcapng_begin(out, &interface);
    while (rc >= 0 && (verb->count == 0 || count < verb->count)) {
        rc = take_frame(session, data, out, &interface, &count, why);
        if (rc == 0 && (poll(fds, 2, -1) < 0 || fds[0].revents != 0))
            break;
    }
    free(data);
    return rc < 0 ? rc : 0;
}

static int run(const struct pcap_verb *verb, struct why *why)
{
    struct vif_session session;
    bool to_stdout = strcmp(verb->path, "-") == 0;
    int rc = vif_session_open(&session, &verb->options, why);

    if (rc < 0)
        return rc;
    FILE *out = to_stdout ? stdout : fopen(verb->path, "we");
    if (out == NULL) {
        rc = why_fail_errno(why, -errno, "cannot write %s", verb->path);
    } else {
        rc = capture(verb, &session, out, why);
        if ((to_stdout ? fflush(out) : fclose(out)) != 0 && rc == 0)
            rc = why_fail_errno(why, -errno, "cannot write %s", verb->path);
    }
    vif_session_close(&session);
    return rc;
}

static int pcap_main(int argc, char **argv)
{
    struct pcap_verb verb = {.path = NULL};
    struct why why = {""};

    if (parse(argc, argv, &verb, &why) < 0)
        return verb_usage(&verb_pcap, &why);
    return verb_end(run(&verb, &why), &why);
}

const struct domu_verb verb_pcap = {
    .name = "pcap",
    .arguments = "FILE [options]",
    .help = "    writes what comes to an interface of a domain to a pcapng file; -: stdout\n"
            "    --count N             ends after so many frames, else at a signal\n"
            "    --domain-time         frames have the domain's time, comments the real one\n"
            "                          (else the other way round)\n" VIF_OPTIONS_HELP,
    .main = pcap_main,
};
