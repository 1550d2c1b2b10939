/* SPDX-License-Identifier: MIT */
#include "service/block/engine/libnbd_calls.h"

#include <errno.h>

#ifdef HAVE_LIBNBD
#include <dlfcn.h>
#include <libnbd.h>
#include <pthread.h>
#include <stddef.h>

/* The library's functions, by their names without "nbd_". */
static struct calls {
    __typeof__(nbd_aio_connect_uri) *aio_connect_uri;
    __typeof__(nbd_aio_disconnect) *aio_disconnect;
    __typeof__(nbd_aio_flush) *aio_flush;
    __typeof__(nbd_aio_get_direction) *aio_get_direction;
    __typeof__(nbd_aio_get_fd) *aio_get_fd;
    __typeof__(nbd_aio_is_closed) *aio_is_closed;
    __typeof__(nbd_aio_is_connecting) *aio_is_connecting;
    __typeof__(nbd_aio_is_dead) *aio_is_dead;
    __typeof__(nbd_aio_is_ready) *aio_is_ready;
    __typeof__(nbd_aio_notify_read) *aio_notify_read;
    __typeof__(nbd_aio_notify_write) *aio_notify_write;
    __typeof__(nbd_aio_pread) *aio_pread;
    __typeof__(nbd_aio_pwrite) *aio_pwrite;
    __typeof__(nbd_aio_trim) *aio_trim;
    __typeof__(nbd_can_flush) *can_flush;
    __typeof__(nbd_can_multi_conn) *can_multi_conn;
    __typeof__(nbd_can_trim) *can_trim;
    __typeof__(nbd_close) *close;
    __typeof__(nbd_create) *create;
    __typeof__(nbd_get_block_size) *get_block_size;
    __typeof__(nbd_get_errno) *get_errno;
    __typeof__(nbd_get_error) *get_error;
    __typeof__(nbd_get_size) *get_size;
    __typeof__(nbd_is_read_only) *is_read_only;
    __typeof__(nbd_poll) *poll;
} calls;

