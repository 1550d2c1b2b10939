/* SPDX-License-Identifier: MIT */
/*
 * xs_args: a request as its handlers see it, and the arguments in its payload. Arguments are read
 * as C xenstored reads them: leniently where that is harmless.
 */
#ifndef SPLITDOM_XENSTORE_SERVER_XS_ARGS_H
#define SPLITDOM_XENSTORE_SERVER_XS_ARGS_H

#include <stddef.h>

#include "xenstore/server/xs_session.h"
#include "xenstore/xs_path.h"

struct xs_args {
    struct xs_session *session;
    struct xs_transaction *tx; /* NULL: none */
    const char *payload;       /* hostile bytes, in private memory */
    size_t len;
    char *out; /* the reply's payload, XENSTORE_PAYLOAD_MAX bytes */
};

/* Puts a text with its NUL into the reply; returns its size. */
int xs_args_reply(struct xs_args *args, const char *text);

/* The reply to a command: "OK", or rc itself if it is an error. */
int xs_args_done(struct xs_args *args, int rc);

/*
 * Finds the strings in the payload, each of which ends with NUL. Bytes after the last NUL are
 * ignored. Stores the first max strings and returns how many there are.
 */
int xs_args_strings(const struct xs_args *args, const char *arg[], int max);

/* The payload as exactly one string, or NULL. */
const char *xs_args_one(const struct xs_args *args);

/* A number as atoi reads it: a text that is no number is 0; text after a number is ignored. */
int xs_args_number(const char *text);

/* Makes a path absolute for the session, within its limits. *skip gets the length of the prefix
 * that was added. Returns 0 or -EINVAL. */
int xs_args_absolute(const struct xs_args *args, const char *path, char out[XS_PATH_SIZE],
                     size_t *skip);

/* The payload as a single path, made absolute. 0 or -EINVAL. */
int xs_args_path(const struct xs_args *args, char out[XS_PATH_SIZE]);

#endif
