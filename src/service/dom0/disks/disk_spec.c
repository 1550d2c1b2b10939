/* SPDX-License-Identifier: MIT */
#include "service/dom0/disks/disk_spec.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "service/block/engine/disk_nbd.h"
#include "service/block/engine/image_nbd.h"
#include "service/dom0/disks/target_path.h"

/* What has been seen so far: each parameter may come once, and an empty one is replaced. */
struct reader {
    const char *text; /* the whole word that is read, for messages */
    struct disk_spec *spec;
    struct why *why;
    char vdev[VDEV_NAME_SIZE];
    bool has_target, has_format, has_vdev, has_access; /* which places are taken */
    bool is_raw, has_backend;                          /* that has been said */
};

static int refuse(const struct reader *r, const char *what, const char *near)
{
    return why_fail(r->why, -EINVAL,
                    "config parsing error in disk specification: %s: near `%s' in `%s'", what, near,
                    r->text);
}

static int refuse_all(const struct reader *r, const char *what)
{
    return why_fail(r->why, -EINVAL, "config parsing error in disk specification: %s in `%s'", what,
                    r->text);
}

static int refuse_long(const struct reader *r)
{
    return why_fail(r->why, -E2BIG, "the disk's target is longer than a path can be");
}

/* Where the grammar is kept to and Dom0 can't do what is asked. */
static int cannot(const struct reader *r, const char *what, const char *instead)
{
    return why_fail(r->why, -EINVAL, "`%s': %s is not served here; %s", r->text, what, instead);
}

static int cannot_be_empty(const struct reader *r)
{
    return cannot(r, "an empty drive", "name its image: target=FILE");
}

static int set_target(struct reader *r, const char *value)
{
    if (r->spec->target[0] != '\0')
        return refuse(r, "target respecified", value);
    assert(strlen(value) < sizeof(r->spec->target)); /* as no token is longer */
    strcpy(r->spec->target, value);
    r->has_target = true;
    return 0;
}

static int set_format(struct reader *r, const char *value)
{
    static const char *const known[] = {"qcow", "qcow2", "vhd", "qed", "empty"};
    r->has_format = true;
    if (value[0] == '\0' || strcmp(value, "raw") == 0) {
        r->is_raw = true;
        return 0;
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(value, known[i]) != 0)
            continue;
        if (r->is_raw)
            return refuse(r, "format respecified", value);
        return value[0] == 'e' ? cannot_be_empty(r)
                               : cannot(r, value, "convert the image: qemu-img convert -O raw");
    }
    return refuse(r, "unknown value for format", value);
}

static int set_vdev(struct reader *r, const char *value)
{
    if (r->vdev[0] != '\0')
        return refuse(r, "vdev respecified", value);
    if (strlen(value) >= sizeof(r->vdev))
        return refuse(r, "Invalid or unsupported virtual disk identifier", value);
    strcpy(r->vdev, value);
    r->has_vdev = true;
    return 0;
}

/* By name it leaves the place for a later one, which then counts. */
static int set_access(struct reader *r, const char *value)
{
    if (strcmp(value, "rw") == 0 || strcmp(value, "w") == 0 || value[0] == '\0')
        r->spec->access = ACCESS_WRITE;
    else if (strcmp(value, "w!") == 0)
        r->spec->access = ACCESS_WRITE_SHARED;
    else if (strcmp(value, "ro") == 0 || strcmp(value, "r") == 0)
        r->spec->access = ACCESS_READ;
    else
        return refuse(r, "unknown value for access", value);
    return 0;
}

/* Returns whether it is one. */
static bool take_devtype(struct reader *r, const char *value)
{
    if (strcmp(value, "cdrom") != 0 && strcmp(value, "disk") != 0)
        return false;
    r->spec->cdrom = value[0] == 'c';
    return true;
}

static int set_devtype(struct reader *r, const char *value)
{
    return take_devtype(r, value) ? 0 : refuse(r, "unknown value for type", value);
}

static int set_backend(struct reader *r, const char *value)
{
    if (r->has_backend)
        return refuse(r, "backend respecified", value);
    r->has_backend = value[0] != '\0';
    if (!r->has_backend || strcmp(value, "0") == 0 || strcmp(value, "Domain-0") == 0)
        return 0;
    return cannot(r, "a back end in another domain", "leave backend= out");
}

static int set_backendtype(struct reader *r, const char *value)
{
    if (strcmp(value, "phy") == 0)
        return 0;
    if (strcmp(value, "qdisk") == 0 || strcmp(value, "standalone") == 0 ||
        strcmp(value, "tap") == 0)
        return cannot(r, value, "leave backendtype= out");
    return refuse(r, "unknown value for backendtype", value);
}

