/* SPDX-License-Identifier: MIT */
/*
 * plugin: disks of a domain as exports of nbdkit (nbdkit-plugin(3), API 2). The process is one
 * domain; each connection is to one of its disks, which all connections to that export share.
 * Requests run in nbdkit's threads (--threads). nbdkit ends with a domain that does not reconnect.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/decimal.h"
#include "base/thread.h"
#include "bridge/cache_fill.h"
#include "bridge/exports.h"
#include "bridge/process_place.h"
#include "splitdom/tdf.h"

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>
#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

enum {
    SECTOR_BYTES = 512,
    PREFERRED_BYTES = 4096,
    LARGEST_BYTES = 32 << 20, /* of a request; what NBD clients expect to be allowed */
};

/* nbdkit's callbacks get no context of ours. */
static struct {
    struct exports_options options;
    struct exports *exports;
    struct process_place place; /* from after_fork on */
    pthread_t watcher;
    int stop_fd;           /* eventfd that ends the watcher */
    bool watches, is_lost; /* the domain is, as the watcher saw */
} state = {.stop_fd = -1};

struct connection {
    struct blkfront *bf;
    struct blkfront_geometry geometry; /* as this client was told it */
};

/* ---- errors ---- */

static int fail(int rc, const char *what)
{
    int error = rc == -ENOTCONN ? ESHUTDOWN : rc == -EPROTO || rc == -ETIMEDOUT ? EIO : -rc;

    nbdkit_error("cannot %s: %s", what, strerror(-rc));
    nbdkit_set_error(error);
    return -1;
}

static int fail_why(int rc, const struct why *why)
{
    nbdkit_error("%s", why->text);
    nbdkit_set_error(-rc);
    return -1;
}

/* ---- parameters ---- */

static int set_disk(const char *value)
{
    struct exports_options *options = &state.options;
    struct why why;

    if (options->disk_count == EXPORTS_MAX) {
        nbdkit_error("at most %d disks", EXPORTS_MAX);
        return -1;
    }
    int rc = export_spec_parse(value, &options->disks[options->disk_count], &why);
    if (rc < 0)
        return fail_why(rc, &why);
    options->disk_count++;
    return 0;
}

static int set_tdf(const char *value)
{
    struct exports_options *options = &state.options;

    if (decimal_parse_ratio(value, TDF_TERM_MAX, &options->domain.tdf_num,
                            &options->domain.tdf_den) < 0 ||
        options->domain.tdf_num == 0) {
        nbdkit_error("tdf=%s: a number above 0, or a fraction such as 1/10", value);
        return -1;
    }
    return 0;
}

static int set_flag(const char *value, bool *out)
{
    int flag = nbdkit_parse_bool(value);

    *out = flag > 0;
    return flag < 0 ? -1 : 0;
}

static int plugin_config(const char *key, const char *value)
{
    struct exports_options *options = &state.options;

    if (strcmp(key, "disk") == 0)
        return set_disk(value);
    if (strcmp(key, "name") == 0)
        options->domain.name = value;
    else if (strcmp(key, "rundir") == 0)
        options->domain.rundir = value;
    else if (strcmp(key, "tdf") == 0)
        return set_tdf(value);
    else if (strcmp(key, "reconnect") == 0)
        return set_flag(value, &options->domain.reconnect);
    else if (strcmp(key, "depth") == 0)
        return nbdkit_parse_uint32_t("depth", value, &options->depth);
    else if (strcmp(key, "queues") == 0)
        return nbdkit_parse_uint32_t("queues", value, &options->queues);
    else {
        nbdkit_error("unknown parameter '%s'", key);
        return -1;
    }
    return 0;
}

/* ---- the domain ---- */

static void *watch(void *arg)
{
    struct pollfd fds[] = {{.fd = exports_failure_fd(state.exports), .events = POLLIN},
                           {.fd = state.stop_fd, .events = POLLIN}};

    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        continue;
    state.is_lost = (fds[0].revents & POLLIN) != 0;
    if (state.is_lost) {
        nbdkit_error("%s", exports_failure(state.exports));
        nbdkit_shutdown();
    }
    return arg;
}

