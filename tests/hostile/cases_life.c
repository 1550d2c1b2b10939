/* SPDX-License-Identifier: MIT */
/* Domains that die, fork, or take their memory away. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"
#include "ring/barrier.h"
#include "ring/evtchn.h"

enum { DEATHS = 8, LARGE_PAGES = 8192 };

static void put_reads(struct peer *peer, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct blkif_request req = peer_read_request(peer, i, i * 37 % 4000);
        req.seg[0].last_sect = 7;
        peer_put(peer, &req);
    }
    peer_push(peer, true);
}

static int64_t domains_now(struct attack *a)
{
    struct rundir *r = &a->rundir;
    int64_t count = 0;
    for (domid_t domid = 1; domid <= 32; domid++)
        count += peer_status(r, domid, "pages") > 0;
    return count;
}

/* Is this domain gone, now or soon? */
static bool wait_gone(struct attack *a, domid_t domid)
{
    int64_t deadline = peer_now_ms() + PEER_PATIENCE_MS;
    while (peer_status(&a->rundir, domid, "pages") != -ENOENT) {
        if (peer_now_ms() > deadline)
            return false;
        peer_sleep_ms(2);
    }
    return true;
}

/* In a child: lives up to a step, tells its domid, and dies of SIGKILL. */
static void die_at(struct attack *a, int step, int out)
{
    struct peer peer;
    uint32_t tx;
    int rc = peer_create(&peer, &a->rundir, step == 6 ? 2 : 0, step == 6);
    domid_t domid = rc == 0 ? peer.segment.domid : 0;
    if (step == 1)
        (void)peer_write(&peer, "ring-ref", "%u", PEER_REF);
    if (step == 2)
        (void)xs_client_transaction_start(peer.store, &tx);
    if (step == 3) { /* in the middle of a message to the store */
        memset(peer.segment.store->req, 11, 20);
        store_release_u32(&peer.segment.store->req_prod,
                          load_relaxed_u32(&peer.segment.store->req_prod) + 20);
        (void)evtchn_kick(peer.doorbell_fd);
    }
    if (step >= 4)
        (void)peer_connect(&peer);
    if (step >= 5)
        put_reads(&peer, 32);
    if (step == 7)
        (void)peer_state(&peer, XenbusStateClosing);
    (void)!write(out, &domid, sizeof(domid));
    raise(SIGKILL);
}

int case_dies(struct attack *a)
{
    int died = 0;
    for (int step = 0; step < DEATHS; step++) {
        domid_t domid = 0;
        int pipes[2];
        if (pipe(pipes) < 0)
            return saw(a, 0, "no pipe");
        pid_t child = fork();
        if (child == 0)
            die_at(a, step, pipes[1]);
        close(pipes[1]);
        ssize_t n = read(pipes[0], &domid, sizeof(domid));
        close(pipes[0]);
        (void)waitpid(child, NULL, 0);
        if (n == (ssize_t)sizeof(domid) && domid != 0 && wait_gone(a, domid))
            died++;
    }
    return saw(a, died == DEATHS, "killed at %d of %d steps, each domain gone", died, DEATHS);
}

/* Tries each way to give its memory another size. Returns how many were refused, of RESIZES. */
enum { RESIZES = 6 };

