/* SPDX-License-Identifier: MIT */
#include "domain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "splitdom/control.h"
#include "splitdom/start_info.h"

enum { NR_FDS_MAX = 2 };

static int fail(struct domain *domain, int rc, const char *what, const char *detail)
{
    snprintf(domain->why, sizeof(domain->why), "%s: %s%s%s", what, strerror(-rc),
             *detail ? ": " : "", detail);
    return rc;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    return fd;
}

/* Takes the descriptors out of a message; returns how many there were. */
static int take_fds(struct msghdr *message, int fds[NR_FDS_MAX])
{
    int count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(int)) <= c->cmsg_len; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (count < NR_FDS_MAX)
                fds[count++] = fd;
            else
                close(fd);
        }
    }
    return count;
}

/* One request, one reply. Returns the number of descriptors that came with it, or -errno. */
static int call(struct domain *domain, enum control_op op, uint32_t arg0, uint32_t *result,
                int fds[NR_FDS_MAX])
{
    const struct control_request request = {
        .magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .op = op, .arg0 = arg0};
    struct control_reply reply;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(NR_FDS_MAX * sizeof(int))];
    } control;
    struct iovec part = {&reply, sizeof(reply)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};

    if (send(domain->control, &request, sizeof(request), MSG_NOSIGNAL) != sizeof(request))
        return fail(domain, -errno, "control socket: send", "");
    ssize_t n = recvmsg(domain->control, &message, MSG_CMSG_CLOEXEC);
    if (n < 0)
        return fail(domain, -errno, "control socket: receive", "");
    int nr_fds = take_fds(&message, fds);
    int rc = nr_fds;
    if (n != sizeof(reply) || reply.magic != CONTROL_MAGIC) {
        rc = fail(domain, -EPROTO, "control socket", "the reply has a wrong size or magic");
    } else if (reply.status < 0) {
        reply.reason[sizeof(reply.reason) - 1] = '\0';
        rc = fail(domain, reply.status, "the service refused", reply.reason);
    }
    if (rc < 0) {
        while (nr_fds > 0)
            close(fds[--nr_fds]);
        return rc;
    }
    *result = reply.arg0;
    return rc;
}

static int check_start_info(const struct start_info *si, off_t bytes)
{
    if (memcmp(si->magic, START_INFO_MAGIC, sizeof(START_INFO_MAGIC)) != 0 ||
        si->abi_version != START_INFO_ABI_VERSION || si->struct_size != sizeof(*si))
        return -EPROTO;
    uint32_t pages = si->nr_pages;
    if ((off_t)pages * XEN_PAGE_SIZE != bytes || si->shared_info_pfn >= pages ||
        si->store_pfn >= pages || si->gnttab_pfn >= pages ||
        si->nr_gnttab_frames > pages - si->gnttab_pfn || si->free_pfn > pages ||
        si->nr_free_pages > pages - si->free_pfn)
        return -EPROTO;
    return 0;
}

static int map_segment(struct domain *domain, int fd)
{
    struct start_info si;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return fail(domain, -errno, "segment", "");
    if (pread(fd, &si, sizeof(si), 0) != sizeof(si) || check_start_info(&si, st.st_size) < 0)
        return fail(domain, -EPROTO, "segment", "start_info makes no sense");
    void *memory = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return fail(domain, -errno, "segment: mmap", "");
    domain->memory = memory;
    domain->nr_pages = si.nr_pages;
    domain->domid = si.domid;
    domain->store_port = si.store_evtchn;
    domain->shared_info_pfn = si.shared_info_pfn;
    domain->store_pfn = si.store_pfn;
    domain->gnttab_pfn = si.gnttab_pfn;
    domain->nr_grant_entries = si.nr_gnttab_frames * GNTTAB_ENTRIES_PER_FRAME;
    domain->free_pfn = si.free_pfn;
    domain->nr_free_pages = si.nr_free_pages;
    return 0;
}

static int tell_mapped(struct domain *domain)
{
    int fds[NR_FDS_MAX];
    uint32_t ignored;
    return call(domain, CONTROL_MAPPED, 0, &ignored, fds);
}

int domain_create(struct domain *domain, const char *socket_path, uint32_t nr_free)
{
    int fds[NR_FDS_MAX] = {-1, -1};
    uint32_t domid;
    *domain = (struct domain){.control = -1, .doorbell = -1};
    domain->control = connect_to(socket_path);
    if (domain->control < 0)
        return fail(domain, domain->control, socket_path, "is the service running?");

    /* start_info, shared_info, store and grant frames come on top; more than enough. */
    uint32_t nr_pages = nr_free + 4 + nr_free / GNTTAB_ENTRIES_PER_FRAME + 1;
    int rc = call(domain, CONTROL_CREATE_DOMAIN, nr_pages, &domid, fds);
    if (rc < 0)
        return rc;
    domain->doorbell = fds[1];
    if (rc != NR_FDS_MAX) {
        rc = fail(domain, -EPROTO, "control socket", "two descriptors expected");
        goto out;
    }
    rc = map_segment(domain, fds[0]);
    if (rc < 0)
        goto out;
    if (domain->domid != domid)
        rc = fail(domain, -EPROTO, "start_info", "its domid is not the reply's");
    else if (domain->nr_free_pages < nr_free)
        rc = fail(domain, -ENOSPC, "segment", "too few free pages");
    if (rc >= 0)
        rc = tell_mapped(domain);
out:
    if (fds[0] >= 0)
        close(fds[0]);
    return rc;
}

int domain_alloc_unbound(struct domain *domain, uint32_t *port)
{
    int fds[NR_FDS_MAX];
    int rc = call(domain, CONTROL_EVTCHN_ALLOC_UNBOUND, 0, port, fds);
    return rc < 0 ? rc : 0;
}

int domain_close_port(struct domain *domain, uint32_t port)
{
    int fds[NR_FDS_MAX];
    uint32_t ignored;
    int rc = call(domain, CONTROL_EVTCHN_CLOSE, port, &ignored, fds);
    return rc < 0 ? rc : 0;
}

void domain_destroy(struct domain *domain)
{
    if (domain->memory != NULL)
        munmap(domain->memory, (size_t)domain->nr_pages * XEN_PAGE_SIZE);
    if (domain->doorbell >= 0)
        close(domain->doorbell);
    if (domain->control >= 0)
        close(domain->control);
    *domain = (struct domain){.control = -1, .doorbell = -1};
}
