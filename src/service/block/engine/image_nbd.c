/* SPDX-License-Identifier: MIT */
#include "service/block/engine/image_nbd.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "service/block/engine/image.h"
#include "service/block/engine/libnbd_calls.h"

enum { PATIENCE_MS = 10000, MEMORY_ALIGN_BYTES = 8, BLOCK_BYTES_MAX = 65536 };

bool image_nbd_is_uri(const char *text)
{
    static const char *const schemes[] = {"nbd://", "nbd+unix://", "nbds://", "nbds+unix://",
                                          "nbd+vsock://"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strncmp(text, schemes[i], strlen(schemes[i])) == 0)
            return true;
    }
    return false;
}

#ifdef HAVE_LIBNBD
#include <libnbd.h>

/* Shared by its thread and whoever waits for it; the last of both frees it. */
struct image_opener {
    pthread_mutex_t lock;
    bool over, dropped; /* with the lock */
    int event_fd;
    bool writable;
    char *uri;
    /* The thread's until it is over: */
    struct image image;
    struct why why;
    int rc;
};

/* In libnbd's words, which begin with the name of a function. */
static int refuse(struct image_opener *o, int rc, const char *what)
{
    return why_fail(&o->why, rc, "%s: %s", o->uri, what);
}

static int refuse_nbd(struct image_opener *o)
{
    int error = nbd_get_errno();
    const char *text = nbd_get_error();
    return refuse(o, error != 0 ? -error : -EIO, text != NULL ? text : "libnbd has failed");
}

static int check_block(struct image_opener *o, uint64_t size_bytes)
{
    int64_t block = nbd_get_block_size(o->image.nbd, LIBNBD_SIZE_MINIMUM);
    if (block < BLOCK_SECTOR_BYTES)
        block = BLOCK_SECTOR_BYTES;
    if ((block & (block - 1)) != 0 || block > BLOCK_BYTES_MAX)
        return refuse(o, -ENOTSUP, "its server's smallest block is no power of two up to 65536");
    if (size_bytes == 0 || size_bytes % (uint64_t)block != 0)
        return refuse(o, -EINVAL, "its size is 0 or no multiple of 512, or of its server's block");
    o->image.block_size_bytes = (uint32_t)block;
    o->image.memory_align_bytes = MEMORY_ALIGN_BYTES;
    o->image.size_bytes = size_bytes;
    return 0;
}

static int look_at_export(struct image_opener *o)
{
    int64_t size_bytes = nbd_get_size(o->image.nbd);
    int read_only = nbd_is_read_only(o->image.nbd);
    if (size_bytes < 0 || read_only < 0)
        return refuse_nbd(o);
    if (o->writable && read_only != 0)
        return refuse(o, -EROFS, "its server lets it be read only; have the disk read-only");
    o->image.writable = read_only == 0;
    return check_block(o, (uint64_t)size_bytes);
}

static int refuse_silent(struct image_opener *o)
{
    return why_fail(&o->why, -ETIMEDOUT, "%s: its server has not answered for %d s", o->uri,
                    PATIENCE_MS / 1000);
}

/* A server that accepts and says nothing does not keep the thread for ever. */
static int connect_export(struct image_opener *o)
{
    struct nbd_handle *nbd = o->image.nbd;
    const uint64_t end_ns = clock_monotonic_ns() + PATIENCE_MS * UINT64_C(1000000);
    if (nbd_aio_connect_uri(nbd, o->uri) < 0)
        return refuse_nbd(o);
    while (nbd_aio_is_connecting(nbd) == 1) {
        uint64_t now_ns = clock_monotonic_ns();
        if (now_ns >= end_ns)
            return refuse_silent(o);
        if (nbd_poll(nbd, (int)((end_ns - now_ns) / 1000000) + 1) < 0)
            return refuse_nbd(o);
    }
    return nbd_aio_is_ready(nbd) == 1 ? 0 : refuse_nbd(o);
}

static int open_export(struct image_opener *o)
{
    struct why why;
    int rc = libnbd_load(&why);
    if (rc < 0)
        return refuse(o, rc, why.text);
    o->image = (struct image){.fd = -1, .path = strdup(o->uri), .nbd = nbd_create()};
    if (o->image.path == NULL || o->image.nbd == NULL)
        return refuse(o, -ENOMEM, "out of memory");
    rc = connect_export(o);
    return rc < 0 ? rc : look_at_export(o);
}

static void destroy(struct image_opener *o)
{
    if (o->rc < 0 || o->dropped)
        image_close(&o->image);
    if (o->event_fd >= 0)
        close(o->event_fd);
    pthread_mutex_destroy(&o->lock);
    free(o->uri);
    free(o);
}

