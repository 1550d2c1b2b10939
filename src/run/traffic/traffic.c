/* SPDX-License-Identifier: MIT */
#include "run/traffic/traffic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

int traffic_init(struct traffic *traffic, const struct traffic_options *options,
                 struct vif_session *session, struct why *why)
{
    *traffic = (struct traffic){
        .options = options, .session = session, .queues = netfront_queues(session->nf)};
    if (getrandom(&traffic->stream, sizeof(traffic->stream), 0) != sizeof(traffic->stream))
        traffic->stream = (uint32_t)getpid();
    pthread_mutex_init(&traffic->lock, NULL);
    traffic->returned = calloc(traffic->queues, sizeof(*traffic->returned));
    traffic->round_trips = calloc(1, sizeof(*traffic->round_trips));
    traffic->changed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = traffic->changed_fd < 0 ? -errno : 0;
    if (traffic->returned == NULL || traffic->round_trips == NULL)
        rc = -ENOMEM;
    if (rc < 0) {
        why_fail_errno(why, rc, "cannot prepare for frames");
        traffic_fini(traffic);
    }
    return rc;
}

void traffic_own_mac(const struct traffic *traffic, uint8_t mac[TRAFFIC_MAC_BYTES])
{
    struct netfront_info info;
    netfront_info(traffic->session->nf, &info);
    memcpy(mac, info.mac, TRAFFIC_MAC_BYTES);
}

void traffic_fini(struct traffic *traffic)
{
    for (uint32_t i = 0; i < traffic->stream_count; i++)
        free(traffic->streams[i]);
    free(traffic->returned);
    free(traffic->round_trips);
    if (traffic->changed_fd >= 0)
        close(traffic->changed_fd);
    pthread_mutex_destroy(&traffic->lock);
}
