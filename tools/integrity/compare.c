/* SPDX-License-Identifier: MIT */
#include "compare.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"

enum { PREFETCH_MAX_BYTES = 1 << 30 };

struct compare {
    struct input image, sectors, read;
    uint64_t image_sector_count;
    uint64_t record_count;
    char *text;
    size_t text_bytes;
};

static enum compare_result __attribute__((format(printf, 3, 4)))
say(struct compare *compare, enum compare_result result, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(compare->text, compare->text_bytes, format, arguments);
    va_end(arguments);
    return result;
}

static enum compare_result cannot_read(struct compare *compare, const struct input *input, int rc)
{
    const char *reason = strerror(-rc);

    if (rc == -ESPIPE)
        reason = "not a file";
    else if (rc == -ENODATA)
        reason = "it ends too early: did it change meanwhile?";
    return say(compare, COMPARE_BAD_INPUT, "cannot read %s: %s", input->path, reason);
}

static enum compare_result open_all(struct compare *compare, const struct compare_files *files)
{
    struct input *inputs[] = {&compare->image, &compare->sectors, &compare->read};
    const char *paths[] = {files->image, files->sectors, files->read};

    for (size_t i = 0; i < 3; i++)
        inputs[i]->fd = -1;
    for (size_t i = 0; i < 3; i++) {
        int rc = input_open(inputs[i], paths[i]);
        if (rc != 0)
            return cannot_read(compare, inputs[i], rc);
    }
    compare->image_sector_count = compare->image.size_bytes / COMPARE_SECTOR_BYTES;
    if (compare->image_sector_count == 0)
        return say(compare, COMPARE_BAD_INPUT, "%s holds no whole sector", files->image);
    return COMPARE_MATCH;
}

/* Every line is the number of a sector of the image, and there is one record for each. */
static enum compare_result check_form(struct compare *compare)
{
    uint64_t sector;
    int rc;

    while ((rc = input_take_number(&compare->sectors, &sector)) == 1) {
        compare->record_count++;
        if (sector >= compare->image_sector_count)
            return say(compare, COMPARE_BAD_INPUT,
                       "%s line %" PRIu64 ": sector %" PRIu64
                       " is beyond the image, whose last sector is %" PRIu64,
                       compare->sectors.path, compare->record_count, sector,
                       compare->image_sector_count - 1);
    }
    if (rc == -EINVAL)
        return say(compare, COMPARE_BAD_INPUT, "%s line %" PRIu64 " is not a sector number",
                   compare->sectors.path, compare->record_count + 1);
    if (rc == -ENODATA)
        return say(compare, COMPARE_BAD_INPUT, "%s line %" PRIu64 " is cut off: no newline",
                   compare->sectors.path, compare->record_count + 1);
    if (rc != 0)
        return cannot_read(compare, &compare->sectors, rc);
    if (compare->record_count == 0)
        return say(compare, COMPARE_BAD_INPUT, "%s is empty: there is nothing to verify",
                   compare->sectors.path);
    if (compare->read.size_bytes % COMPARE_SECTOR_BYTES != 0 ||
        compare->read.size_bytes / COMPARE_SECTOR_BYTES != compare->record_count)
        return say(compare, COMPARE_BAD_INPUT,
                   "%s has %" PRIu64 " bytes, but the %" PRIu64 " lines of %s need %" PRIu64,
                   compare->read.path, compare->read.size_bytes, compare->record_count,
                   compare->sectors.path, compare->record_count * COMPARE_SECTOR_BYTES);
    return COMPARE_MATCH;
}

/* Many random reads of a small image: have it read in one go. Only a hint. */
static void prefetch_image(const struct compare *compare)
{
    uint64_t bytes = compare->image.size_bytes;

    if (bytes <= PREFETCH_MAX_BYTES && compare->record_count >= compare->image_sector_count / 64)
        posix_fadvise(compare->image.fd, 0, (off_t)bytes, POSIX_FADV_WILLNEED);
}

static enum compare_result mismatch(struct compare *compare, uint64_t record, uint64_t sector,
                                    const unsigned char *expected, const unsigned char *got)
{
    size_t at = 0;

    while (expected[at] == got[at])
        at++;
    return say(compare, COMPARE_MISMATCH,
               "record %" PRIu64 " (line %" PRIu64 " of %s), sector %" PRIu64
               ": differs from byte %zu on: the image has 0x%02x, %s has 0x%02x at offset %" PRIu64,
               record, record + 1, compare->sectors.path, sector, at, expected[at],
               compare->read.path, got[at], record * COMPARE_SECTOR_BYTES + at);
}

static enum compare_result check_data(struct compare *compare)
{
    unsigned char expected[COMPARE_SECTOR_BYTES], got[COMPARE_SECTOR_BYTES];
    uint64_t sector;
    int rc;

    input_rewind(&compare->sectors);
    for (uint64_t record = 0; record < compare->record_count; record++) {
        rc = input_take_number(&compare->sectors, &sector);
        if (rc != 1)
            return cannot_read(compare, &compare->sectors, rc == 0 ? -ENODATA : rc);
        rc = input_take(&compare->read, got, sizeof(got));
        if (rc != 0)
            return cannot_read(compare, &compare->read, rc);
        rc = input_read_at(&compare->image, sector * COMPARE_SECTOR_BYTES, expected,
                           sizeof(expected));
        if (rc != 0)
            return cannot_read(compare, &compare->image, rc);
        if (memcmp(expected, got, sizeof(got)) != 0)
            return mismatch(compare, record, sector, expected, got);
    }
    return say(compare, COMPARE_MATCH,
               "%" PRIu64 " reads verified: every one matches %s (%" PRIu64 " sectors)",
               compare->record_count, compare->image.path, compare->image_sector_count);
}

enum compare_result compare_run(const struct compare_files *files, char *text, size_t text_bytes)
{
    struct compare *compare = calloc(1, sizeof(*compare));
    enum compare_result result;

    if (compare == NULL) {
        snprintf(text, text_bytes, "out of memory");
        return COMPARE_BAD_INPUT;
    }
    compare->text = text;
    compare->text_bytes = text_bytes;
    result = open_all(compare, files);
    if (result == COMPARE_MATCH)
        result = check_form(compare);
    if (result == COMPARE_MATCH) {
        prefetch_image(compare);
        result = check_data(compare);
    }
    input_close(&compare->image);
    input_close(&compare->sectors);
    input_close(&compare->read);
    free(compare);
    return result;
}