static void *opener_main(void *arg)
{
    struct image_opener *o = arg;
    o->rc = open_export(o);
    pthread_mutex_lock(&o->lock);
    o->over = true;
    bool dropped = o->dropped;
    if (!dropped)
        (void)eventfd_write(o->event_fd, 1);
    pthread_mutex_unlock(&o->lock);
    if (dropped)
        destroy(o);
    return NULL;
}

static struct image_opener *create(const char *uri, bool writable)
{
    struct image_opener *o = calloc(1, sizeof(*o));
    if (o == NULL)
        return NULL;
    pthread_mutex_init(&o->lock, NULL);
    o->image.fd = -1;
    o->writable = writable;
    o->uri = strdup(uri);
    o->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return o;
}

int image_opener_start(const char *uri, bool writable, struct image_opener **out, struct why *why)
{
    pthread_t thread;
    *out = NULL;
    if (strncmp(uri, "nbd:", 4) != 0 && strncmp(uri, "nbd+unix:", 9) != 0)
        return why_fail(why, -EINVAL, "%s: only nbd:// and nbd+unix:// are served here", uri);
    struct image_opener *o = create(uri, writable);
    if (o == NULL)
        return why_fail(why, -ENOMEM, "%s: out of memory", uri);
    int rc = o->uri == NULL ? -ENOMEM : o->event_fd < 0 ? -EMFILE : 0;
    if (rc == 0)
        rc = thread_start(&thread, opener_main, o);
    if (rc < 0) {
        o->rc = rc;
        destroy(o);
        return why_fail_errno(why, rc, "%s: cannot begin to connect", uri);
    }
    pthread_detach(thread);
    *out = o;
    return 0;
}

int image_opener_fd(const struct image_opener *o)
{
    return o->event_fd;
}

int image_opener_finish(struct image_opener *o, struct image *out, struct why *why)
{
    struct pollfd end = {.fd = o->event_fd, .events = POLLIN};
    while (poll(&end, 1, -1) != 1)
        continue;
    pthread_mutex_lock(&o->lock); /* its thread may still hold it */
    pthread_mutex_unlock(&o->lock);
    int rc = o->rc;
    *out = (struct image){.fd = -1};
    if (rc < 0)
        *why = o->why;
    else
        *out = o->image;
    destroy(o);
    return rc;
}

void image_opener_drop(struct image_opener *o)
{
    if (o == NULL)
        return;
    pthread_mutex_lock(&o->lock);
    o->dropped = true;
    bool over = o->over;
    pthread_mutex_unlock(&o->lock);
    if (over)
        destroy(o);
}

int image_nbd_open(const char *uri, bool writable, struct image *out, struct why *why)
{
    struct image_opener *o;
    *out = (struct image){.fd = -1};
    int rc = image_opener_start(uri, writable, &o, why);
    if (rc < 0)
        return rc;
    struct pollfd end = {.fd = o->event_fd, .events = POLLIN};
    if (poll(&end, 1, PATIENCE_MS) == 1)
        return image_opener_finish(o, out, why);
    image_opener_drop(o);
    return why_fail(why, -ETIMEDOUT, "%s: its server has not answered for %d s", uri,
                    PATIENCE_MS / 1000);
}

void image_nbd_close(struct nbd_handle *nbd)
{
    if (nbd == NULL)
        return;
    if (nbd_aio_is_ready(nbd) == 1)
        (void)nbd_aio_disconnect(nbd, 0);
    nbd_close(nbd);
}

#else /* !HAVE_LIBNBD */

int image_opener_start(const char *uri, bool writable, struct image_opener **out, struct why *why)
{
    struct why reason;
    (void)writable;
    *out = NULL;
    int rc = libnbd_load(&reason);
    return why_fail(why, rc, "%s: %s", uri, reason.text);
}

int image_opener_fd(const struct image_opener *o)
{
    (void)o;
    return -1;
}

int image_opener_finish(struct image_opener *o, struct image *out, struct why *why)
{
    (void)o;
    *out = (struct image){.fd = -1};
    return why_fail(why, -ENOTSUP, "built without libnbd");
}

void image_opener_drop(struct image_opener *o)
{
    (void)o;
}

int image_nbd_open(const char *uri, bool writable, struct image *out, struct why *why)
{
    struct image_opener *o;
    *out = (struct image){.fd = -1};
    return image_opener_start(uri, writable, &o, why);
}

void image_nbd_close(struct nbd_handle *nbd)
{
    (void)nbd;
}

#endif
