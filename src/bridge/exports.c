/* SPDX-License-Identifier: MIT */
#include "bridge/exports.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/vdev.h"

struct export
{
    struct blkfront *bf; /* NULL: it has no users */
    uint32_t users;
    char name[VDEV_NAME_SIZE];
    enum export_access access;
    struct blkfront_options options;
};

struct exports {
    pthread_mutex_t lock; /* for users and bf of all */
    struct domu *domu;
    uint32_t count;
    struct export list[EXPORTS_MAX];
};

/* The largest request on the ring: less, where there are so many that a domain has no memory for
 * large ones (a larger one is split). */
static uint32_t request_sectors(uint32_t count, uint32_t depth, uint32_t queues)
{
    uint64_t requests = (uint64_t)count * depth * (queues == 0 ? 1 : queues);
    uint64_t most = EXPORTS_MEMORY_SECTORS / requests;

    if (most < EXPORTS_REQUEST_SECTORS_MIN)
        return EXPORTS_REQUEST_SECTORS_MIN;
    return most > EXPORTS_REQUEST_SECTORS ? EXPORTS_REQUEST_SECTORS : (uint32_t)most;
}

static void name_all(struct exports *exports, const struct exports_options *options)
{
    static const struct export_spec xvda = {.vdev = VDEV_XVDA};
    const struct export_spec *disks = options->disk_count == 0 ? &xvda : options->disks;

    uint32_t depth = options->depth == 0 ? EXPORTS_DEPTH : options->depth;

    exports->count = options->disk_count == 0 ? 1 : options->disk_count;
    assert(exports->count <= EXPORTS_MAX);
    for (uint32_t i = 0; i < exports->count; i++) {
        vdev_format(disks[i].vdev, exports->list[i].name);
        exports->list[i].access = disks[i].access;
        exports->list[i].options = (struct blkfront_options){
            .size = sizeof(struct blkfront_options),
            .depth = depth,
            .sectors_per_request = request_sectors(exports->count, depth, options->queues),
            .vdev = disks[i].vdev,
            .queues = options->queues,
        };
    }
}

static int refuse_twins(const struct exports *exports, struct why *why)
{
    for (uint32_t i = 0; i < exports->count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(exports->list[i].name, exports->list[j].name) == 0)
                return why_fail(why, -EEXIST, "the disk %s is named twice", exports->list[i].name);
    return 0;
}

static int become_domain(struct exports *exports, const struct exports_options *options,
                         struct why *why)
{
    struct domu_options domain = options->domain;
    struct domu_error error;

    domain.size = sizeof(domain);
    domain.pages = 0;
    for (uint32_t i = 0; i < exports->count; i++)
        domain.pages += blkfront_pages(&exports->list[i].options);
    int rc = domu_open(&domain, &exports->domu, &error);
    return rc < 0 ? why_fail(why, rc, "%s", error.text) : 0;
}

static bool is_used(const struct exports *exports)
{
    for (uint32_t i = 0; i < exports->count; i++)
        if (exports->list[i].users > 0)
            return true;
    return false;
}

static int try_all(struct exports *exports, struct why *why)
{
    struct blkfront *bf;
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < exports->count; i++) {
        rc = exports_acquire(exports, exports->list[i].name, &bf, why);
        if (rc == 0)
            exports_release(exports, bf);
    }
    return rc;
}

int exports_open(const struct exports_options *options, struct exports **out, struct why *why)
{
    struct exports *exports = calloc(1, sizeof(*exports));

    *out = NULL;
    if (exports == NULL)
        return why_fail(why, -ENOMEM, "out of memory");
    pthread_mutex_init(&exports->lock, NULL);
    name_all(exports, options);
    int rc = refuse_twins(exports, why);
    if (rc == 0)
        rc = become_domain(exports, options, why);
    if (rc == 0)
        rc = try_all(exports, why);
    if (rc < 0)
        exports_close(exports);
    else
        *out = exports;
    return rc;
}

