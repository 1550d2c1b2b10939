/* SPDX-License-Identifier: MIT */
/* verb_block: disks of running domains: block-attach, block-detach, resize of a certain image. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service/block/engine/image_nbd.h"
#include "service/cli/control_client.h"
#include "service/cli/verb.h"
#include "service/dom0/disks/disk_spec.h"
#include "service/dom0/disks/target_path.h"

enum {
    /* Dom0 waits for a front end for 10 s. */
    DETACH_TIMEOUT_S = 30,
    TEXT_SIZE = PATH_MAX + 128,
};

/* As Dom0 is to have it. */
static int absolute(const char *path, char out[PATH_MAX], struct why *why)
{
    char *directory = getcwd(NULL, 0);
    if (directory == NULL && path[0] != '/' && !image_nbd_is_uri(path))
        return why_fail_errno(why, -errno, "cannot find %s from the current directory", path);
    int rc = target_path(path, directory != NULL ? directory : "", out, why);
    free(directory);
    return rc;
}

/* The specification as Dom0 is to have it: every word by its name, the target last. Behind that a
 * comma is dropped: it is ours, not the name's own. */
static int write_spec(char *const *words, char out[TEXT_SIZE], struct why *why)
{
    struct disk_spec spec;
    char target[PATH_MAX];
    int rc = disk_spec_parse_words((const char *const *)words, &spec, why);
    if (rc == 0)
        rc = absolute(spec.target, target, why);
    char reconnect[32] = "";
    if (rc == 0 && spec.has_reconnect)
        snprintf(reconnect, sizeof(reconnect), "reconnect-delay=%u,", spec.reconnect_s);
    if (rc == 0)
        snprintf(out, TEXT_SIZE, "vdev=%u,access=%s,%s%s%s%s,target=%s,", spec.devid,
                 disk_access_name(spec.access), reconnect, spec.cdrom ? "cdrom," : "",
                 spec.discard ? "discard," : "no-discard,", spec.trusted ? "trusted" : "untrusted",
                 target);
    return rc;
}

/* A vdev, or an image's path. */
static int write_image(const char *text, char out[TEXT_SIZE], struct why *why)
{
    uint32_t devid;
    if (vdev_parse(text, &devid) < 0)
        return absolute(text, out, why);
    snprintf(out, TEXT_SIZE, "%s", text);
    return 0;
}

static int attach(const struct rundir *rundir, const struct service_options *options,
                  struct why *why)
{
    char text[TEXT_SIZE];
    int rc = write_spec(options->words, text, why);
    return rc < 0 ? rc
                  : control_client_tell(rundir->control_socket, CONTROL_BLOCK_ATTACH,
                                        options->domid, text, CONTROL_CLIENT_TIMEOUT_S, why);
}

static int resize(const struct rundir *rundir, const struct service_options *options,
                  struct why *why)
{
    char text[TEXT_SIZE];
    int rc = write_image(options->value, text, why);
    return rc < 0 ? rc
                  : control_client_tell(rundir->control_socket, CONTROL_RESIZE, 0, text,
                                        CONTROL_CLIENT_TIMEOUT_S, why);
}

static int detach(const struct rundir *rundir, const struct service_options *options,
                  struct why *why)
{
    enum control_op op = options->force ? CONTROL_BLOCK_DESTROY : CONTROL_BLOCK_DETACH;
    return control_client_tell(rundir->control_socket, op, options->domid, options->value,
                               DETACH_TIMEOUT_S, why);
}

int verb_block(const struct rundir *rundir, const struct service_options *options)
{
    struct why why;
    int rc;

    if (options->verb == SERVICE_BLOCK_ATTACH)
        rc = attach(rundir, options, &why);
    else if (options->verb == SERVICE_BLOCK_DETACH)
        rc = detach(rundir, options, &why);
    else
        rc = resize(rundir, options, &why);
    if (rc < 0)
        fprintf(stderr, "service: %s%s\n", options->verb == SERVICE_RESIZE ? "cannot resize: " : "",
                why.text);
    return rc < 0 ? VERB_FAILED : VERB_OK;
}
