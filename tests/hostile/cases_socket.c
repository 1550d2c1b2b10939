/* SPDX-License-Identifier: MIT */
/* The two sockets: limits, wrong packets, floods. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"
#include "splitdom/xen/xs_wire.h"

enum { CONNECTIONS_MAX = 600, ASKERS = 4, LARGE_PAGES = 8192, UNREAD_MAX = 200, HONEST = 16 };

int case_ports(struct attack *a)
{
    struct peer peer;
    int fds[2], count = 0, rc = peer_create(&peer, &a->rundir, 0, false);
    if (rc < 0)
        return saw(a, 0, "no good start: %d", rc);
    struct control_reply reply;
    struct control_request alloc = {.op = CONTROL_EVTCHN_ALLOC_UNBOUND, .arg0 = 31};
    while (count < 5000 && (rc = peer_ask(peer.control_fd, &alloc, &reply, fds)) == 0)
        count++;
    int full = rc;
    alloc.arg0 = 32; /* a vCPU that does not exist */
    rc = peer_ask(peer.control_fd, &alloc, &reply, fds);
    struct control_request close_port = {.op = CONTROL_EVTCHN_CLOSE, .arg0 = 4000000000u};
    int closed = peer_ask(peer.control_fd, &close_port, &reply, fds);
    rc =
        saw(a, full == -ENOSPC && rc < 0 && closed < 0, "%d ports, then refused (%d)", count, full);
    peer_destroy(&peer);
    return rc;
}

/* All connections that there are, idle; a newcomer and the verbs must still get in. */
int case_connections(struct attack *a)
{
    static int fds[CONNECTIONS_MAX]; /* too many for a stack frame of a child */
    struct peer peer;
    int count = 0;
    for (; count < CONNECTIONS_MAX; count++) {
        fds[count] = peer_dial(a->rundir.control_socket, SOCK_SEQPACKET);
        if (fds[count] < 0)
            break;
    }
    peer_sleep_ms(5);
    int64_t sectors = peer_status(&a->rundir, 0, "sectors");
    int rc = peer_open(&peer, &a->rundir);
    if (rc == 0)
        peer_destroy(&peer);
    for (int i = 0; i < count; i++)
        close(fds[i]);
    return saw(a, sectors > 0 && rc == 0, "%d idle connections; status: %s, a new domain: %d",
               count, sectors > 0 ? "answered" : "none", rc);
}

/* Sends bytes as one packet on a new connection. Returns whether Dom0 ended the connection. */
static bool is_dropped(const char *path, int type, const void *bytes, size_t count)
{
    char buffer[8192];
    int fd = peer_dial(path, type);
    if (fd < 0)
        return false;
    ssize_t n = send(fd, bytes, count, MSG_NOSIGNAL);
    while (n > 0)
        n = recv(fd, buffer, sizeof(buffer), 0);
    bool dropped = n == 0 || (n < 0 && (errno == ECONNRESET || errno == EPIPE));
    close(fd);
    return dropped;
}

int case_packets(struct attack *a)
{
    const char *path = a->rundir.control_socket;
    struct control_request wrong = {.magic = CONTROL_MAGIC, .version = 99, .op = CONTROL_STATUS};
    char large[5000];
    int dropped = 0;
    memset(large, 'x', sizeof(large));
    dropped += is_dropped(path, SOCK_SEQPACKET, large, 1);
    dropped += is_dropped(path, SOCK_SEQPACKET, large, sizeof(wrong) - 1);
    dropped += is_dropped(path, SOCK_SEQPACKET, large, sizeof(wrong));
    dropped += is_dropped(path, SOCK_SEQPACKET, large, sizeof(wrong) + 1);
    dropped += is_dropped(path, SOCK_SEQPACKET, large, sizeof(large));
    dropped += is_dropped(path, SOCK_SEQPACKET, &wrong, sizeof(wrong));
    /* An operation that does not exist, and hypercalls without a domain: told so. */
    struct control_reply reply;
    int fds[2], fd = peer_dial(path, SOCK_SEQPACKET), refused = 0;
    static const uint32_t operations[] = {
        0, 5, 4000000000u, CONTROL_EVTCHN_ALLOC_UNBOUND, CONTROL_EVTCHN_CLOSE, CONTROL_MAPPED};
    for (int i = 0; fd >= 0 && i < 6; i++) {
        struct control_request request = {.op = operations[i]};
        refused += peer_ask(fd, &request, &reply, fds) < 0;
    }
    close(fd);
    return saw(a, dropped == 6 && refused == 6,
               "%d of 6 wrong packets end their connection, "
               "%d of 6 wrong wishes are refused",
               dropped, refused);
}

