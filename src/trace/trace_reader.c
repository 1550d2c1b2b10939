/* SPDX-License-Identifier: MIT */
#include "trace/trace_reader.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/memory_file.h"
#include "ring/barrier.h"
#include "trace/trace_memory.h"
#include "trace/trace_packed.h"

int trace_reader_open(struct trace_reader *out, uint32_t lanes, uint32_t records, int fd,
                      bool fresh)
{
    size_t bytes = trace_memory_bytes(lanes, records);
    struct stat st;
    assert(lanes <= TRACE_LANES_MAX);
    *out = (struct trace_reader){.lanes = lanes, .records = records};
    /* Sealed: no page of it can go, so that reading raises no signal. */
    int rc = memory_file_check(fd, F_SEAL_GROW | F_SEAL_SHRINK);
    if (rc == 0 && (fstat(fd, &st) < 0 || (uint64_t)st.st_size != bytes))
        rc = -EBADFD;
    if (rc < 0)
        return rc;
    void *at = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return -errno;
    out->head = at;
    if (fresh)
        return 0;
    for (uint32_t i = 0; i < lanes; i++)
        out->next[i] = load_acquire_u64(&trace_memory_lane(at, i)->head);
    out->lost_before = load_relaxed_u64(&out->head->lost);
    return 0;
}

void trace_reader_close(struct trace_reader *reader)
{
    if (reader->head != NULL)
        munmap((void *)(uintptr_t)reader->head, trace_memory_bytes(reader->lanes, reader->records));
    reader->head = NULL;
}

/* Whatever stands in head, no more is taken of a lane than it holds. */
static uint64_t take_lane(struct trace_reader *reader, uint32_t number,
                          void (*take)(void *ctx, const struct trace_record *record), void *ctx)
{
    const struct trace_lane *lane = trace_memory_lane(reader->head, number);
    uint64_t *next = &reader->next[number], head = load_acquire_u64(&lane->head), count = 0;
    if (head - *next > reader->records) {
        /* A head that went back is nonsense: nothing of it is lost, and nothing is there. */
        reader->lost += (int64_t)(head - *next) > 0 ? head - *next - reader->records : 0;
        *next = (int64_t)(head - *next) > 0 ? head - reader->records : head;
    }
    for (; *next != head; ++*next) {
        uint64_t words[TRACE_RECORD_WORDS];
        const uint64_t *from =
            trace_memory_record(reader->head, reader->lanes, reader->records, lane, *next);
        for (uint32_t i = 0; i < TRACE_RECORD_WORDS; i++)
            words[i] = load_acquire_u64(&from[i]);
        /* Pairs with trace_writer_put: if any of the words is of a later record, this head is. */
        if (load_acquire_u64(&lane->head) - *next >= reader->records) {
            reader->lost++;
            continue;
        }
        struct trace_packed packed;
        struct trace_record record;
        memcpy(&packed, words, sizeof(packed));
        trace_unpack(&packed, &record);
        take(ctx, &record);
        count++;
    }
    return count;
}

uint64_t trace_reader_take(struct trace_reader *reader,
                           void (*take)(void *ctx, const struct trace_record *record), void *ctx)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < reader->lanes; i++)
        count += take_lane(reader, i, take, ctx);
    return count;
}

uint64_t trace_reader_lost(const struct trace_reader *reader)
{
    return reader->lost + load_relaxed_u64(&reader->head->lost) - reader->lost_before;
}

bool trace_reader_is_active(const struct trace_reader *reader)
{
    return load_acquire_u32(&reader->head->active) != 0;
}
