/* SPDX-License-Identifier: MIT */
/* vifs_report: what status says of the network: bridges and network interfaces, for people and as
 * JSON. tx is what a domain sends, rx what it gets. */
#ifndef SPLITDOM_SERVICE_DOM0_VIFS_VIFS_REPORT_H
#define SPLITDOM_SERVICE_DOM0_VIFS_VIFS_REPORT_H

#include <stdio.h>

#include "base/json.h"
#include "service/dom0/vifs/vifs.h"

/* A line for each bridge that has or had a port, with its ports below. */
void vifs_report_print(const struct vifs *vifs, FILE *out);
/* Members "bridges", "connections", "rules". */
void vifs_report_write_network(const struct vifs *vifs, struct json *json);
/* An object for one network interface; back is of vif_class. */
void vifs_report_write(struct json *json, struct xenbus_back *back);

#endif
