/* SPDX-License-Identifier: MIT */
#include "service/dom0/memory/memory_limit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/decimal.h"

enum { NUMBER_BYTES = 32 };

/* UINT64_MAX: no limit. */
static uint64_t read_limit(const char *path)
{
    char text[NUMBER_BYTES];
    uint64_t limit = UINT64_MAX;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return limit;
    if (fgets(text, sizeof(text), file) != NULL) {
        text[strcspn(text, "\n")] = '\0';
        (void)decimal_parse(text, 0, UINT64_MAX, &limit); /* "max" leaves it as it is */
    }
    fclose(file);
    return limit;
}

uint64_t memory_limit_bytes(uint64_t machine_bytes, const char *cgroup_file)
{
    uint64_t limit = read_limit(cgroup_file);
    return (limit < machine_bytes ? limit : machine_bytes) / 2;
}

uint64_t memory_limit_machine_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    return pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : UINT64_MAX;
}