void exports_close(struct exports *exports)
{
    if (exports == NULL)
        return;
    assert(!is_used(exports));
    domu_close(exports->domu);
    pthread_mutex_destroy(&exports->lock);
    free(exports);
}

bool exports_are_used(struct exports *exports)
{
    pthread_mutex_lock(&exports->lock);
    bool used = is_used(exports);
    pthread_mutex_unlock(&exports->lock);
    return used;
}

uint32_t exports_count(const struct exports *exports)
{
    return exports->count;
}

const char *exports_name(const struct exports *exports, uint32_t index)
{
    assert(index < exports->count);
    return exports->list[index].name;
}

static struct export *find(struct exports *exports, const char *name)
{
    if (name[0] == '\0')
        return &exports->list[0];
    for (uint32_t i = 0; i < exports->count; i++)
        if (strcmp(exports->list[i].name, name) == 0)
            return &exports->list[i];
    return NULL;
}

/* A client's name ends in a log, where nothing of it may look like another line. */
static int refuse_name(const char *name, struct why *why)
{
    for (const char *at = name; *at != '\0'; at++)
        if (*at < ' ' || *at > '~')
            return why_fail(why, -ENOENT, "there is no export of that name");
    return why_fail(why, -ENOENT, "there is no export %s", name);
}

static int refuse_read_only(const struct export *export, struct why *why)
{
    struct blkfront_geometry geometry;
    int rc = blkfront_geometry(export->bf, &geometry);

    if (rc < 0)
        return why_fail_errno(why, rc, "%s", export->name);
    if (geometry.read_only)
        return why_fail(why, -EROFS, "%s is read-only in Dom0, access=w needs a writable disk",
                        export->name);
    return 0;
}

static int open_disk(struct exports *exports, struct export *export, struct why *why)
{
    struct blkfront_error error;
    int rc = blkfront_open(exports->domu, &export->options, &export->bf, &error);

    if (rc < 0)
        return why_fail(why, rc, "%s: %s", export->name, error.text);
    rc = export->access == EXPORT_WRITE ? refuse_read_only(export, why) : 0;
    if (rc < 0) {
        blkfront_close(export->bf);
        export->bf = NULL;
    }
    return rc;
}

int exports_acquire(struct exports *exports, const char *name, struct blkfront **out,
                    struct why *why)
{
    struct export *export = find(exports, name);
    int rc = 0;

    if (export == NULL)
        return refuse_name(name, why);
    pthread_mutex_lock(&exports->lock);
    if (export->users == 0)
        rc = open_disk(exports, export, why);
    if (rc == 0) {
        export->users++;
        *out = export->bf;
    }
    pthread_mutex_unlock(&exports->lock);
    return rc;
}

void exports_release(struct exports *exports, struct blkfront *bf)
{
    pthread_mutex_lock(&exports->lock);
    for (uint32_t i = 0; i < exports->count; i++) {
        struct export *export = &exports->list[i];
        if (export->bf != bf)
            continue;
        assert(export->users > 0);
        if (--export->users == 0) {
            blkfront_close(export->bf);
            export->bf = NULL;
        }
    }
    pthread_mutex_unlock(&exports->lock);
}

int exports_geometry(struct exports *exports, struct blkfront *bf, struct blkfront_geometry *out)
{
    int rc = blkfront_geometry(bf, out);

    pthread_mutex_lock(&exports->lock);
    for (uint32_t i = 0; rc == 0 && i < exports->count; i++) {
        if (exports->list[i].bf == bf && exports->list[i].access == EXPORT_READ) {
            out->read_only = true;
            out->discard = false;
            out->discard_granularity = 0;
        }
    }
    pthread_mutex_unlock(&exports->lock);
    return rc;
}

void exports_hurry(struct exports *exports)
{
    domu_hurry(exports->domu, EXPORTS_CLOSE_MS);
}

int exports_failure_fd(struct exports *exports)
{
    return domu_fd(exports->domu);
}

const char *exports_failure(struct exports *exports)
{
    return domu_failure(exports->domu);
}
