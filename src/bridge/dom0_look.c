/* SPDX-License-Identifier: MIT */
#include "bridge/dom0_look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json_reader.h"
#include "base/memory_file.h"
#include "base/rundir.h"
#include "base/unix_socket.h"
#include "splitdom/control.h"

enum { LIMIT_S = 2, STATUS_BYTES_MAX = 64 << 20 };

static int connect_control(const struct domu_options *domain)
{
    struct rundir rundir;
    char why[256];
    int rc = rundir_resolve(domain->rundir, domain->name, false, &rundir, why, sizeof(why));

    return rc < 0 ? rc : unix_socket_connect(rundir.control_socket, SOCK_SEQPACKET, LIMIT_S);
}

bool dom0_is_away(const struct domu_options *domain)
{
    int fd = connect_control(domain);

    if (fd >= 0)
        close(fd);
    return fd == -ENOENT || fd == -ECONNREFUSED;
}

/* ---- the status of the service ---- */

/* Of the disks of a domain. */
struct requests {
    uint64_t served;
    uint64_t waiting; /* on a ring, or in Dom0 */
};

struct search {
    uint64_t pid;
    bool found;
    struct requests requests;
    uint64_t domain_pid; /* of the domain that is being read */
    struct requests domain_requests;
};

static int take_domain_member(void *ctx, const char *name, struct json_reader *r)
{
    struct search *search = ctx;
    uint64_t number = 0;
    bool waits = strcmp(name, "in_flight") == 0 || strcmp(name, "on_ring") == 0;

    if (strcmp(name, "client_pid") == 0)
        return json_read_u64(r, &search->domain_pid);
    if (strcmp(name, "requests") == 0)
        return json_read_u64(r, &search->domain_requests.served);
    int rc = waits ? json_read_u64(r, &number) : json_skip(r);
    search->domain_requests.waiting += number;
    return rc;
}

static int take_domain(void *ctx, struct json_reader *r)
{
    struct search *search = ctx;

    search->domain_pid = 0;
    search->domain_requests = (struct requests){0};
    int rc = json_read_object(r, take_domain_member, search);
    if (rc == 0 && search->domain_pid == search->pid) {
        search->found = true;
        search->requests = search->domain_requests;
    }
    return rc;
}

static int take_member(void *ctx, const char *name, struct json_reader *r)
{
    return strcmp(name, "domains") == 0 ? json_read_array(r, take_domain, ctx) : json_skip(r);
}

/* Behind the table for people and its NUL comes the JSON. */
static int search_text(const char *text, size_t bytes, struct search *search)
{
    const char *end = memchr(text, '\0', bytes);
    struct json_reader reader;

    if (end == NULL)
        return -EPROTO;
    json_reader_start(&reader, end + 1, bytes - (size_t)(end + 1 - text));
    int rc = json_read_object(&reader, take_member, search);
    return rc == 0 && !search->found ? -ESRCH : rc;
}

static int read_all(int fd, char *text, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t count = pread(fd, text + done, bytes - done, (off_t)done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return -EPROTO;
        done += (size_t)count;
    }
    return 0;
}

/* A file in memory: reading any other file could take for ever. */
static int search_file(int fd, struct search *search)
{
    struct stat st;

    if (memory_file_check(fd, 0) < 0 || fstat(fd, &st) < 0 || st.st_size <= 0 ||
        st.st_size > STATUS_BYTES_MAX)
        return -EPROTO;
    char *text = malloc((size_t)st.st_size);
    if (text == NULL)
        return -ENOMEM;
    int rc = read_all(fd, text, (size_t)st.st_size);
    if (rc == 0)
        rc = search_text(text, (size_t)st.st_size, search);
    free(text);
    return rc;
}

static int ask_status(int socket, struct search *search)
{
    const struct control_request request = {
        .magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .op = CONTROL_STATUS};
    struct control_reply reply;
    size_t count;
    int fd = -1;
    int rc = unix_socket_send(socket, &request, sizeof(request), NULL, 0, true);

    if (rc < 0)
        return rc;
    ssize_t got = unix_socket_receive(socket, &reply, sizeof(reply), &fd, 1, &count);
    if (got < 0)
        return (int)got;
    if (got != (ssize_t)sizeof(reply) || reply.magic != CONTROL_MAGIC || fd < 0)
        rc = -EPROTO;
    else
        rc = search_file(fd, search);
    if (fd >= 0)
        close(fd);
    return rc;
}

/* Those of the domain whose process that is. Errors: -ETIMEDOUT Dom0 does not answer; -ESRCH it
 * knows no such process; -EPROTO it is no Dom0 of ours; others of the system. */
static int requests_of(const struct domu_options *domain, pid_t pid, struct requests *out)
{
    struct search search = {.pid = (uint64_t)pid};
    int fd = connect_control(domain);

    if (fd < 0)
        return fd;
    int rc = ask_status(fd, &search);
    close(fd);
    *out = search.requests;
    return rc;
}

bool dom0_gets_on(const struct domu_options *domain, pid_t pid, struct dom0_progress *progress)
{
    struct requests now;

    if (requests_of(domain, pid, &now) < 0 || now.waiting == 0)
        return false;
    bool is_still = progress->looks > 0 && now.served == progress->served;
    progress->still_looks = is_still ? progress->still_looks + 1 : 0;
    progress->served = now.served;
    progress->looks++;
    return progress->still_looks < DOM0_STILL_LOOKS_MAX;
}
