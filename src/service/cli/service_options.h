/* SPDX-License-Identifier: MIT */
/* service_options: the command line of `service`, checked. Prints nothing, changes nothing. */
#ifndef SPLITDOM_SERVICE_CLI_SERVICE_OPTIONS_H
#define SPLITDOM_SERVICE_CLI_SERVICE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/share.h"
#include "base/why.h"
#include "service/dom0/dom0_options.h"
#include "service/dom0/vifs/vif_spec.h"

enum service_verb {
    SERVICE_START,
    SERVICE_STOP,
    SERVICE_STATUS,
    SERVICE_ENV,
    SERVICE_LIST,
    SERVICE_SET,
    SERVICE_PAUSE,
    SERVICE_UNPAUSE,
    SERVICE_SHUTDOWN,
    SERVICE_DESTROY,
    SERVICE_RESIZE,
    SERVICE_BLOCK_ATTACH,
    SERVICE_BLOCK_DETACH,
    SERVICE_BLOCK_LIST,
    SERVICE_NETWORK_ATTACH,
    SERVICE_NETWORK_DETACH,
    SERVICE_NETWORK_LIST,
    SERVICE_NET_LINK,
    SERVICE_RULE,
    SERVICE_TOP,
    SERVICE_TRACE,
    SERVICE_UPTIME,
    SERVICE_DOMID,
    SERVICE_DOMNAME,
    SERVICE_RENAME,
    SERVICE_HELP,
    SERVICE_VERSION,
};

enum service_key {
    SERVICE_KEY_WEIGHT,
    SERVICE_KEY_TDF,
    SERVICE_KEY_DISK_SCALE,
    SERVICE_KEY_CPU_SHARE,
};

struct service_options {
    enum service_verb verb;
    const char *rundir;                  /* NULL: the default, see rundir.h */
    const char *name;                    /* NULL: the default */
    bool foreground;                     /* start: stay in the foreground, log to stderr too */
    bool json;                           /* status */
    bool has_image;                      /* start: --image was given */
    bool force;                          /* block-detach, network-detach */
    bool details;                        /* list; top: a line for each disk */
    bool networks;                       /* top: a line for each interface */
    bool batch;                          /* top */
    uint64_t iterations;                 /* top; 0: for ever */
    uint64_t delay_ms;                   /* top */
    uint64_t seconds_ms;                 /* trace: how long */
    uint32_t sample;                     /* trace: one of so many requests; 0: auto */
    struct dom0_options dom0;            /* start; image_path as given, disks not filled in */
    const char *disks[DOM0_DISKS_MAX];   /* start: of --disk, checked; as many as dom0.disk_count */
    struct vif_spec vifs[DOM0_VIFS_MAX]; /* start: of --vif; what dom0.vifs points to */
    const char *bridges[DOM0_BRIDGES_MAX]; /* start: of --bridge, likewise */
    char *const *words;   /* block-attach (checked), network-attach: what follows the domain;
                           net-link, rule: all; a NULL at the end */
    bool has_domid;       /* uptime, list */
    uint32_t domid;       /* of the verbs that take one */
    const char *domain;   /* the domain's name in its stead: domid is to be found; or NULL */
    enum service_key key; /* set */
    /* trace: the file; set, rename: checked text; block-detach, network-detach,
     * domid, resize (or NULL): as given */
    const char *value;
    char share[SHARE_TEXT_SIZE]; /* set cpu-share: what value points to, as the store has it */
};

/*
 * Reads argv into *options; strings stay pointers into argv. -EINVAL with one line for people in
 * why. Not thread-safe: getopt keeps its state in globals.
 */
int service_options_parse(int argc, char **argv, struct service_options *options, struct why *why);

/* The usage, lines of at most 80 columns. */
const char *service_options_usage(void);

#endif
