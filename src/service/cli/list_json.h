/* SPDX-License-Identifier: MIT */
/* list_json: the domains with their disks as JSON, as `xl list -l` names the members. */
#ifndef SPLITDOM_SERVICE_CLI_LIST_JSON_H
#define SPLITDOM_SERVICE_CLI_LIST_JSON_H

#include "service/cli/store_client.h"

/* Prints on stdout; only: NULL, or the number of one domain. Errors: those of the store; the text
 * is not complete then. */
int list_json_print(struct store_client *client, const char *only);

#endif
