/* SPDX-License-Identifier: MIT */
#include "run/vif_session.h"

#include <errno.h>
#include <unistd.h>

#include "run/stop_fd.h"
#include "run/verb_option.h"

enum {
    LAST_SECOND_NS = 1000000000, /* for frames that wait */
    CLOSE_MS = 1000,             /* then for Dom0, which may be stopped */
};

int vif_options_take(struct vif_options *options, int argc, char **argv, int *at, struct why *why)
{
    const char *value;
    uint64_t devid;
    int rc = verb_option_take("--domain-name", argc, argv, at, &options->domain.domain_name, why);
    if (rc != 0)
        return rc;
    rc = verb_option_take("--vif", argc, argv, at, &value, why);
    if (rc == 0)
        return domain_options_take(&options->domain, argc, argv, at, why);
    if (rc < 0 || verb_option_number("--vif", value, 0, NETFRONT_DEVID_MAX, &devid, why) < 0)
        return -EINVAL;
    options->devid = (uint32_t)devid;
    return 1;
}

static int open_domain(struct vif_session *session, const struct vif_options *options,
                       const struct netfront_options *device, struct why *why)
{
    struct domu_options domain = options->domain;
    struct domu_error error;

    domain.size = sizeof(domain);
    domain.pages = netfront_pages(device);
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
    const struct netfront_options device = {.size = sizeof(device),
                                            .devid = options->devid,
                                            .no_offload = options->no_offload,
                                            .queues = options->queues};

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
    for (uint32_t i = 0; session->nf != NULL && i < netfront_queues(session->nf); i++)
        (void)netfront_drain_on(session->nf, i, LAST_SECOND_NS);
    if (session->domu != NULL)
        domu_hurry(session->domu, CLOSE_MS);
    netfront_close(session->nf);
    domu_close(session->domu);
    if (session->stop_fd >= 0)
        close(session->stop_fd);
    *session = (struct vif_session){.stop_fd = -1};
}
