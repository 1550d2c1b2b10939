/* SPDX-License-Identifier: MIT */
/*
 * Disk specifications as Xen's own parser reads them and as ours does: random ones, put together of
 * the words of xl-disk-configuration(5), right and wrong. What xl takes we take, and mean the same,
 * or say that it is not served here; what xl refuses we refuse, in its words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "base/vdev.h"
#include "service/dom0/disks/disk_spec.h"
#include "xl_disk.h"

enum { TEXTS = 100000, DIVIDED_MAX = 7 };

static const char *const targets[] = {"f",     "/d/g",      "phy:/d/g", "file:f",       "raw:f",
                                      "aio:f", "tap:aio:f", "tap2:f",   "tapdisk:f",    "ioemu:f",
                                      "foo:f", "foo:/f",    "foo:",     "file:raw:f",   "qcow2:f",
                                      "a:b:c", "1a:/f",     " f",       "raw:qcow2:/f", "vhd:f"};
static const char *const formats[] = {"", "raw", "qcow2", "vhd", "qed", "aio", "x"};
static const char *const vdevs[] = {"xvda",  "xvdzz",     "xvdb1",    "hda",      "hdc:cdrom",
                                    "sda1",  "hdc:disk",  "hdc:tape", "d0p1",     "51712",
                                    "xvda:", "268435457", "foo",      "phy:xvda", "hdc:cdrom:disk"};
static const char *const accesses[] = {"w", "r", "rw", "ro", "", "x", "W"};
static const char *const ends[] = {"", "", ",", ", ", ",\t "};
static const char *const words[] = {"cdrom",
                                    "devtype=cdrom",
                                    "devtype=disk",
                                    "no-colo",
                                    "access=",
                                    "access=r",
                                    "access=rw",
                                    "access=x",
                                    "format=",
                                    "format=raw",
                                    "format=qcow2",
                                    "format=x",
                                    "format=empty",
                                    "vdev=xvdc",
                                    "vdev=hdb",
                                    "backend=",
                                    "backend=0",
                                    "backendtype=",
                                    "backendtype=x",
                                    "script=",
                                    "backendtype=phy",
                                    "backendtype=qdisk",
                                    "discard",
                                    "no-discard",
                                    "target=f",
                                    "target=f,raw,xvda",
                                    "specification=xen",
                                    "direct-io-safe",
                                    "specification=",
                                    "nosuch",
                                    "specification=x",
                                    "specification=virtio"};

#define PICK(prng, list) (list)[prng_below(prng, sizeof(list) / sizeof((list)[0]))]

static void add(char *text, size_t size, const char *word)
{
    size_t length = strlen(text);
    snprintf(text + length, size - length, "%s%s", length > 0 ? "," : "", word);
}

/* Places in their order, now and then one too few or too many, and named words between them. */
static void choose(struct prng *prng, char *text, size_t size)
{
    text[0] = '\0';
    const char *const places[] = {PICK(prng, targets), PICK(prng, formats), PICK(prng, vdevs),
                                  PICK(prng, accesses)};
    size_t count = prng_below(prng, 4) == 0 ? prng_below(prng, 5) : 4;
    for (size_t i = 0; i < count; i++) {
        if (i == 1 && strchr(places[0], ':') != NULL && prng_below(prng, 4) > 0)
            continue; /* after a prefix there is no such place */
        if (prng_below(prng, 6) == 0)
            add(text, size, PICK(prng, words));
        add(text, size, places[i]);
    }
    for (uint64_t left = prng_below(prng, 3); left > 0; left--)
        add(text, size, PICK(prng, words));
    const char *end = PICK(prng, ends);
    size_t length = strlen(text);
    snprintf(text + length, size - length, "%s", end);
}

/* Here and there a comma ends a word of the command line; a NULL ends them all. Returns how many.
 */
static int divide(struct prng *prng, char *text, const char *divided[DIVIDED_MAX + 1])
{
    int count = 0;
    divided[count++] = text;
    for (char *at = text; *at != '\0' && count < DIVIDED_MAX; at++) {
        if (*at != ',' || prng_below(prng, 4) > 0)
            continue;
        *at = '\0';
        divided[count++] = at + 1;
    }
    divided[count] = NULL;
    return count;
}

static bool means_the_same(const struct xl_disk *xl, const struct disk_spec *spec)
{
    uint32_t devid;
    return strcmp(xl->target, spec->target) == 0 && xl->cdrom == spec->cdrom && xl->is_raw &&
           xl->writable == (spec->access != ACCESS_READ) && vdev_parse(xl->vdev, &devid) == 0 &&
           devid == spec->devid;
}

/* xl takes any name, an empty one too, and is told by libxl later that there is no such disk. */
static bool is_for_later(const struct xl_disk *xl, const char *words_of_ours)
{
    uint32_t devid;
    if (strstr(words_of_ours, " is not served here; ") != NULL)
        return true;
    if (xl->target[0] == '\0' || xl->vdev[0] == '\0')
        return true;
    return vdev_parse(xl->vdev, &devid) < 0 &&
           strstr(words_of_ours, "unsupported virtual disk identifier") != NULL;
}

static void we_read_what_xl_reads(void **state)
{
    (void)state;
    struct prng prng;
    uint32_t taken = 0, refused = 0;
    prng_init(&prng, 1, 0);
    for (uint32_t i = 0; i < TEXTS; i++) {
        char text[XL_DISK_TEXT / 4], whole[XL_DISK_TEXT / 4];
        const char *divided[DIVIDED_MAX + 1];
        struct xl_disk xl;
        struct disk_spec spec;
        struct why why = {""};
        choose(&prng, text, sizeof(text));
        memcpy(whole, text, sizeof(whole));
        xl_disk_parse(divided, divide(&prng, text, divided), &xl);
        int rc = disk_spec_parse_words(divided, &spec, &why);
        bool same = rc < 0 ? is_for_later(&xl, why.text) || strcmp(xl.words, why.text) == 0
                           : !xl.refused && means_the_same(&xl, &spec);
        if (!same)
            fail_msg("`%s', divided: xl: %s, %s, %s%s%s; ours: %s", whole,
                     xl.refused ? xl.words : xl.target, xl.vdev, xl.writable ? "w" : "r",
                     xl.cdrom ? ", cdrom" : "", xl.is_raw ? "" : ", not raw",
                     rc < 0 ? why.text : spec.target);
        taken += rc == 0;
        refused += rc < 0 && xl.refused && strcmp(xl.words, why.text) == 0;
    }
    print_message("%u taken, %u refused in the same words, of %u\n", taken, refused, TEXTS);
    assert_true(taken > TEXTS / 50 && refused > TEXTS / 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(we_read_what_xl_reads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
