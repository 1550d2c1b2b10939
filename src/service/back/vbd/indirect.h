/* SPDX-License-Identifier: MIT */
/*
 * indirect: the segments of an indirect request, out of the pages that name them.
 *
 * The front end can change those pages at any time. So they are copied once, and only the copy is
 * judged (validate_indirect_segments) and used.
 */
#ifndef SPLITDOM_SERVICE_BACK_VBD_INDIRECT_H
#define SPLITDOM_SERVICE_BACK_VBD_INDIRECT_H

#include <stdbool.h>

#include "ring/grant_map.h"
#include "splitdom/xen/blkif.h"

/*
 * Copies req->nr_segments (1..BLKIF_MAX_INDIRECT_SEGMENTS) segments. The pages may be granted for
 * reading alone; they are mapped for the time of the copy, or for good if grants are persistent.
 * Errors: those of grant_map_get.
 */
int indirect_copy(struct grant_map *grants, const struct blkif_request_indirect *req,
                  bool persistent, struct blkif_request_segment *segments);

#endif
