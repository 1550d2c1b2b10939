#!/bin/bash
# SPDX-License-Identifier: MIT
# Broken twins of the back end: `sim` must find each of them. Else it proves nothing of several queues, nor of a next
# Dom0 that takes less than the one before, nor of indirect requests, barriers, and blocks larger than a sector.
#     twins.sh BUILD        BUILD: where `sim` has been built (default build/plain)
# Exit status: 0 so it is, 1 it is not.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/sim/twin.sh
program=tests/sim/sim arguments=(--seeds 1:300)
build_twin() {
    "${compile[@]}" -c -o "$work/twin.o" "$work/twin.c" &&
        "${compile[@]}" -Wl,--wrap=grant_map_put -o "$work/sim" "$work/twin.o" "$build"/tests/sim/*.o \
            -Wl,--start-group "${libraries[@]}"
}

twin "all queues ring the first one's port" service/back/vbd/vbd_back \
    'config.port = queue->port;' 'config.port = transport->queue[0].port;'
twin "all queues wake the first one's vCPU" service/back/vbd/vbd_back \
    'config.vcpu = queue->vcpu;' 'config.vcpu = transport->queue[0].vcpu;'
twin "the last queue is not looked at" service/back/vbd/vbd_back \
    'pollables_add(back->host->pollables' 'if (i < 3) pollables_add(back->host->pollables'
twin "every queue but the first has the second one's ring" service/back/vbd/vbd_transport \
    'snprintf(directory, sizeof(directory), "queue-%u/", i);' \
    'snprintf(directory, sizeof(directory), "queue-%u/", i > 0);'
# The next Dom0 takes less.
twin "more queues are offered than are taken" service/back/vbd/vbd_nodes \
    'options->max_queues);' 'VBD_QUEUES_MAX);'
twin "larger rings are offered than are taken" service/back/vbd/vbd_nodes \
    'options->max_ring_page_order);' '1);'
twin "a disk that is read-only now is written" service/back/vbd/validate \
    'return rights->write ? check_direct(req, rights) : BLKIF_RSP_ERROR;' 'return check_direct(req, rights);'
twin "nobody is told that it is read-only now" service/back/vbd/vbd_nodes \
    '(options->writable ? 0 : VDISK_READONLY);' '0;'
twin "a flush goes to a disk that has none now" service/back/vbd/validate \
    'if (!rights->flush)' 'if (0)'
twin "a discard goes to a disk that has none now" service/back/vbd/validate \
    'if (!rights->discard ||' 'if ('
twin "a flush is offered that there is none of now" service/back/vbd/vbd_nodes \
    'return options->writable && can->writable && can->flush;' 'return 1;'
twin "a disk that is smaller now is read past its end" service/back/vbd/validate \
    'return sector_count <= disk_sectors && sector <= disk_sectors - sector_count;' 'return 1;'
twin "the size that is told is not that of the disk" service/back/vbd/vbd_nodes \
    '"sectors", "%" PRIu64, can->sector_count);' '"sectors", "%d", 4096);'
# Indirect requests.
twin "the list of an indirect request is copied twice" service/back/vbd/operations \
    'int sectors = validate_indirect_segments(req, p->indirect->named, &vr->rights);' \
    'int sectors = validate_indirect_segments(req, p->indirect->named, &vr->rights);
     (void)indirect_copy(&vr->grants, req, vr->config.persistent_grants, p->indirect->named);'
twin "the last segment of a list is left out" service/back/vbd/operations \
    'map_named(vr, p, req->nr_segments)' 'map_named(vr, p, req->nr_segments - (req->nr_segments > 1))'
twin "the second list of an indirect request is its first" service/back/vbd/indirect \
    'grant_map_get(grants, req->indirect_grefs[i], false' 'grant_map_get(grants, req->indirect_grefs[0], false'
twin "neighbours in memory are one segment, and its length is the last one's" service/back/vbd/operations \
    'last->sector_count += segment.sector_count;' 'last->sector_count = segment.sector_count;'
twin "a large request's memory is taken for aligned" service/block/piece \
    'segments_fit(request, &vdisk->image);' '1;'
# Barriers, and flushes with data.
twin "a barrier with data does not flush it" service/back/vbd/operations \
    'sectors > 0 ? PENDING_FLUSH_AFTER : PENDING_FLUSH_BEFORE;' 'sectors > 0 ? PENDING_TRANSFER : PENDING_FLUSH_BEFORE;'
twin "a barrier does not wait for what comes before it" service/back/vbd/operations \
    'BLKIF_OP_WRITE_BARRIER ? PENDING_DRAIN : PENDING_FLUSH_BEFORE;' 'BLKIF_OP_WRITE_BARRIER ? PENDING_FLUSH_BEFORE : PENDING_FLUSH_BEFORE;'
twin "what comes after a barrier is begun before it" service/back/vbd/operations \
    'return req->operation == BLKIF_OP_WRITE_BARRIER ||' 'return'
twin "a barrier does not flush" service/back/vbd/operations \
    'request->operation = transfers ? p->transfer : BLOCK_FLUSH;' \
    'if (!transfers && p->operation == BLKIF_OP_WRITE_BARRIER) { request->done(request, 0); return; }
     request->operation = transfers ? p->transfer : BLOCK_FLUSH;'
# Blocks larger than a sector.
twin "writes of parts of one block do not wait for each other" service/block/piece \
    'if (changes && job->io.length_bytes > 0)' 'if (changes && job->io.length_bytes > 0 && !job->merges)'
twin "a write of parts of a block is known to nobody while it is under way" service/block/change \
    'list_push_back(&vdisk->changes, &job->changing);' \
    'if (!job->merges) list_push_back(&vdisk->changes, &job->changing);'
twin "a part of a block is written to its beginning" service/block/piece \
    'uint8_t *data = job->buffer + (job->sector * BLOCK_SECTOR_BYTES - job->io.offset_bytes);' \
    'uint8_t *data = job->buffer;'
twin "parts of a logical block are taken" service/back/vbd/validate \
    'rights->block_sectors != 1 && !is_aligned' 'rights->block_sectors == 0 && !is_aligned'
twin "the physical block is taken for the logical one" service/back/vbd/vbd_nodes \
    '"sector-size", "%u", can->logical_sector_bytes);' '"sector-size", "%u", can->physical_sector_bytes);'
exit $failures
