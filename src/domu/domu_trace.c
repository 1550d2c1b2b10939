/* SPDX-License-Identifier: MIT */
#include "domu/domu_trace.h"

#include <errno.h>
#include <unistd.h>

#include "base/decimal.h"
#include "splitdom/control.h"

const char domu_trace_node[] = "splitdom/trace";

/* Once in a life: Dom0 gives the same again. */
static int map_memory(struct domu_trace *trace, struct life *life)
{
    int fd = life_fetch(life, CONTROL_TRACE_MEMORY, 0);
    if (fd < 0)
        return fd;
    int rc = trace_writer_map(&trace->writer, TRACE_DOMAIN_LANES, TRACE_DOMAIN_RECORDS, fd);
    close(fd);
    return rc;
}

int domu_trace_read(struct domu_trace *trace, struct life *life)
{
    char text[16];
    uint64_t wanted;
    int rc = xs_client_read(life->store, 0, domu_trace_node, text, sizeof(text));
    bool absent = rc == -ENOENT || rc == -EACCES || rc == -E2BIG || rc == -EINVAL;
    if (rc < 0 && !absent)
        return rc;
    if (absent || decimal_parse(text, 0, UINT32_MAX, &wanted) < 0)
        wanted = 0;
    if (wanted == trace->threshold)
        return 0;
    if (trace->threshold == 0 && map_memory(trace, life) < 0)
        return 0;
    trace->threshold = (uint32_t)wanted;
    trace->is_used |= wanted > 0;
    trace_writer_show_active(&trace->writer, wanted > 0);
    return 1;
}

void domu_trace_tidy(struct domu_trace *trace)
{
    if (trace->threshold == 0 && trace->is_used) {
        trace->is_used = false;
        trace_writer_forget(&trace->writer);
    }
}

bool domu_trace_stop(struct domu_trace *trace)
{
    bool changes = trace->threshold != 0;
    trace->threshold = 0;
    return changes;
}

void domu_trace_fini(struct domu_trace *trace)
{
    trace_writer_unmap(&trace->writer);
}