static int start_watcher(void)
{
    int rc = exports_failure_fd(state.exports);
    if (rc < 0)
        return fail(rc, "watch the domain");
    state.stop_fd = eventfd(0, EFD_CLOEXEC);
    if (state.stop_fd < 0)
        return fail(-errno, "watch the domain");
    rc = thread_start(&state.watcher, watch, NULL);
    state.watches = rc == 0;
    return rc < 0 ? fail(rc, "start a thread") : 0;
}

/* Here, because the library's threads would not survive the fork into the background. */
static int plugin_after_fork(void)
{
    struct why why;
    int rc = exports_open(&state.options, &state.exports, &why);

    process_place_init(&state.place);
    return rc < 0 ? fail_why(rc, &why) : start_watcher();
}

/* nbdkit calls any end that a plugin wants a success. */
static void end_in_failure(void)
{
    _exit(EXIT_FAILURE);
}

static void plugin_cleanup(void)
{
    if (state.watches) {
        (void)eventfd_write(state.stop_fd, 1);
        pthread_join(state.watcher, NULL);
    }
    if (state.stop_fd >= 0)
        close(state.stop_fd);
    /* Told to quit, nbdkit does not close its last connections. Their domain ends with the process,
     * and so do the library's threads: the plugin is linked with nodelete. */
    if (state.exports == NULL || !exports_are_used(state.exports))
        exports_close(state.exports);
    if (state.is_lost)
        (void)atexit(end_in_failure);
}

static int plugin_list_exports(int readonly, int is_tls, struct nbdkit_exports *list)
{
    (void)readonly;
    (void)is_tls;
    for (uint32_t i = 0; i < exports_count(state.exports); i++)
        if (nbdkit_add_export(list, exports_name(state.exports, i), NULL) < 0)
            return -1;
    return 0;
}

static const char *plugin_default_export(int readonly, int is_tls)
{
    (void)readonly;
    (void)is_tls;
    return exports_name(state.exports, 0);
}

/* ---- a connection ---- */

static void *plugin_open(int readonly)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    struct why why;

    (void)readonly; /* nbdkit refuses writes itself then */
    if (connection == NULL) {
        fail(-ENOMEM, "open an export");
        return NULL;
    }
    int rc = exports_acquire(state.exports, nbdkit_export_name(), &connection->bf, &why);
    if (rc < 0) {
        fail_why(rc, &why);
        free(connection);
        return NULL;
    }
    /* The first read tells of an error. */
    (void)exports_geometry(state.exports, connection->bf, &connection->geometry);
    return connection;
}

static void plugin_close(void *handle)
{
    exports_release(state.exports, ((struct connection *)handle)->bf);
    free(handle);
}

static int64_t plugin_get_size(void *handle)
{
    const struct blkfront_geometry *geometry = &((struct connection *)handle)->geometry;

    return (int64_t)((geometry->last_sector - geometry->first_sector + 1) * SECTOR_BYTES);
}

static int plugin_can_write(void *handle)
{
    return !((struct connection *)handle)->geometry.read_only;
}

static int plugin_can_flush(void *handle)
{
    return ((struct connection *)handle)->geometry.flush;
}

static int plugin_can_trim(void *handle)
{
    return ((struct connection *)handle)->geometry.discard;
}

static int plugin_can_fua(void *handle)
{
    return plugin_can_flush(handle) != 0 ? NBDKIT_FUA_EMULATE : NBDKIT_FUA_NONE;
}

/* All connections share the disk: a flush of one covers the writes of all. */
static int plugin_can_multi_conn(void *handle)
{
    return plugin_can_write(handle) == 0 || plugin_can_flush(handle) != 0;
}

static int plugin_block_size(void *handle, uint32_t *minimum, uint32_t *preferred,
                             uint32_t *maximum)
{
    const struct blkfront_geometry *geometry = &((struct connection *)handle)->geometry;

    *minimum = geometry->sector_size;
    *preferred = geometry->sector_size > PREFERRED_BYTES ? geometry->sector_size : PREFERRED_BYTES;
    *maximum = LARGEST_BYTES;
    return 0;
}

/* What nbdkit would do, a read that is dropped, goes past Dom0's cache where it is large. */
static int plugin_can_cache(void *handle)
{
    (void)handle;
    return NBDKIT_CACHE_NATIVE;
}

/* ---- requests ---- */