int case_store_frames(struct attack *a)
{
    const char *path = a->rundir.store_socket;
    struct xsd_sockmsg oversize = {.type = XS_READ, .len = XENSTORE_PAYLOAD_MAX + 1};
    struct xsd_sockmsg huge = {.type = XS_WRITE, .len = UINT32_MAX};
    struct xsd_sockmsg strange = {.type = 99, .len = 0};
    struct xsd_sockmsg answer;
    int dropped = is_dropped(path, SOCK_STREAM, &oversize, sizeof(oversize)) +
                  is_dropped(path, SOCK_STREAM, &huge, sizeof(huge));
    /* A message that drips in byte by byte is answered when it is whole. */
    int fd = peer_dial(path, SOCK_STREAM);
    for (size_t i = 0; i < sizeof(strange); i++) {
        (void)!send(fd, (const char *)&strange + i, 1, MSG_NOSIGNAL);
        peer_sleep_ms(1);
    }
    ssize_t n = recv(fd, &answer, sizeof(answer), MSG_WAITALL);
    bool dripped = n == (ssize_t)sizeof(answer) && answer.type == XS_ERROR;
    close(fd);
    return saw(a, dropped == 2 && dripped,
               "%d of 2 oversize messages end their connection, a dripped "
               "one is answered: %d",
               dropped, dripped);
}