static int set_specification(struct reader *r, const char *value)
{
    if (strcmp(value, "xen") == 0)
        return 0;
    if (strcmp(value, "virtio") == 0)
        return cannot(r, value, "leave specification= out");
    return refuse(r, "unknown value for specification", value);
}

static int set_script(struct reader *r, const char *value)
{
    return value[0] == '\0' ? 0 : cannot(r, "a block script", "name a file or a block device");
}

static int set_reconnect(struct reader *r, const char *value)
{
    uint64_t seconds;
    if (decimal_parse(value, 0, DISK_NBD_RECONNECT_MAX_S, &seconds) < 0)
        return refuse(r, "unknown value for reconnect-delay", value);
    r->spec->has_reconnect = true;
    r->spec->reconnect_s = (uint32_t)seconds;
    return 0;
}

static int set_colo(struct reader *r, const char *value)
{
    (void)value;
    return cannot(r, "COLO", "leave its parameters out");
}

static const struct {
    const char *name;
    int (*set)(struct reader *r, const char *value);
} parameters[] = {
    {"target", set_target},
    {"format", set_format},
    {"vdev", set_vdev},
    {"access", set_access},
    {"devtype", set_devtype},
    {"backend", set_backend},
    {"backendtype", set_backendtype},
    {"specification", set_specification},
    {"script", set_script},
    {"reconnect-delay", set_reconnect},
    {"colo-host", set_colo},
    {"colo-port", set_colo},
    {"colo-export", set_colo},
    {"active-disk", set_colo},
    {"hidden-disk", set_colo},
};

static int named(struct reader *r, char *token, char *equals)
{
    *equals = '\0';
    for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
        if (strcmp(token, parameters[i].name) == 0)
            return parameters[i].set(r, equals + 1);
    }
    *equals = '=';
    return refuse(r, "unknown parameter", token);
}

/* Words without a value. 1: it is none of them. */
static int flag(struct reader *r, const char *token)
{
    if (strcmp(token, "cdrom") == 0)
        r->spec->cdrom = true;
    else if (strcmp(token, "discard") == 0 || strcmp(token, "no-discard") == 0)
        r->spec->discard = token[0] == 'd';
    else if (strcmp(token, "trusted") == 0 || strcmp(token, "untrusted") == 0)
        r->spec->trusted = token[0] == 't';
    else if (strcmp(token, "colo") == 0)
        return set_colo(r, "");
    else if (strcmp(token, "no-colo") != 0 &&
             strcmp(token, "direct-io-safe") != 0) /* O_DIRECT is never given up here */
        return 1;
    return 0;
}

/* "hdc:cdrom" is an old way to say devtype=cdrom. */
static int place_vdev(struct reader *r, char *token)
{
    char *colon = strrchr(token, ':');
    if (colon != NULL) {
        *colon = '\0';
        if (!take_devtype(r, colon + 1))
            return refuse(r, "unknown deprecated type", colon + 1);
    }
    return set_vdev(r, token);
}

static int positional(struct reader *r, char *token)
{
    if (!r->has_target)
        return set_target(r, token);
    if (!r->has_format)
        return set_format(r, token);
    if (!r->has_vdev)
        return place_vdev(r, token);
    if (!r->has_access) {
        r->has_access = true;
        return set_access(r, token);
    }
    return refuse(r, "too many positional parameters", token);
}

/* The length of the prefix, of those up to a NULL, that the text begins with; 0: of none. */
static size_t prefix_length(const char *text, const char *const *prefixes)
{
    for (; *prefixes != NULL; prefixes++) {
        if (strncmp(text, *prefixes, strlen(*prefixes)) == 0)
            return strlen(*prefixes);
    }
    return 0;
}

/* What xend wanted in front of a target. After one of them there is no place for a format. Returns
 * the text behind all of them, or NULL: refused. */
static const char *skip_prefixes(struct reader *r, const char *at)
{
    static const char *const ignored[] = {
        "tapdisk:", "tap2:", "tap:", "aio:", "ioemu:", "file:", "phy:", NULL};
    static const char *const formats[] = {"raw:", "qcow2:", "qcow:", "vhd:", NULL};
    static const char *const scripts[] = {"iscsi:", "enbd:", "nbd:", "drbd:", NULL};
    const char *before;
    do {
        before = at;
        at += prefix_length(at, ignored);
        size_t length = prefix_length(at, formats);
        char format[8];
        snprintf(format, sizeof(format), "%.*s", length > 0 ? (int)length - 1 : 0, at);
        if (length > 0 && set_format(r, format) < 0)
            return NULL;
        at += length;
        if (prefix_length(at, scripts) > 0 && !image_nbd_is_uri(at)) {
            (void)set_script(r, at);
            return NULL;
        }
        r->has_format |= at != before;
    } while (at != before);
    return at;
}

