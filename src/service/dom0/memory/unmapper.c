/* SPDX-License-Identifier: MIT */
#include "service/dom0/memory/unmapper.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/container_of.h"
#include "base/list.h"
#include "base/thread.h"
#include "ring/barrier.h"
#include "service/block/cache/cache.h"

struct job {
    struct list_node link;
    struct segment segment; /* zeroed: it is none */
    struct cache *cache;    /* NULL: it is none */
    struct unmapper_file file;
};

struct unmapper {
    pthread_t thread;
    pthread_mutex_t lock; /* guards all but pending_bytes; never held for long */
    pthread_cond_t has_work;
    struct list jobs;
    bool closing;
    uint64_t pending_bytes; /* atomic */
};

static uint64_t bytes_of(const struct segment *segment)
{
    return (uint64_t)segment->nr_pages << XEN_PAGE_SHIFT;
}

static void let_go(const struct unmapper_file *file)
{
    if (file->base != NULL)
        munmap(file->base, file->bytes);
    if (file->fd >= 0)
        close(file->fd);
}

static void *unmap_all(void *arg)
{
    struct unmapper *u = arg;
    pthread_mutex_lock(&u->lock);
    for (;;) {
        struct list_node *node = list_pop_front(&u->jobs);
        if (node == NULL && u->closing)
            break;
        if (node == NULL) {
            pthread_cond_wait(&u->has_work, &u->lock);
            continue;
        }
        pthread_mutex_unlock(&u->lock);
        struct job *job = container_of(node, struct job, link);
        uint64_t bytes = bytes_of(&job->segment);
        if (job->cache != NULL)
            cache_destroy(job->cache);
        segment_detach(&job->segment);
        let_go(&job->file);
        free(job);
        pthread_mutex_lock(&u->lock);
        store_full_u64(&u->pending_bytes, u->pending_bytes - bytes);
    }
    pthread_mutex_unlock(&u->lock);
    return NULL;
}

int unmapper_create(struct unmapper **out)
{
    *out = NULL;
    struct unmapper *u = calloc(1, sizeof(*u));
    if (u == NULL)
        return -ENOMEM;
    pthread_mutex_init(&u->lock, NULL);
    pthread_cond_init(&u->has_work, NULL);
    int rc = thread_start(&u->thread, unmap_all, u);
    if (rc < 0) {
        free(u);
        return rc;
    }
    *out = u;
    return 0;
}

static void put(struct unmapper *u, struct job *job)
{
    pthread_mutex_lock(&u->lock);
    store_full_u64(&u->pending_bytes, u->pending_bytes + bytes_of(&job->segment));
    list_push_back(&u->jobs, &job->link);
    pthread_cond_signal(&u->has_work);
    pthread_mutex_unlock(&u->lock);
}

void unmapper_take(struct unmapper *u, struct segment *segment)
{
    struct job *job = u == NULL || segment->base == NULL ? NULL : calloc(1, sizeof(*job));
    if (job == NULL) {
        segment_detach(segment);
        return;
    }
    job->segment = *segment;
    job->file.fd = -1;
    memset(segment, 0, sizeof(*segment));
    put(u, job);
}

void unmapper_take_cache(void *ctx, struct cache *cache)
{
    struct unmapper *u = ctx;
    struct job *job = u == NULL ? NULL : calloc(1, sizeof(*job));
    if (job == NULL) {
        cache_destroy(cache);
        return;
    }
    job->cache = cache;
    job->file.fd = -1;
    put(u, job);
}

void unmapper_take_file(struct unmapper *u, const struct unmapper_file *file)
{
    struct job *job = u == NULL ? NULL : calloc(1, sizeof(*job));
    if (job == NULL) {
        let_go(file);
        return;
    }
    job->file = *file;
    put(u, job);
}

uint64_t unmapper_pending_bytes(const struct unmapper *u)
{
    return u == NULL ? 0 : load_full_u64(&u->pending_bytes);
}

void unmapper_destroy(struct unmapper *u)
{
    if (u == NULL)
        return;
    pthread_mutex_lock(&u->lock);
    u->closing = true;
    pthread_cond_signal(&u->has_work);
    pthread_mutex_unlock(&u->lock);
    pthread_join(u->thread, NULL);
    pthread_cond_destroy(&u->has_work);
    pthread_mutex_destroy(&u->lock);
    free(u);
}
