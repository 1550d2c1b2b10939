/* SPDX-License-Identifier: MIT */
/* control_client: one question to a running Dom0 over its control socket, one answer. */
#ifndef SPLITDOM_SERVICE_CLI_CONTROL_CLIENT_H
#define SPLITDOM_SERVICE_CLI_CONTROL_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/why.h"
#include "splitdom/control.h"

enum {
    CONTROL_CLIENT_TIMEOUT_S = 10,
    CONTROL_CLIENT_TEXT_MAX_BYTES = 64 * 1024 * 1024,
};

/*
 * Sends op, whose answer is a file, and reads the file. On success *text (the caller frees it) has
 * *text_bytes bytes and a NUL after them. *text_bytes is 0 if op is CONTROL_STOP and Dom0 could not
 * write its totals. Each step waits CONTROL_CLIENT_TIMEOUT_S at most. Errors: -ENOENT or
 * -ECONNREFUSED: nobody listens; -ETIMEDOUT; -EPROTO: the answer is invalid; -EPERM: another user
 * listens; Dom0's own refusal, with its reason in why; others from the system. Every error comes
 * with a line for people in why.
 */
int control_client_ask(const char *socket_path, enum control_op op, char **text, size_t *text_bytes,
                       struct why *why);

/*
 * Sends op, which is answered by yes or no, for a domain (domid; where op has none: 0) with a text
 * of less than CONTROL_TEXT_MAX bytes; NULL: op has none. Waits up to timeout_s for the answer.
 * Errors: as control_client_ask; a refusal has Dom0's whole line in why, and nothing of ours.
 */
int control_client_tell(const char *socket_path, enum control_op op, uint32_t domid,
                        const char *text, unsigned timeout_s, struct why *why);
/* The same of an op that may be answered by text: *answer, which the caller frees, is never NULL on
 * success. */
int control_client_command(const char *socket_path, enum control_op op, uint32_t domid,
                           const char *text, unsigned timeout_s, char **answer, struct why *why);

#endif
