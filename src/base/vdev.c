/* SPDX-License-Identifier: MIT */
#include "base/vdev.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"

enum {
    LETTERS = 26,
    XVD_DISK_MAX = (1 << 20) - 1,
    XVD_PARTITION_MAX = 255,
    /* Of the short form of an xvd, and of an sd. */
    DISK_MAX = 15,
    PARTITION_MAX = 15,
    HD_DISK_MAX = 3,
    HD_PARTITION_MAX = 63,

    /* Linux's major numbers, which Xen took over. */
    MAJOR_HD = 3,
    MAJOR_HD_SECOND = 22, /* of hdc and hdd */
    MAJOR_SD = 8,
    MAJOR_XVD = 202,
    EXTENDED = 1 << 28,
};

struct place {
    uint32_t disk, partition; /* partition 0: the whole disk */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A decimal number without a zero in front; the text ends behind it. */
static bool take_number(const char *text, uint32_t max, uint32_t *out)
{
    uint64_t value;
    if (text[0] == '0' && text[1] != '\0')
        return false;
    if (decimal_parse(text, 0, max, &value) < 0)
        return false;
    *out = (uint32_t)value;
    return true;
}

/* "a" is disk 0, "z" 25, "aa" 26; the digits behind it are a partition, from 1 on. */
static bool take_letters(const char *text, const char *prefix, struct place max, struct place *out)
{
    size_t length = strlen(prefix);
    if (strncmp(text, prefix, length) != 0)
        return false;
    const char *at = text + length;
    uint64_t disk = 0; /* 1 is the first one */
    for (; *at >= 'a' && *at <= 'z'; at++) {
        disk = disk * LETTERS + (uint64_t)(*at - 'a') + 1;
        if (disk > (uint64_t)max.disk + 1)
            return false;
    }
    if (disk == 0)
        return false;
    *out = (struct place){.disk = (uint32_t)disk - 1};
    return *at == '\0' || (*at != '0' && take_number(at, max.partition, &out->partition));
}

/* "d0", "d0p1" */
static bool take_dp(const char *text, struct place *out)
{
    char disk[16];
    if (text[0] != 'd' || !is_digit(text[1]))
        return false;
    size_t length = strcspn(text + 1, "p");
    if (length >= sizeof(disk))
        return false;
    memcpy(disk, text + 1, length);
    disk[length] = '\0';
    *out = (struct place){0};
    if (!take_number(disk, XVD_DISK_MAX, &out->disk))
        return false;
    const char *rest = text + 1 + length;
    return *rest == '\0' || take_number(rest + 1, XVD_PARTITION_MAX, &out->partition);
}

/* The number itself: decimal, hexadecimal or octal, as C writes them. */
static bool take_plain(const char *text, uint32_t *out)
{
    char *end;
    if (!is_digit(text[0]))
        return false;
    unsigned long value = strtoul(text, &end, 0); /* too large a number is one above INT32_MAX */
    *out = (uint32_t)value;
    return *end == '\0' && value > 0 && value <= INT32_MAX;
}

static uint32_t xvd_number(struct place place)
{
    if (place.disk <= DISK_MAX && place.partition <= PARTITION_MAX)
        return MAJOR_XVD << 8 | place.disk << 4 | place.partition;
    return EXTENDED | place.disk << 8 | place.partition;
}

int vdev_parse(const char *text, uint32_t *number)
{
    struct place place;
    if (take_letters(text, "xvd", (struct place){XVD_DISK_MAX, XVD_PARTITION_MAX}, &place) ||
        take_dp(text, &place)) {
        *number = xvd_number(place);
    } else if (take_letters(text, "sd", (struct place){DISK_MAX, PARTITION_MAX}, &place)) {
        *number = MAJOR_SD << 8 | place.disk << 4 | place.partition;
    } else if (take_letters(text, "hd", (struct place){HD_DISK_MAX, HD_PARTITION_MAX}, &place)) {
        uint32_t major = place.disk < 2 ? MAJOR_HD : MAJOR_HD_SECOND;
        *number = major << 8 | (place.disk & 1) << 6 | place.partition;
    } else if (!take_plain(text, number)) {
        return -EINVAL;
    }
    return 0;
}

static void format_place(const char *prefix, struct place place, char name[VDEV_NAME_SIZE])
{
    char letters[8] = "";
    size_t at = sizeof(letters) - 1;
    uint32_t disk = place.disk + 1;
    do {
        disk--;
        letters[--at] = (char)('a' + (char)(disk % LETTERS));
        disk /= LETTERS;
    } while (disk > 0);
    if (place.partition == 0)
        snprintf(name, VDEV_NAME_SIZE, "%s%s", prefix, letters + at);
    else
        snprintf(name, VDEV_NAME_SIZE, "%s%s%" PRIu32, prefix, letters + at, place.partition);
}

void vdev_format(uint32_t number, char name[VDEV_NAME_SIZE])
{
    uint32_t major = number >> 8, minor = number & 0xff;
    if (number >> 28 == 1)
        format_place("xvd", (struct place){(number & (EXTENDED - 1)) >> 8, minor}, name);
    else if (major == MAJOR_XVD)
        format_place("xvd", (struct place){minor >> 4, minor & 15}, name);
    else if (major == MAJOR_SD)
        format_place("sd", (struct place){minor >> 4, minor & 15}, name);
    else if ((major == MAJOR_HD || major == MAJOR_HD_SECOND) && minor >> 6 < 2)
        format_place("hd", (struct place){(major == MAJOR_HD ? 0 : 2) + (minor >> 6), minor & 63},
                     name);
    else
        snprintf(name, VDEV_NAME_SIZE, "%" PRIu32, number);
}
