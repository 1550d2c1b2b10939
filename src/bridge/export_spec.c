/* SPDX-License-Identifier: MIT */
#include "bridge/export_spec.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/vdev.h"

enum { WORD_SIZE = 64 };

struct reader {
    const char *text; /* all of it, for messages */
    struct export_spec spec;
    struct why *why;
    bool has_vdev, has_access;
};

static int set_vdev(struct reader *r, const char *value)
{
    if (r->has_vdev)
        return why_fail(r->why, -EINVAL, "disk %s: vdev is there twice", r->text);
    if (vdev_parse(value, &r->spec.vdev) < 0)
        return why_fail(r->why, -EINVAL,
                        "disk %s: '%s' is no disk: xvda, xvdb, ... or Xen's number of one", r->text,
                        value);
    r->has_vdev = true;
    return 0;
}

static int set_access(struct reader *r, const char *value)
{
    if (r->has_access)
        return why_fail(r->why, -EINVAL, "disk %s: access is there twice", r->text);
    if (strcmp(value, "r") == 0 || strcmp(value, "ro") == 0)
        r->spec.access = EXPORT_READ;
    else if (strcmp(value, "w") == 0 || strcmp(value, "rw") == 0)
        r->spec.access = EXPORT_WRITE;
    else
        return why_fail(r->why, -EINVAL, "disk %s: access is r or w, not '%s'", r->text, value);
    r->has_access = true;
    return 0;
}

/* xl's other words, all about what Dom0 does. */
static bool is_of_dom0(const char *word)
{
    static const char *const names[] = {
        "target",    "format",      "devtype",     "backend",        "backendtype",
        "script",    "cdrom",       "discard",     "no-discard",     "specification",
        "trusted",   "untrusted",   "colo",        "direct-io-safe", "colo-host",
        "colo-port", "colo-export", "active-disk", "hidden-disk",
    };
    size_t length = strcspn(word, "=");

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strlen(names[i]) == length && strncmp(word, names[i], length) == 0)
            return true;
    return false;
}

static int take_word(struct reader *r, const char *word)
{
    if (strncmp(word, "vdev=", strlen("vdev=")) == 0)
        return set_vdev(r, word + strlen("vdev="));
    if (strncmp(word, "access=", strlen("access=")) == 0)
        return set_access(r, word + strlen("access="));
    if (is_of_dom0(word))
        return why_fail(r->why, -EINVAL,
                        "disk %s: '%s' is Dom0's decision (service start --disk, service "
                        "block-attach); a domain says vdev= and access=",
                        r->text, word);
    if (strchr(word, '=') != NULL)
        return why_fail(r->why, -EINVAL,
                        "disk %s: unknown parameter '%s': vdev= or access=", r->text, word);
    if (!r->has_vdev)
        return set_vdev(r, word);
    if (!r->has_access)
        return set_access(r, word);
    return why_fail(r->why, -EINVAL, "disk %s: '%s' is one word too many", r->text, word);
}

int export_spec_parse(const char *text, struct export_spec *out, struct why *why)
{
    struct reader r = {.text = text, .spec = {.access = EXPORT_AS_IS}, .why = why};
    const char *at = text;
    char word[WORD_SIZE];
    int rc = 0;

    while (rc == 0 && *at != '\0') {
        size_t length = strcspn(at, ",");
        if (length >= sizeof(word))
            return why_fail(why, -EINVAL, "disk %s: a word is too long", text);
        memcpy(word, at, length);
        word[length] = '\0';
        at += length + (at[length] == ',');
        rc = take_word(&r, word);
    }
    if (rc == 0 && !r.has_vdev)
        rc = why_fail(why, -EINVAL, "disk %s: which one? vdev=xvda", text);
    if (rc == 0)
        *out = r.spec;
    return rc;
}

void export_spec_format(const struct export_spec *spec, char text[EXPORT_SPEC_TEXT_SIZE])
{
    static const char *const access[] = {"", ",access=r", ",access=w"};
    char name[VDEV_NAME_SIZE];

    vdev_format(spec->vdev, name);
    snprintf(text, EXPORT_SPEC_TEXT_SIZE, "%s%s", name, access[spec->access]);
}
