/* SPDX-License-Identifier: MIT */
/*
 * direct: the least that a plugin of nbdkit (nbdkit-plugin(3), API 2) can do for reads past the
 * page cache: nbdkit's threads read the file themselves, with O_DIRECT. nbdkit's own file plugin
 * reads through the page cache. So this one's rows are what nbdkit leaves to any plugin.
 *
 *   nbdkit PATH/nbdkit-direct-plugin.so file=FILE
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>
#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

enum {
    BLOCK_BYTES = 4096,
    LARGEST_BYTES = 1 << 20, /* of a request */
};

/* nbdkit's callbacks get no context of ours. */
static struct {
    char *path;
    int fd;
    int64_t bytes;
    pthread_key_t buffer; /* of each thread; nbdkit's own is not aligned */
} state = {.fd = -1};

static int fail(const char *what)
{
    int error = errno;

    nbdkit_error("cannot %s: %s", what, strerror(error));
    nbdkit_set_error(error);
    return -1;
}

static int direct_config(const char *key, const char *value)
{
    if (strcmp(key, "file") != 0) {
        nbdkit_error("unknown parameter '%s'", key);
        return -1;
    }
    free(state.path);
    state.path = nbdkit_realpath(value);
    return state.path != NULL ? 0 : -1;
}

static int direct_config_complete(void)
{
    if (state.path != NULL)
        return 0;
    nbdkit_error("file=FILE is missing");
    return -1;
}

static int direct_get_ready(void)
{
    struct stat file;

    state.fd = open(state.path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (state.fd < 0 || fstat(state.fd, &file) < 0)
        return fail("open the file");
    state.bytes = file.st_size / BLOCK_BYTES * BLOCK_BYTES;
    errno = pthread_key_create(&state.buffer, free);
    return errno != 0 ? fail("get a buffer for each thread") : 0;
}

static void direct_unload(void)
{
    if (state.fd >= 0)
        close(state.fd);
    free(state.path);
}

static void *direct_open(int readonly)
{
    (void)readonly;
    return &state;
}

static int64_t direct_get_size(void *handle)
{
    (void)handle;
    return state.bytes;
}

static int direct_can_write(void *handle)
{
    (void)handle;
    return 0;
}

static int direct_can_multi_conn(void *handle)
{
    (void)handle;
    return 1;
}

static int direct_block_size(void *handle, uint32_t *minimum, uint32_t *preferred,
                             uint32_t *maximum)
{
    (void)handle;
    *minimum = *preferred = BLOCK_BYTES;
    *maximum = LARGEST_BYTES;
    return 0;
}

static void *own_buffer(void)
{
    void *buffer = pthread_getspecific(state.buffer);

    if (buffer == NULL && (buffer = aligned_alloc(BLOCK_BYTES, LARGEST_BYTES)) != NULL)
        (void)pthread_setspecific(state.buffer, buffer);
    return buffer;
}

static int direct_pread(void *handle, void *to, uint32_t count, uint64_t offset, uint32_t flags)
{
    void *buffer = own_buffer();

    (void)handle;
    (void)flags;
    if (buffer == NULL)
        return fail("get a buffer");
    if (count > LARGEST_BYTES || pread(state.fd, buffer, count, (off_t)offset) != (ssize_t)count) {
        errno = EIO;
        return fail("read");
    }
    memcpy(to, buffer, count);
    return 0;
}

static struct nbdkit_plugin plugin = {
    .name = "direct",
    .config = direct_config,
    .config_complete = direct_config_complete,
    .magic_config_key = "file",
    .get_ready = direct_get_ready,
    .unload = direct_unload,
    .open = direct_open,
    .get_size = direct_get_size,
    .block_size = direct_block_size,
    .can_write = direct_can_write,
    .can_multi_conn = direct_can_multi_conn,
    .pread = direct_pread,
};

struct nbdkit_plugin *plugin_init(void); /* nbdkit finds it by its name */
NBDKIT_REGISTER_PLUGIN(plugin)
