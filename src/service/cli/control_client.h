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
 * Asks op, which is answered with a file, and reads that. On success *text (owned by the caller:
 * free) has *text_bytes bytes and one NUL more; none where op is CONTROL_STOP and Dom0 could not
 * write its farewell down. Waits CONTROL_CLIENT_TIMEOUT_S at most for each
 * step. Errors: -ENOENT or -ECONNREFUSED nobody listens; -ETIMEDOUT; -EPROTO the answer makes no
 * sense; -EPERM another user listens; Dom0's own refusal, with its reason in why; others from the
 * system. why gets a line for people in any case.
 */
int control_client_ask(const char *socket_path, enum control_op op, char **text, size_t *text_bytes,
                       struct why *why);

#endif
