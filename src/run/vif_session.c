/* SPDX-License-Identifier: MIT */
#include "run/vif_session.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "run/stop_fd.h"
#include "run/verb_option.h"

enum { LAST_SECOND_NS = 1000000000 };

static int take_tdf(struct vif_options *options, const char *value, struct why *why)
{
    return verb_option_tdf(value, &options->tdf_num, &options->tdf_den, why);
}

static int take_vif(struct vif_options *options, const char *value, struct why *why)
{
    uint64_t devid;
    int rc = verb_option_number("--vif", value, 0, NETFRONT_DEVID_MAX, &devid, why);

    if (rc == 0)
        options->devid = (uint32_t)devid;
    return rc;
}

static int take_domain_name(struct vif_options *options, const char *value, struct why *why)
{
    (void)why;
    options->domain_name = value;
    return 0;
}

static int take_name(struct vif_options *options, const char *value, struct why *why)
{
    (void)why;
    options->name = value;
    return 0;
}

static int take_rundir(struct vif_options *options, const char *value, struct why *why)
{
    (void)why;
    options->rundir = value;
    return 0;
}

int vif_options_take(struct vif_options *options, int argc, char **argv, int *at, struct why *why)
{
    static const struct {
        const char *option;
        int (*take)(struct vif_options *options, const char *value, struct why *why);
    } takers[] = {{"--vif", take_vif},
                  {"--tdf", take_tdf},
                  {"--domain-name", take_domain_name},
                  {"--name", take_name},
                  {"--rundir", take_rundir}};
    const char *value;

    if (strcmp(argv[*at], "--reconnect") == 0) {
        options->reconnect = true;
        (*at)++;
        return 1;
    }
    for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
        int rc = verb_option_take(takers[i].option, argc, argv, at, &value, why);
        if (rc == 1)
            rc = takers[i].take(options, value, why) < 0 ? -EINVAL : 1;
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int open_domain(struct vif_session *session, const struct vif_options *options,
                       const struct netfront_options *device, struct why *why)
{
    const struct domu_options domain = {.size = sizeof(domain),
                                        .rundir = options->rundir,
                                        .name = options->name,
                                        .pages = netfront_pages(device),
                                        .reconnect = options->reconnect,
                                        .tdf_num = options->tdf_num,
                                        .tdf_den = options->tdf_den,
                                        .domain_name = options->domain_name};
    struct domu_error error;
    int rc = domu_open(&domain, &session->domu, &error);
    return rc < 0 ? why_fail(why, rc, "%s", error.text) : 0;
}

static int open_interface(struct vif_session *session, const struct netfront_options *device,
                          struct why *why)
{
    struct netfront_error error;
    int rc = netfront_open(session->domu, device, &session->nf, &error);
    if (rc == -ENODEV)
        return why_fail(
            why, rc,
            "the domain has no interface %u: start the service with --vif, or attach one "
            "(service network-attach)",
            device->devid);
    return rc < 0 ? why_fail(why, rc, "%s", error.text) : 0;
}

int vif_session_open(struct vif_session *session, const struct vif_options *options,
                     struct why *why)
{
    const struct netfront_options device = {
        .size = sizeof(device), .devid = options->devid, .no_offload = options->no_offload};

    *session = (struct vif_session){.stop_fd = stop_fd_open(why)};
    int rc = session->stop_fd < 0 ? session->stop_fd : 0;
    if (rc == 0)
        rc = open_domain(session, options, &device, why);
    if (rc == 0)
        rc = open_interface(session, &device, why);
    if (rc < 0)
        vif_session_close(session);
    return rc;
}

void vif_session_close(struct vif_session *session)
{
    if (session->nf != NULL)
        (void)netfront_drain(session->nf, LAST_SECOND_NS);
    netfront_close(session->nf);
    domu_close(session->domu);
    if (session->stop_fd >= 0)
        close(session->stop_fd);
    *session = (struct vif_session){.stop_fd = -1};
}
