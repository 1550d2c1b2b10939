/* SPDX-License-Identifier: MIT */
#include "service/back/vbd/indirect.h"

#include <assert.h>

#include "ring/sring.h"

int indirect_copy(struct grant_map *grants, const struct blkif_request_indirect *req,
                  bool persistent, struct blkif_request_segment *segments)
{
    uint32_t left = req->nr_segments;
    assert(left > 0 && left <= BLKIF_MAX_INDIRECT_SEGMENTS);
    for (uint32_t i = 0; left > 0; i++) {
        void *page;
        int rc = grant_map_get(grants, req->indirect_grefs[i], false, persistent, &page);
        if (rc < 0)
            return rc;
        uint32_t count =
            left < BLKIF_SEGMENTS_PER_INDIRECT_PAGE ? left : BLKIF_SEGMENTS_PER_INDIRECT_PAGE;
        sring_copy_words(segments, page, count * sizeof(*segments), sizeof(uint64_t));
        grant_map_put(grants, req->indirect_grefs[i]);
        segments += count;
        left -= count;
    }
    return 0;
}