/* The sectors of a request, which a client that keeps to block_size never leaves. */
static int sectors_of(const struct connection *connection, uint64_t offset, uint64_t count,
                      uint64_t *sector)
{
    if (offset % SECTOR_BYTES != 0 || count % SECTOR_BYTES != 0) {
        nbdkit_error("offset %" PRIu64 " and length %" PRIu64
                     " are not multiples of %d: try --filter=blocksize",
                     offset, count, SECTOR_BYTES);
        nbdkit_set_error(EINVAL);
        return -1;
    }
    *sector = connection->geometry.first_sector + offset / SECTOR_BYTES;
    return 0;
}

static int plugin_pread(void *handle, void *buffer, uint32_t count, uint64_t offset, uint32_t flags)
{
    struct connection *connection = handle;
    uint64_t sector;

    (void)flags;
    if (sectors_of(connection, offset, count, &sector) < 0)
        return -1;
    int rc = blkfront_read(connection->bf, sector, count / SECTOR_BYTES, buffer);
    process_place_look(&state.place, connection->bf);
    return rc < 0 ? fail(rc, "read") : 0;
}

static int plugin_pwrite(void *handle, const void *buffer, uint32_t count, uint64_t offset,
                         uint32_t flags)
{
    struct connection *connection = handle;
    uint64_t sector;

    (void)flags; /* nbdkit flushes for FUA */
    if (sectors_of(connection, offset, count, &sector) < 0)
        return -1;
    int rc = blkfront_write(connection->bf, sector, count / SECTOR_BYTES, buffer);
    process_place_look(&state.place, connection->bf);
    return rc < 0 ? fail(rc, "write") : 0;
}

static int plugin_flush(void *handle, uint32_t flags)
{
    int rc = blkfront_flush(((struct connection *)handle)->bf);

    (void)flags;
    return rc < 0 ? fail(rc, "flush") : 0;
}

static int plugin_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
    struct connection *connection = handle;
    uint64_t sector;

    (void)flags;
    if (sectors_of(connection, offset, count, &sector) < 0)
        return -1;
    int rc = blkfront_discard(connection->bf, sector, count / SECTOR_BYTES);
    /* A trim is advice. A file system that has none says so only when asked. */
    return rc < 0 && rc != -EOPNOTSUPP ? fail(rc, "trim") : 0;
}

static int plugin_cache(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
    struct connection *connection = handle;
    (void)flags;
    /* It is advice, and the next read tells what is wrong. readahead of nbdkit 1.32 dies of it. */
    (void)cache_fill(connection->bf, &connection->geometry, offset, count);
    return 0;
}

/* No zero: a discard promises none, so nbdkit writes them. */
static struct nbdkit_plugin plugin = {
    .name = "splitdom",
    .longname = "a virtual disk of splitdom",
    .description = "Serves the disks of a domain: nbdkit becomes a domain of a running service.",
    .version = SPLITDOM_VERSION,
    .config = plugin_config,
    .config_help =
        "disk=xvda            A disk to serve, as often as there are disks; xvda,access=r: "
        "read-only.\n"
        "name=NAME            Which service (default: $SPLITDOM_NAME, or \"default\").\n"
        "rundir=DIR           Where it runs (default: $SPLITDOM_RUNDIR, or the user's).\n"
        "tdf=K                Time dilation factor of the domain's clock (default: 1).\n"
        "reconnect=true       Outlive a restart of the service.\n"
        "depth=64             Requests at a time of each ring.\n"
        "queues=1             Rings of each disk, over which nbdkit's threads are spread.",
    .after_fork = plugin_after_fork,
    .cleanup = plugin_cleanup,
    .list_exports = plugin_list_exports,
    .default_export = plugin_default_export,
    .open = plugin_open,
    .close = plugin_close,
    .get_size = plugin_get_size,
    .block_size = plugin_block_size,
    .can_write = plugin_can_write,
    .can_flush = plugin_can_flush,
    .can_trim = plugin_can_trim,
    .can_fua = plugin_can_fua,
    .can_multi_conn = plugin_can_multi_conn,
    .can_cache = plugin_can_cache,
    .pread = plugin_pread,
    .pwrite = plugin_pwrite,
    .flush = plugin_flush,
    .trim = plugin_trim,
    .cache = plugin_cache,
};

struct nbdkit_plugin *plugin_init(void); /* nbdkit finds it by its name */
NBDKIT_REGISTER_PLUGIN(plugin)
