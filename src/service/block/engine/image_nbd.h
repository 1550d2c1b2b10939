/* SPDX-License-Identifier: MIT */
/*
 * image_nbd: an image that an NBD server has, named by a URI: nbd://HOST[:PORT]/EXPORT or
 * nbd+unix:///EXPORT?socket=PATH. So a disk can be whatever some server serves (qcow2, Ceph, ...).
 *
 * Connecting takes as long as names take to be resolved and a server to answer: a thread does it.
 * What is connected is the engine's (disk_nbd.h). There is no lock: who else writes to an export is
 * the server's business. Its size is that of the connection's beginning.
 *
 * Without libnbd all of these fail with -ENOTSUP.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_IMAGE_NBD_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_IMAGE_NBD_H

#include <stdbool.h>

#include "base/why.h"

struct image;
struct nbd_handle;
struct image_opener;

/* Is this the URI of an export, and not a path? */
bool image_nbd_is_uri(const char *text);

/*
 * Begins to open uri; writable: it must be open to be written, else it is if the server allows
 * that. Errors: -EINVAL it is a URI of a kind that is not served; -ENOTSUP; -ENOMEM; those of
 * thread_start and of eventfd(2); with why.
 */
int image_opener_start(const char *uri, bool writable, struct image_opener **out, struct why *why);
/* Is readable once image_opener_finish does not wait. */
int image_opener_fd(const struct image_opener *opener);
/* Waits for the end; frees the opener. On success *out is the image, else it is closed. Errors:
 * -ECONNREFUSED, ... of connecting; -EROFS, -EINVAL the export is none that can be a disk; -EIO. */
int image_opener_finish(struct image_opener *opener, struct image *out, struct why *why);
/* Nobody waits any more: it is freed when its thread has ended. NULL allowed. */
void image_opener_drop(struct image_opener *opener);

/* All three in one, for who has nothing else to do; -ETIMEDOUT after ten seconds. */
int image_nbd_open(const char *uri, bool writable, struct image *out, struct why *why);

/* For image_close. */
void image_nbd_close(struct nbd_handle *nbd);

#endif