static const struct {
    const char *name;
    size_t at;
} table[] = {
    {"nbd_aio_connect_uri", offsetof(struct calls, aio_connect_uri)},
    {"nbd_aio_disconnect", offsetof(struct calls, aio_disconnect)},
    {"nbd_aio_flush", offsetof(struct calls, aio_flush)},
    {"nbd_aio_get_direction", offsetof(struct calls, aio_get_direction)},
    {"nbd_aio_get_fd", offsetof(struct calls, aio_get_fd)},
    {"nbd_aio_is_closed", offsetof(struct calls, aio_is_closed)},
    {"nbd_aio_is_connecting", offsetof(struct calls, aio_is_connecting)},
    {"nbd_aio_is_dead", offsetof(struct calls, aio_is_dead)},
    {"nbd_aio_is_ready", offsetof(struct calls, aio_is_ready)},
    {"nbd_aio_notify_read", offsetof(struct calls, aio_notify_read)},
    {"nbd_aio_notify_write", offsetof(struct calls, aio_notify_write)},
    {"nbd_aio_pread", offsetof(struct calls, aio_pread)},
    {"nbd_aio_pwrite", offsetof(struct calls, aio_pwrite)},
    {"nbd_aio_trim", offsetof(struct calls, aio_trim)},
    {"nbd_can_flush", offsetof(struct calls, can_flush)},
    {"nbd_can_multi_conn", offsetof(struct calls, can_multi_conn)},
    {"nbd_can_trim", offsetof(struct calls, can_trim)},
    {"nbd_close", offsetof(struct calls, close)},
    {"nbd_create", offsetof(struct calls, create)},
    {"nbd_get_block_size", offsetof(struct calls, get_block_size)},
    {"nbd_get_errno", offsetof(struct calls, get_errno)},
    {"nbd_get_error", offsetof(struct calls, get_error)},
    {"nbd_get_size", offsetof(struct calls, get_size)},
    {"nbd_is_read_only", offsetof(struct calls, is_read_only)},
    {"nbd_poll", offsetof(struct calls, poll)},
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool loaded;

static void load(void)
{
    void *library = dlopen("libnbd.so.0", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        void *function = dlsym(library, table[i].name);
        if (function == NULL)
            return;
        *(void **)((char *)&calls + table[i].at) = function;
    }
    loaded = true;
}

int libnbd_load(struct why *why)
{
    pthread_once(&once, load);
    if (loaded)
        return 0;
    return why_fail(why, -ENOTSUP, "libnbd.so.0 cannot be loaded: install libnbd (make deps)");
}

/* What the engine calls, under the library's names: its header is the contract. */

int nbd_aio_connect_uri(struct nbd_handle *h, const char *uri)
{
    return calls.aio_connect_uri(h, uri);
}

int nbd_aio_disconnect(struct nbd_handle *h, uint32_t flags)
{
    return calls.aio_disconnect(h, flags);
}

int64_t nbd_aio_flush(struct nbd_handle *h, nbd_completion_callback done, uint32_t flags)
{
    return calls.aio_flush(h, done, flags);
}

unsigned nbd_aio_get_direction(struct nbd_handle *h)
{
    return calls.aio_get_direction(h);
}

int nbd_aio_get_fd(struct nbd_handle *h)
{
    return calls.aio_get_fd(h);
}

int nbd_aio_is_closed(struct nbd_handle *h)
{
    return calls.aio_is_closed(h);
}

int nbd_aio_is_connecting(struct nbd_handle *h)
{
    return calls.aio_is_connecting(h);
}

int nbd_aio_is_dead(struct nbd_handle *h)
{
    return calls.aio_is_dead(h);
}

int nbd_aio_is_ready(struct nbd_handle *h)
{
    return calls.aio_is_ready(h);
}

int nbd_aio_notify_read(struct nbd_handle *h)
{
    return calls.aio_notify_read(h);
}

int nbd_aio_notify_write(struct nbd_handle *h)
{
    return calls.aio_notify_write(h);
}

int64_t nbd_aio_pread(struct nbd_handle *h, void *buf, size_t count, uint64_t offset,
                      nbd_completion_callback done, uint32_t flags)
{
    return calls.aio_pread(h, buf, count, offset, done, flags);
}

int64_t nbd_aio_pwrite(struct nbd_handle *h, const void *buf, size_t count, uint64_t offset,
                       nbd_completion_callback done, uint32_t flags)
{
    return calls.aio_pwrite(h, buf, count, offset, done, flags);
}

int64_t nbd_aio_trim(struct nbd_handle *h, uint64_t count, uint64_t offset,
                     nbd_completion_callback done, uint32_t flags)
{
    return calls.aio_trim(h, count, offset, done, flags);
}

int nbd_can_flush(struct nbd_handle *h)
{
    return calls.can_flush(h);
}

int nbd_can_multi_conn(struct nbd_handle *h)
{
    return calls.can_multi_conn(h);
}

int nbd_can_trim(struct nbd_handle *h)
{
    return calls.can_trim(h);
}

void nbd_close(struct nbd_handle *h)
{
    calls.close(h);
}

struct nbd_handle *nbd_create(void)
{
    return calls.create();
}

int64_t nbd_get_block_size(struct nbd_handle *h, int size_type)
{
    return calls.get_block_size(h, size_type);
}

int nbd_get_errno(void)
{
    return calls.get_errno();
}

const char *nbd_get_error(void)
{
    return calls.get_error();
}

int64_t nbd_get_size(struct nbd_handle *h)
{
    return calls.get_size(h);
}

int nbd_is_read_only(struct nbd_handle *h)
{
    return calls.is_read_only(h);
}

int nbd_poll(struct nbd_handle *h, int timeout)
{
    return calls.poll(h, timeout);
}

#else /* !HAVE_LIBNBD */

int libnbd_load(struct why *why)
{
    return why_fail(why, -ENOTSUP,
                    "this service was built without libnbd; install that (make deps) and build it "
                    "again");
}

#endif
