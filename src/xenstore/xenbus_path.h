/* SPDX-License-Identifier: MIT */
/*
 * xenbus_path: where the store has a domain's home and the two halves of a device.
 *
 * A device is known by its key: the class, the domain that has the front end, and the number of the
 * device within both. The back end is always Dom0's.
 */
#ifndef SPLITDOM_XENSTORE_XENBUS_PATH_H
#define SPLITDOM_XENSTORE_XENBUS_PATH_H

#include <stdint.h>

#include "splitdom/xen/grant_table.h"

enum { XENBUS_PATH_MAX = 128 };

struct xenbus_key {
    const char *class_name; /* "vbd": outlives the key */
    domid_t domid;          /* the front end's */
    uint32_t devid;
};

/* Each writes an absolute path without a slash at its end. rest names a node below the directory;
 * "" gives the directory itself. rest is never a peer's text and always fits. */

/* /local/domain/<domid> */
void xenbus_home_path(char path[XENBUS_PATH_MAX], domid_t domid, const char *rest);
/* /local/domain/<domid>/device/<class>/<devid> */
void xenbus_front_path(char path[XENBUS_PATH_MAX], const struct xenbus_key *key, const char *rest);
/* /local/domain/0/backend/<class>/<domid>/<devid> */
void xenbus_back_path(char path[XENBUS_PATH_MAX], const struct xenbus_key *key, const char *rest);
/* /local/domain/0/error/backend/<class>/<domid>/<devid>/error: why the back end gave up. */
void xenbus_error_path(char path[XENBUS_PATH_MAX], const struct xenbus_key *key);

/* The directories of all devices of one class and domain in Dom0's part of the store: of the back
 * ends, and of their errors. */
void xenbus_backs_path(char path[XENBUS_PATH_MAX], const char *class_name, domid_t domid);
void xenbus_errors_path(char path[XENBUS_PATH_MAX], const char *class_name, domid_t domid);

#endif