static int refused_resizes(struct peer *peer)
{
    const off_t bytes = (off_t)peer->segment.nr_pages << XEN_PAGE_SHIFT, huge = (off_t)1 << 32;
    int refused = 0;
    refused += ftruncate(peer->segment_fd, 0) < 0 && errno == EPERM;
    refused += ftruncate(peer->segment_fd, XEN_PAGE_SIZE + 100) < 0 && errno == EPERM;
    refused += ftruncate(peer->segment_fd, huge) < 0 && errno == EPERM;
    refused += posix_fallocate(peer->segment_fd, bytes, huge) == EPERM;
    refused += pwrite(peer->segment_fd, "x", 1, bytes) < 0 && errno == EPERM;
    /* Nor a seal of its own, which would take writing from Dom0. */
    refused += fcntl(peer->segment_fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 && errno == EPERM;
    return refused;
}

static int resize_with(struct attack *a, uint32_t order, bool scattered)
{
    struct peer peer;
    struct blkif_response rsp;
    uint32_t answered = 0, asked = 0;
    int rc = peer_create(&peer, &a->rundir, order, scattered);
    if (rc == 0)
        rc = peer_connect(&peer);
    if (rc < 0)
        return saw(a, 0, "no good start: %d", rc);
    asked = peer.ring.half.nr_ents;
    put_reads(&peer, asked);
    int refused = refused_resizes(&peer);
    while (answered < asked && peer_response(&peer, &rsp) == 0 && rsp.status == BLKIF_RSP_OKAY)
        answered++;
    rc = saw(a, refused == RESIZES && answered == asked,
             "%d of %d ways refused, %u of %u reads in flight answered", refused, RESIZES, answered,
             asked);
    peer_destroy(&peer);
    return rc;
}

int case_resize(struct attack *a)
{
    return resize_with(a, 0, false);
}

int case_resize_scattered(struct attack *a)
{
    return resize_with(a, 2, true);
}

/* In a child: Dom0 looks at the domain again and again. */
static pid_t ring_for_ever(int doorbell_fd)
{
    pid_t child = fork();
    while (child == 0) {
        (void)evtchn_kick(doorbell_fd);
        peer_sleep_ms(1);
    }
    return child;
}

/* Fills and empties all of a large domain's memory, in a loop; tells Dom0 before that it has mapped
 * it, or not at all. Returns how many holes it could make. */
static int punch(struct attack *a, bool tells, int *rc)
{
    struct control_request request = {.op = CONTROL_CREATE_DOMAIN, .arg0 = LARGE_PAGES};
    struct control_request mapped = {.op = CONTROL_MAPPED};
    struct control_reply reply;
    const off_t bytes = (off_t)LARGE_PAGES << XEN_PAGE_SHIFT;
    int fds[2], none[2], holes = 0, line = peer_dial(a->rundir.control_socket, SOCK_SEQPACKET);
    *rc = line < 0 ? line : peer_ask(line, &request, &reply, fds);
    if (*rc < 0)
        return -1;
    uint8_t *memory = mmap(NULL, (size_t)bytes, PROT_WRITE, MAP_SHARED, fds[0], 0);
    if (memory == MAP_FAILED)
        *rc = -errno;
    else if (tells)
        *rc = peer_ask(line, &mapped, &reply, none);
    pid_t bell = *rc < 0 ? -1 : ring_for_ever(fds[1]);
    while (*rc >= 0 && peer_now_ms() < a->deadline_ms) {
        memset(memory + XEN_PAGE_SIZE, 0, (size_t)bytes - XEN_PAGE_SIZE);
        if (fallocate(fds[0], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, bytes) == 0)
            holes++;
        else if (errno != EPERM)
            *rc = -errno;
    }
    if (bell > 0) {
        kill(bell, SIGKILL);
        (void)waitpid(bell, NULL, 0);
    }
    munmap(memory, (size_t)bytes);
    close(fds[0]);
    close(fds[1]);
    close(line);
    return holes;
}

/* Whoever looks at a page while a hole is made around it waits until all of the hole is made. So
 * Dom0 looks only once there can be no holes. */
int case_punch(struct attack *a)
{
    int rc, holes = punch(a, true, &rc);
    return saw(a, rc == 0 && holes == 0, "%d holes in %d pages (%d)", holes, LARGE_PAGES, rc);
}

int case_punch_untold(struct attack *a)
{
    int rc, holes = punch(a, false, &rc);
    return saw(a, rc == 0, "%d holes in %d pages that Dom0 does not look at (%d)", holes,
               LARGE_PAGES, rc);
}

int case_unmap(struct attack *a)
{
    struct peer peer;
    int rc = peer_open(&peer, &a->rundir);
    if (rc < 0)
        return saw(a, 0, "no good start: %d", rc);
    put_reads(&peer, 32);
    /* Unmapping is its own affair: Dom0 has the pages. Holes are refused. */
    munmap(segment_page(&peer.segment, peer.data_pfn), (size_t)PEER_DATA_PAGES << XEN_PAGE_SHIFT);
    int hole = madvise(segment_page(&peer.segment, peer.ring_pfn[0]), XEN_PAGE_SIZE, MADV_REMOVE);
    peer_sleep_ms(5);
    int64_t alive = peer_status(&a->rundir, peer.segment.domid, "requests");
    rc = saw(a, alive >= 0 && hole < 0, "Dom0 keeps its view; the domain lives: %lld",
             (long long)alive);
    peer_destroy(&peer);
    return rc;
}

int case_fork(struct attack *a)
{
    struct peer peer;
    int hold[2], rc = peer_open(&peer, &a->rundir);
    if (rc < 0 || pipe(hold) < 0)
        return saw(a, 0, "no good start: %d", rc);
    domid_t domid = peer.segment.domid;
    pid_t child = fork();
    if (child == 0) { /* holds all descriptors until it is told to go */
        char byte;
        close(hold[1]);
        (void)!read(hold[0], &byte, 1);
        _exit(0);
    }
    close(hold[0]);
    put_reads(&peer, 16);
    peer_destroy(&peer); /* the parent's end: its line to Dom0 is still open in the child */
    peer_sleep_ms(10);
    bool kept = peer_status(&a->rundir, domid, "pages") > 0;
    close(hold[1]);
    (void)waitpid(child, NULL, 0);
    bool gone = wait_gone(a, domid);
    return saw(a, kept && gone,
               "the domain lives as long as its line is held, then goes: %lld left",
               (long long)domains_now(a) - 1);
}
