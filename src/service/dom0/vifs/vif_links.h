/* SPDX-License-Identifier: MIT */
/*
 * vif_links: links by name: of a vif (`vif1.0`), or of two bridges (`xenbr0 xenbr1`), as `service
 * net-link` asks for them. A vif's link stays until it is removed or the vif is gone, whether the
 * front end is connected or not.
 */
#ifndef SPLITDOM_SERVICE_DOM0_VIFS_VIF_LINKS_H
#define SPLITDOM_SERVICE_DOM0_VIFS_VIF_LINKS_H

#include "base/json.h"
#include "base/why.h"
#include "service/dom0/vifs/vifs.h"

/*
 * Words with blanks between them:
 *
 *     ""                     lists all links in *answer, which the caller frees
 *     "NAME"                 the same of one
 *     "NAME words..."        makes it, or changes what the words name (link_spec.h)
 *     "NAME remove"          frames go straight again
 *
 * NAME: a vif's name, or the names of two bridges. Errors, with a line for people in why: -EINVAL;
 * -ENODEV no such vif or bridge; -ENOENT no such link; -ELOOP the bridges are joined already; those
 * of net_link_join.
 */
int vif_links_command(struct vifs *vifs, const char *text, char **answer, struct why *why);

/* An object "link" of the vif, if it has one. */
void vif_links_write(struct json *json, const struct vifs_use *use);
/* An array "links" of those that join bridges. */
void vif_links_write_trunks(struct json *json, const struct vifs *vifs);

#endif
