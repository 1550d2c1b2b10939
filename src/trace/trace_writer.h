/* SPDX-License-Identifier: MIT */
/*
 * trace_writer: writes records into the lanes of a trace memory (splitdom/trace.h).
 *
 * Any thread may write; none ever waits. A thread begins to look for a free lane at one of its own,
 * so that as long as there are no more threads than lanes each has one. Where all are in use the
 * record is lost, and counted. To a memory with one lane only one thread writes, and claims
 * nothing.
 */
#ifndef SPLITDOM_TRACE_TRACE_WRITER_H
#define SPLITDOM_TRACE_TRACE_WRITER_H

#include <stdint.h>

#include "splitdom/trace.h"

struct trace_writer {
    struct trace_head *head; /* NULL: no memory yet */
    uint32_t lanes, records;
};

/* Makes a memory of so many lanes and records, and returns its file, sealed at its size. name is
 * for people who look into /proc. Errors: -errno. */
int trace_writer_make(uint32_t lanes, uint32_t records, const char *name);
/* Writes to the memory in fd, which stays the caller's. One that the writer has already gives way
 * to it at the same address: who still writes does no harm. Errors: -EBADFD it is no sealed file of
 * that size; -errno. */
int trace_writer_map(struct trace_writer *writer, uint32_t lanes, uint32_t records, int fd);
/* Nobody writes any more. Without a memory: nothing. */
void trace_writer_unmap(struct trace_writer *writer);

/* Nobody reads any more: the pages of the records go back to the system; the memory stays, and
 * counts on. Who still writes does no harm: a page or two come back, and a record may be lost. Only
 * the file's own permissions can forbid it: then nothing happens. Without a memory: nothing. */
void trace_writer_forget(struct trace_writer *writer);

/* Whether its writer writes: for readers to know. */
void trace_writer_show_active(struct trace_writer *writer, bool active);

void trace_writer_put(const struct trace_writer *writer, const struct trace_record *record);

/* Tells the threads of a process apart. */
uint64_t trace_writer_thread(void);

#endif
