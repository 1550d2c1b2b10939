/* SPDX-License-Identifier: MIT */
#include "service/cli/control_client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory_file.h"
#include "base/unix_socket.h"

/* Refuses a service of another user. */
static int open_socket(const char *path, unsigned timeout_s)
{
    int fd = unix_socket_connect(path, SOCK_SEQPACKET, timeout_s);
    uid_t uid;

    if (fd < 0)
        return fd;
    int rc = unix_socket_peer_uid(fd, &uid);
    if (rc == 0 && uid != geteuid())
        rc = -EPERM;
    if (rc < 0) {
        close(fd);
        return rc;
    }
    return fd;
}

/* Receives the reply and its descriptor, -1 if it has none. */
static int receive(int socket_fd, struct control_reply *reply, int *file_fd)
{
    size_t fd_count;
    ssize_t count = unix_socket_receive(socket_fd, reply, sizeof(*reply), file_fd, 1, &fd_count);

    if (count < 0)
        return (int)count;
    if (count == 0)
        return -ECONNRESET;
    if (count != (ssize_t)sizeof(*reply) || reply->magic != CONTROL_MAGIC || reply->status > 0 ||
        memchr(reply->reason, '\0', sizeof(reply->reason)) == NULL)
        return -EPROTO;
    return 0;
}

static int read_file(int fd, char **text, size_t *text_bytes)
{
    struct stat st;
    size_t done = 0;
    char *bytes;

    /* It must be a file in memory: reading any other file could take for ever. */
    if (memory_file_check(fd, 0) < 0)
        return -EPROTO;
    if (fstat(fd, &st) != 0)
        return -errno;
    if (st.st_size > CONTROL_CLIENT_TEXT_MAX_BYTES)
        return -EPROTO;
    bytes = calloc(1, (size_t)st.st_size + 1);
    if (bytes == NULL)
        return -ENOMEM;
    while (done < (size_t)st.st_size) {
        ssize_t count = pread(fd, bytes + done, (size_t)st.st_size - done, (off_t)done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            free(bytes);
            return -EPROTO;
        }
        done += (size_t)count;
    }
    *text = bytes;
    *text_bytes = done;
    return 0;
}

static int send_request(int socket_fd, enum control_op op, uint32_t domid, const char *text)
{
    struct {
        struct control_request request;
        char text[CONTROL_TEXT_MAX];
    } packet = {
        {.magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .op = (uint32_t)op, .arg0 = domid},
        ""};
    size_t bytes = text == NULL ? 0 : strlen(text) + 1;

    if (bytes > sizeof(packet.text))
        return -E2BIG;
    if (text != NULL)
        memcpy(packet.text, text, bytes);
    return unix_socket_send(socket_fd, &packet, sizeof(packet.request) + bytes, NULL, 0, true);
}

/* One question, one answer. *file_fd is the caller's to close, or -1. */
static int exchange(const char *socket_path, unsigned timeout_s, enum control_op op, uint32_t domid,
                    const char *text, struct control_reply *reply, int *file_fd)
{
    int socket_fd = open_socket(socket_path, timeout_s);

    *file_fd = -1;
    if (socket_fd < 0)
        return socket_fd;
    int rc = send_request(socket_fd, op, domid, text);
    if (rc == 0)
        rc = receive(socket_fd, reply, file_fd);
    close(socket_fd);
    return rc;
}

/* Closes the file, and says in why what is not said there yet. Returns rc. */
static int finish(int rc, int file_fd, const char *socket_path, struct why *why)
{
    if (file_fd >= 0)
        close(file_fd);
    if (rc < 0 && why->text[0] == '\0')
        why_fail_errno(why, rc, "no answer from Dom0 on %s", socket_path);
    return rc;
}

static const char *reason_of(const struct control_reply *reply)
{
    return reply->reason[0] != '\0' ? reply->reason : strerror(-reply->status);
}

int control_client_ask(const char *socket_path, enum control_op op, char **text, size_t *text_bytes,
                       struct why *why)
{
    struct control_reply reply;
    int file_fd;

    *text = NULL;
    *text_bytes = 0;
    why->text[0] = '\0';
    int rc = exchange(socket_path, CONTROL_CLIENT_TIMEOUT_S, op, 0, NULL, &reply, &file_fd);
    if (rc == 0 && reply.status != 0) {
        rc = why_fail(why, reply.status, "Dom0 refused: %s", reason_of(&reply));
    } else if (rc == 0 && file_fd < 0 && op == CONTROL_STOP) {
        *text = calloc(1, 1); /* Dom0 ends, but had no memory for its totals */
        rc = *text == NULL ? -ENOMEM : 0;
    } else if (rc == 0) {
        rc = file_fd >= 0 ? read_file(file_fd, text, text_bytes) : -EPROTO;
    }
    return finish(rc, file_fd, socket_path, why);
}

/* Dom0's whole line: in the file, or else in the reply. */
static int take_refusal(const struct control_reply *reply, int file_fd, struct why *why)
{
    char *text = NULL;
    size_t text_bytes;
    bool is_whole = file_fd >= 0 && read_file(file_fd, &text, &text_bytes) == 0;

    why_fail(why, reply->status, "%s", is_whole ? text : reason_of(reply));
    free(text);
    return reply->status;
}

/* Text as a file, or else in the reply. */
static int take_answer(const struct control_reply *reply, int file_fd, char **answer)
{
    size_t text_bytes;

    if (file_fd >= 0)
        return read_file(file_fd, answer, &text_bytes);
    *answer = strdup(reply->reason);
    return *answer != NULL ? 0 : -ENOMEM;
}

int control_client_command(const char *socket_path, enum control_op op, uint32_t domid,
                           const char *text, unsigned timeout_s, char **answer, struct why *why)
{
    struct control_reply reply;
    int file_fd;

    why->text[0] = '\0';
    int rc = exchange(socket_path, timeout_s, op, domid, text, &reply, &file_fd);
    if (rc == 0 && reply.status != 0)
        rc = take_refusal(&reply, file_fd, why);
    else if (rc == 0 && answer != NULL)
        rc = take_answer(&reply, file_fd, answer);
    return finish(rc, file_fd, socket_path, why);
}

int control_client_tell(const char *socket_path, enum control_op op, uint32_t domid,
                        const char *text, unsigned timeout_s, struct why *why)
{
    return control_client_command(socket_path, op, domid, text, timeout_s, NULL, why);
}
