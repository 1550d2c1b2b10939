/* SPDX-License-Identifier: MIT */
/*
 * fake_dom0_private: struct fake_dom0, for the files that make it up:
 *   fake_dom0.c       its life, its connection, its store and its events
 *   fake_dom0_vbd.c   the back half of each disk: states, rings, answers
 *   fake_dom0_disk.c  what requests ask of a disk's bytes
 */
#ifndef SPLITDOM_TESTS_FAKE_DOM0_PRIVATE_H
#define SPLITDOM_TESTS_FAKE_DOM0_PRIVATE_H

#include <pthread.h>

#include "base/rundir.h"
#include "base/unix_socket.h"
#include "fakes/fake_dom0.h"
#include "splitdom/xen/xenbus.h"
#include "tdf/clock.h"
#include "xenstore/server/xs_conn.h"
#include "xenstore/server/xs_local.h"
#include "xenstore/xenbus_path.h"

enum { FAKE_DOM0_DOMID = 3 };

/* The back half of one disk. */
struct vbd {
    struct fake_dom0 *dom0;
    struct xenbus_key key;
    struct xs_local_watch *watch;
    int front_state;
    bool connected, seen_request, seen_closing;
    struct queue {
        struct blkif_back_ring ring;
        evtchn_port_t port;
        uint16_t answered[BLKIF_RING_ENTRIES_MAX]; /* not shown yet: the words of their ids */
        uint32_t answered_count;
    } queue[FAKE_DOM0_QUEUES_MAX];
    uint32_t queue_count, serving;
};

struct fake_dom0 {
    struct fake_dom0_script script; /* with the defaults of sectors and disks in their place */
    struct rundir rundir;
    pthread_t thread;
    struct unix_listener listener;
    int stop_fd, wake_fd, peer_fd, doorbell_fd, segment_fd;
    uint32_t destroys; /* atomic: the domain is to be destroyed */
    uint32_t domains;  /* atomic */
    uint32_t frozen;   /* atomic: RUNNING, FREEZING, FROZEN */
    struct segment segment;
    struct tdf_source source;
    struct tdf_clock clock;
    struct xs_server *store;
    struct xs_conn *conn;
    struct vbd vbd[FAKE_DOM0_DISKS_MAX];
    struct vbd *at; /* the one that is being served */
    evtchn_port_t next_port;
    bool has_hung_up;
    uint32_t closed_ports; /* atomic */
    char described_name[CONTROL_NAME_SIZE];
    uint32_t described_weight; /* atomic, after the name */
    uint32_t flushes;          /* atomic */
    uint32_t woken;            /* atomic */
    uint32_t asked, done;      /* atomic: see fake_dom0_sync */
    uint32_t vcpu[EVTCHN_2L_NR_CHANNELS];
};

/* fake_dom0_vbd.c: with the domain's store. */
void fake_dom0_create_disks(struct fake_dom0 *dom0);
void fake_dom0_end_disks(struct fake_dom0 *dom0);
/* Looks at all rings, and at the devices of other classes. */
void fake_dom0_serve_rings(struct fake_dom0 *dom0);

#endif
