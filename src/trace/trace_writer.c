/* SPDX-License-Identifier: MIT */
#include "trace/trace_writer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory_file.h"
#include "ring/barrier.h"
#include "trace/trace_memory.h"
#include "trace/trace_packed.h"

enum { SEALS = F_SEAL_GROW | F_SEAL_SHRINK };

int trace_writer_make(uint32_t lanes, uint32_t records, const char *name)
{
    int fd = memory_file_create(name);
    if (fd < 0)
        return fd;
    int rc = ftruncate(fd, (off_t)trace_memory_bytes(lanes, records)) < 0 ? -errno : 0;
    if (rc == 0)
        rc = memory_file_seal(fd, SEALS);
    if (rc == 0)
        return fd;
    close(fd);
    return rc;
}

int trace_writer_map(struct trace_writer *writer, uint32_t lanes, uint32_t records, int fd)
{
    size_t bytes = trace_memory_bytes(lanes, records);
    struct stat st;
    int rc = memory_file_check(fd, SEALS);
    if (rc == 0 && (fstat(fd, &st) < 0 || (uint64_t)st.st_size != bytes))
        rc = -EBADFD;
    if (rc < 0)
        return rc;
    assert(writer->head == NULL || (writer->lanes == lanes && writer->records == records));
    int fixed = writer->head != NULL ? MAP_FIXED : 0;
    void *at = mmap(writer->head, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | fixed, fd, 0);
    if (at == MAP_FAILED)
        return -errno;
    writer->head = at;
    writer->lanes = lanes;
    writer->records = records;
    return 0;
}

void trace_writer_unmap(struct trace_writer *writer)
{
    if (writer->head != NULL)
        munmap(writer->head, trace_memory_bytes(writer->lanes, writer->records));
    writer->head = NULL;
}

void trace_writer_forget(struct trace_writer *writer)
{
    if (writer->head == NULL)
        return;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t first = sizeof(*writer->head) + writer->lanes * sizeof(struct trace_lane);
    first = (first + page - 1) / page * page;
    size_t bytes = trace_memory_bytes(writer->lanes, writer->records);
    if (bytes > first)
        (void)madvise((uint8_t *)writer->head + first, bytes - first, MADV_REMOVE);
}

void trace_writer_show_active(struct trace_writer *writer, bool active)
{
    store_release_u32(&writer->head->active, active);
}

uint64_t trace_writer_thread(void)
{
    return (uint64_t)pthread_self();
}

/* NULL: all are in use. */
static struct trace_lane *claim(const struct trace_writer *writer)
{
    if (writer->lanes == 1)
        return trace_memory_lane(writer->head, 0);
    /* Threads' control blocks lie whole pages apart, and their low bits are all alike. */
    uint64_t hash = (trace_writer_thread() * UINT64_C(0x9e3779b97f4a7c15)) >> 32;
    uint32_t at = (uint32_t)(hash * writer->lanes >> 32);
    for (uint32_t i = 0; i < writer->lanes; i++) {
        struct trace_lane *lane = trace_memory_lane(writer->head, at);
        if (load_relaxed_u32(&lane->busy) == 0 && exchange_full_u32(&lane->busy, 1) == 0)
            return lane;
        at = at + 1 < writer->lanes ? at + 1 : 0;
    }
    (void)fetch_add_relaxed_u64(&writer->head->lost, 1);
    return NULL;
}

static void release(const struct trace_writer *writer, struct trace_lane *lane)
{
    if (writer->lanes > 1)
        store_release_u32(&lane->busy, 0);
}

void trace_writer_put(const struct trace_writer *writer, const struct trace_record *record)
{
    union {
        struct trace_packed record;
        uint64_t words[TRACE_RECORD_WORDS];
    } packed;
    struct trace_lane *lane = claim(writer);
    if (lane == NULL)
        return;
    uint64_t head = load_relaxed_u64(&lane->head);
    uint64_t *to = trace_memory_record(writer->head, writer->lanes, writer->records, lane, head);
    trace_pack(record, &packed.record);
    /* Release each time: whoever reads a word of this record sees the head before it, and so that
     * the one that was here is gone. Pairs with take in trace_reader.c. */
    for (uint32_t i = 0; i < TRACE_RECORD_WORDS; i++)
        store_release_u64(&to[i], packed.words[i]);
    store_release_u64(&lane->head, head + 1);
    release(writer, lane);
}