/* The rest of the text, a last comma aside. */
static int set_last_target(struct reader *r, const char *value)
{
    char target[PATH_MAX];
    size_t length = strlen(value);
    length -= length > 0 && value[length - 1] == ',';
    if (length >= sizeof(target))
        return refuse_long(r);
    memcpy(target, value, length);
    target[length] = '\0';
    return set_target(r, target);
}

/* A word and a colon that no letter or digit follows is read as a prefix, too. Returns its length,
 * or 0: none is there. */
static size_t unknown_prefix(const char *at)
{
    static const char *const letters = "abcdefghijklmnopqrstuvwxyz0123456789";
    size_t length = strspn(at, letters);
    if (length == 0 || at[0] <= '9' || at[length] != ':' || strspn(at + length + 1, letters) > 0 ||
        image_nbd_is_uri(at))
        return 0;
    return length + 1;
}

static int refuse_prefix(const struct reader *r, const char *at, size_t length)
{
    char near[WHY_SIZE];
    snprintf(near, sizeof(near), "%.*s", (int)length, at);
    return refuse(r, "unknown deprecated disk prefix", near);
}

/* Takes the text up to a comma or, of a target, all the rest. */
static int take(struct reader *r, const char **at)
{
    char token[PATH_MAX];
    *at += strspn(*at, " \t\n");
    *at = skip_prefixes(r, *at);
    if (*at == NULL)
        return -EINVAL;
    if (**at == '\0') /* blanks behind the last comma are no empty word, which would have a place */
        return 0;
    size_t prefix = unknown_prefix(*at);
    if (prefix > 0)
        return refuse_prefix(r, *at, prefix);
    if (strncmp(*at, "target=", strlen("target=")) == 0) {
        const char *target = *at + strlen("target=");
        *at += strlen(*at);
        return set_last_target(r, target);
    }
    size_t length = strcspn(*at, ",");
    if (length >= sizeof(token))
        return refuse_long(r);
    memcpy(token, *at, length);
    token[length] = '\0';
    *at += length + ((*at)[length] == ',');
    bool is_uri = !r->has_target && image_nbd_is_uri(token); /* which may have a = of its own */
    char *equals = is_uri ? NULL : strchr(token, '=');
    if (equals != NULL)
        return named(r, token, equals);
    int rc = flag(r, token);
    return rc == 1 ? positional(r, token) : rc;
}

static int check(struct reader *r)
{
    struct disk_spec *spec = r->spec;
    if (r->vdev[0] == '\0')
        return refuse_all(r, "no vdev specified");
    if (spec->target[0] == '\0' && !spec->cdrom)
        return refuse_all(r, "no target specified (and device not removable)");
    if (spec->target[0] == '\0')
        return cannot_be_empty(r);
    if (vdev_parse(r->vdev, &spec->devid) < 0)
        return why_fail(r->why, -EINVAL, "Invalid or unsupported virtual disk identifier %s",
                        r->vdev);
    if (spec->has_reconnect && !image_nbd_is_uri(spec->target))
        return cannot(r, "reconnect-delay= of a file", "it is for the export of an NBD server");
    if (spec->cdrom)
        spec->access = ACCESS_READ;
    return 0;
}

int disk_spec_parse_words(const char *const *words, struct disk_spec *out, struct why *why)
{
    *out = (struct disk_spec){.access = ACCESS_WRITE, .discard = true, .trusted = true};
    struct reader r = {.text = "", .spec = out, .why = why};
    int rc = 0;
    for (; rc == 0 && *words != NULL; words++) {
        const char *at = r.text = *words;
        while (rc == 0 && *at != '\0')
            rc = take(&r, &at);
    }
    return rc < 0 ? rc : check(&r);
}

int disk_spec_parse(const char *text, struct disk_spec *out, struct why *why)
{
    return disk_spec_parse_words((const char *const[]){text, NULL}, out, why);
}

int disk_spec_resolve(struct disk_spec *spec, const char *directory, struct why *why)
{
    char path[PATH_MAX];
    int rc = target_path(spec->target, directory, path, why);
    if (rc == 0)
        strcpy(spec->target, path);
    return rc;
}

const char *disk_access_name(enum disk_access access)
{
    static const char *const names[] = {
        [ACCESS_READ] = "r", [ACCESS_WRITE] = "w", [ACCESS_WRITE_SHARED] = "w!"};
    return (size_t)access < sizeof(names) / sizeof(names[0]) ? names[access] : "?";
}
