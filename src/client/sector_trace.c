/* SPDX-License-Identifier: MIT */
#include "client/sector_trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"

static int add(struct sector_trace *trace, uint64_t *room, uint64_t sector)
{
    if (trace->count == *room) {
        uint64_t more = *room == 0 ? 1024 : *room * 2;
        uint64_t *grown = realloc(trace->sectors, more * sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        trace->sectors = grown;
        *room = more;
    }
    trace->sectors[trace->count++] = sector;
    if (sector > trace->last)
        trace->last = sector;
    return 0;
}

static int read_lines(struct sector_trace *trace, FILE *file, const char *path, struct why *why)
{
    uint64_t room = 0, number = 0, sector;
    size_t line_bytes = 0;
    char *line = NULL;
    int rc = 0;

    errno = 0;
    while (rc == 0 && getline(&line, &line_bytes, file) >= 0) {
        number++;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\0' || line[0] == '#')
            continue;
        if (decimal_parse(line, 0, UINT64_MAX, &sector) < 0)
            rc = why_fail(why, -EINVAL, "%s: line %" PRIu64 " is no sector number: '%.40s'", path,
                          number, line);
        else if (add(trace, &room, sector) < 0)
            rc = why_fail(why, -ENOMEM, "%s: no memory for more than %" PRIu64 " sectors", path,
                          trace->count);
    }
    if (rc == 0 && feof(file) == 0) /* an error, or no memory for a line */
        rc = why_fail(why, errno != 0 ? -errno : -EIO, "cannot read %s: %s", path,
                      strerror(errno != 0 ? errno : EIO));
    free(line);
    if (rc == 0 && trace->count == 0)
        rc = why_fail(why, -EINVAL, "%s has no sector number", path);
    return rc;
}

int sector_trace_load(struct sector_trace *trace, const char *path, struct why *why)
{
    *trace = (struct sector_trace){.sectors = NULL};
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return why_fail(why, -errno, "cannot open %s: %s", path, strerror(errno));
    int rc = read_lines(trace, file, path, why);
    fclose(file);
    if (rc < 0)
        sector_trace_free(trace);
    return rc;
}

void sector_trace_free(struct sector_trace *trace)
{
    free(trace->sectors);
    *trace = (struct sector_trace){.sectors = NULL};
}
