/* SPDX-License-Identifier: MIT */
#include "xl_disk.h"

#include <libxl.h>
#include <libxlutil.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void copy(char to[XL_DISK_TEXT], const char *from)
{
    snprintf(to, XL_DISK_TEXT, "%s", from == NULL ? "" : from);
}

/* What it writes is "NAME: " and the words, a line for each. */
static void take_words(const char *report, const char *name, char to[XL_DISK_TEXT])
{
    size_t length = strlen(name);
    if (strncmp(report, name, length) == 0 && strncmp(report + length, ": ", 2) == 0)
        report += length + 2;
    copy(to, report);
    to[strcspn(to, "\n")] = '\0';
}

void xl_disk_parse(const char *const *words, int count, struct xl_disk *out)
{
    static const char name[] = "command line";
    char *report = NULL;
    size_t report_bytes;
    libxl_device_disk disk;
    FILE *file = open_memstream(&report, &report_bytes);
    XLU_Config *config = file == NULL ? NULL : xlu_cfg_init(file, name);
    if (config == NULL)
        abort();
    libxl_device_disk_init(&disk);
    out->refused = xlu_disk_parse(config, count, words, &disk) != 0;
    fclose(file);
    take_words(report, name, out->words);
    copy(out->target, disk.pdev_path);
    copy(out->vdev, disk.vdev);
    out->is_raw = disk.format == LIBXL_DISK_FORMAT_RAW;
    out->writable = disk.readwrite != 0;
    out->cdrom = disk.is_cdrom != 0;
    libxl_device_disk_dispose(&disk);
    xlu_cfg_destroy(config);
    free(report);
}