int case_status_flood(struct attack *a)
{
    uint32_t asked = 0, answered = 0;
    while (peer_now_ms() < a->deadline_ms) {
        int fd = peer_dial(a->rundir.control_socket, SOCK_SEQPACKET);
        struct control_request request = {
            .magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .op = CONTROL_STATUS};
        for (int i = 0; fd >= 0 && i < 100; i++, asked++) { /* and no answer is read */
            if (send(fd, &request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                break;
        }
        if (fd >= 0)
            close(fd);
    }
    answered = peer_status(&a->rundir, 0, "sectors") > 0;
    return saw(a, answered == 1, "%u questions without reading; then one is answered", asked);
}

/* In a child: connections without end, each with one question, whose answers nobody reads. */
static void ask_and_stay(struct attack *a)
{
    static int fds[UNREAD_MAX];
    const struct control_request request = {
        .magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .op = CONTROL_STATUS};
    for (int i = 0;; i = (i + 1) % UNREAD_MAX) {
        if (fds[i] > 0)
            close(fds[i]);
        fds[i] = peer_dial(a->rundir.control_socket, SOCK_SEQPACKET);
        if (fds[i] > 0)
            (void)send(fds[i], &request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

int case_unread(struct attack *a)
{
    pid_t child[ASKERS];
    struct peer peer;
    int served = 0, last = 0;
    for (int i = 0; i < ASKERS; i++) {
        child[i] = fork();
        if (child[i] == 0)
            ask_and_stay(a);
    }
    for (int i = 0; i < HONEST; i++) {
        int rc = peer_create(&peer, &a->rundir, 0, false);
        if (rc == 0 && peer_status(&a->rundir, peer.segment.domid, "pages") > 0)
            served++;
        else
            last = rc;
        peer_destroy(&peer);
    }
    for (int i = 0; i < ASKERS; i++) {
        if (child[i] < 0) /* not begun: and -1 would be everybody */
            continue;
        kill(child[i], SIGKILL);
        (void)waitpid(child[i], NULL, 0);
    }
    return saw(a, served == HONEST, "%d of %d honest ones served beside %d that ask and stay (%d)",
               served, HONEST, ASKERS, last);
}

int case_stop(struct attack *a)
{
    struct peer peer;
    struct control_request stop = {.op = CONTROL_STOP};
    struct control_reply reply;
    int fds[2], rc = peer_open(&peer, &a->rundir);
    if (rc < 0)
        return saw(a, 0, "no good start: %d", rc);
    int stopped = peer_ask(peer.control_fd, &stop, &reply, fds);
    struct blkif_request req = peer_read_request(&peer, 1, 1);
    rc = peer_request(&peer, &req);
    rc = saw(a, stopped == -EPERM && rc == BLKIF_RSP_OKAY, "stop: %d, a read after that: %d",
             stopped, rc);
    peer_destroy(&peer);
    return rc;
}

int case_connect_flood(struct attack *a)
{
    uint32_t count = 0;
    while (peer_now_ms() < a->deadline_ms) {
        int fd = peer_dial(a->rundir.control_socket, SOCK_SEQPACKET);
        if (fd >= 0)
            close(fd);
        fd = peer_dial(a->rundir.store_socket, SOCK_STREAM);
        if (fd >= 0)
            close(fd);
        count += 2;
    }
    int64_t sectors = peer_status(&a->rundir, 0, "sectors");
    return saw(a, sectors > 0, "%u connections made and dropped; then a question is answered",
               count);
}

int case_domain_flood(struct attack *a)
{
    struct peer peer;
    uint32_t count = 0;
    int rc = 0;
    while (rc == 0 && peer_now_ms() < a->deadline_ms) {
        rc = peer_create(&peer, &a->rundir, 0, false);
        if (rc == 0)
            peer_destroy(&peer);
        count++;
    }
    return saw(a, rc == 0, "%u domains made and dropped (%d)", count, rc);
}

/* Large domains with all their memory, made and dropped in a loop by several: to give that back
 * takes long. */
static uint32_t make_and_drop(struct attack *a)
{
    struct control_request request = {.op = CONTROL_CREATE_DOMAIN, .arg0 = LARGE_PAGES};
    struct control_reply reply;
    struct segment segment;
    uint32_t made = 0;
    while (peer_now_ms() < a->deadline_ms) {
        int fds[2], line = peer_dial(a->rundir.control_socket, SOCK_SEQPACKET);
        if (line < 0)
            continue;
        if (peer_ask(line, &request, &reply, fds) == 0 && segment_attach(fds[0], &segment) == 0) {
            segment_detach(&segment);
            made++;
        }
        if (fds[0] >= 0)
            close(fds[0]);
        if (fds[1] >= 0)
            close(fds[1]);
        close(line);
    }
    return made;
}

int case_large_domains(struct attack *a)
{
    pid_t child[ASKERS];
    struct peer peer;
    for (int i = 0; i < ASKERS; i++) {
        child[i] = fork();
        if (child[i] == 0)
            _exit(make_and_drop(a) > 0 ? 0 : 1);
    }
    int made = 0, status;
    for (int i = 0; i < ASKERS; i++)
        made += waitpid(child[i], &status, 0) == child[i] && status == 0;
    int rc = peer_open(&peer, &a->rundir);
    if (rc == 0)
        peer_destroy(&peer);
    return saw(a, made == ASKERS && rc == 0,
               "%d of %d made some and dropped them; then a domain of the usual size: %d", made,
               ASKERS, rc);
}

/* Asks the store and never reads its answers: once the buffers are full, Dom0 must not turn in
 * circles for it. */
int case_mute_reader(struct attack *a)
{
    enum { WINDOW_MS = 50, WINDOWS_MAX = 60 };
    struct {
        struct xsd_sockmsg header;
        char path[2];
    } message = {.header = {.type = XS_DIRECTORY, .len = 2}, .path = "/"};
    int fd = peer_dial(a->rundir.store_socket, SOCK_STREAM);
    if (fd < 0)
        return saw(a, 0, "no connection: %d", fd);
    int64_t quiet_since = peer_now_ms();
    while (peer_now_ms() - quiet_since < 20) {
        if (send(fd, &message, sizeof(message.header) + 2, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
            quiet_since = peer_now_ms();
        else
            peer_sleep_ms(1);
        if (peer_now_ms() > a->deadline_ms + PEER_PATIENCE_MS)
            break;
    }
    /* While the neighbour reads, comes or goes, Dom0 turns for it: a window without is wanted. Who
     * turns in circles has none. */
    int64_t turns, requests, windows = 0;
    do {
        requests = peer_status(&a->rundir, 0, "requests");
        turns = peer_status(&a->rundir, 0, "turns");
        peer_sleep_ms(WINDOW_MS);
        turns = peer_status(&a->rundir, 0, "turns") - turns;
        requests = peer_status(&a->rundir, 0, "requests") - requests;
    } while ((requests != 0 || turns >= WINDOW_MS) && ++windows < WINDOWS_MAX);
    close(fd);
    return saw(a, requests == 0 && turns < WINDOW_MS,
               "its answers fill its buffers; %lld turns and %lld requests in 50 ms",
               (long long)turns, (long long)requests);
}
