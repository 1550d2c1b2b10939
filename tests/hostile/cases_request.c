/* SPDX-License-Identifier: MIT */
/* Requests that are wrong in themselves: each must be answered with the right error, and the ring
 * goes on. */
#include <string.h>

#include "cases.h"
#include "ring/gnttab.h"

/* One wrong request and the status it must get. */
struct trial {
    struct blkif_request req;
    int expected;
};

/* Runs trials, then a good read: it must work. */
static int run_trials(struct attack *a, struct peer *peer, const struct trial *trials, int count)
{
    int i = 0, status = 0;
    for (; i < count; i++) {
        status = peer_request(peer, &trials[i].req);
        if (status != trials[i].expected)
            break;
    }
    if (i < count)
        return saw(a, 0, "trial %d: status %d instead of %d", i, status, trials[i].expected);
    struct blkif_request good = peer_read_request(peer, 4711, 1);
    status = peer_request(peer, &good);
    return saw(a, status == BLKIF_RSP_OKAY, "%d wrong ones answered rightly, then a good one: %d",
               count, status);
}

static int64_t disk_sectors(struct attack *a)
{
    return peer_status(&a->rundir, 0, "sectors");
}

int case_operation(struct attack *a)
{
    struct peer peer;
    struct trial trials[10];
    static const uint8_t operations[] = {2, 3, 4, 7, 8, 9, 100, 127, 128, 255};
    if (peer_open(&peer, &a->rundir) < 0)
        return saw(a, 0, "no good start");
    for (int i = 0; i < 10; i++) {
        trials[i].req = peer_read_request(&peer, (uint64_t)i, 0);
        trials[i].req.operation = operations[i];
        trials[i].expected = BLKIF_RSP_EOPNOTSUPP;
    }
    int rc = run_trials(a, &peer, trials, 10);
    peer_destroy(&peer);
    return rc;
}

int case_segments(struct attack *a)
{
    struct peer peer;
    struct trial trials[16];
    /* Of an indirect request byte 1 is the operation, the next two count its segments. What stands
     * where the grants of its pages do names none. */
    static const uint8_t counts[] = {0, 12, 13, 64, 127, 128, 200, 255};
    static const uint16_t indirect[] = {0, 1, 11, 12, 256, 4096, 4097, 65535};
    if (peer_open(&peer, &a->rundir) < 0)
        return saw(a, 0, "no good start");
    for (int i = 0; i < 8; i++) {
        trials[i].req = peer_read_request(&peer, (uint64_t)i, 0);
        trials[i].req.nr_segments = counts[i];
        trials[i].expected = BLKIF_RSP_ERROR;
        trials[8 + i].req = peer_read_request(&peer, (uint64_t)i, 0);
        trials[8 + i].req.operation = BLKIF_OP_INDIRECT;
        trials[8 + i].req.nr_segments = BLKIF_OP_READ;
        trials[8 + i].req.handle = indirect[i];
        trials[8 + i].expected = BLKIF_RSP_ERROR;
    }
    int rc = run_trials(a, &peer, trials, 16);
    peer_destroy(&peer);
    return rc;
}

int case_sectors_of_page(struct attack *a)
{
    struct peer peer;
    struct trial trials[6];
    static const uint8_t ends[6][2] = {{1, 0}, {7, 6}, {0, 8}, {8, 8}, {255, 255}, {0, 255}};
    if (peer_open(&peer, &a->rundir) < 0)
        return saw(a, 0, "no good start");
    for (int i = 0; i < 6; i++) {
        trials[i].req = peer_read_request(&peer, (uint64_t)i, 0);
        trials[i].req.nr_segments = 2; /* the second is the wrong one */
        trials[i].req.seg[1] = trials[i].req.seg[0];
        trials[i].req.seg[1].first_sect = ends[i][0];
        trials[i].req.seg[1].last_sect = ends[i][1];
        trials[i].expected = BLKIF_RSP_ERROR;
    }
    int rc = run_trials(a, &peer, trials, 6);
    peer_destroy(&peer);
    return rc;
}

int case_grants(struct attack *a)
{
    struct peer peer;
    struct trial trials[9];
    if (peer_open(&peer, &a->rundir) < 0)
        return saw(a, 0, "no good start");
    struct grant_entry_v1 *table = peer.segment.gnttab;
    grant_ref_t spare = peer.data_ref + PEER_DATA_PAGES;
    gnttab_grant_access(table, spare + 1, DOM0_DOMID, peer.data_pfn, true);
    gnttab_grant_access(table, spare + 2, 7, peer.data_pfn, false); /* to somebody else */
    gnttab_grant_access(table, spare + 3, DOM0_DOMID, peer.segment.nr_pages, false);
    gnttab_grant_access(table, spare + 4, DOM0_DOMID, UINT32_MAX, false);
    gnttab_grant_access(table, spare + 5, DOM0_DOMID, peer.data_pfn, false);
    (void)gnttab_end_access(table, spare + 5); /* revoked */
    const grant_ref_t refs[8] = {spare,     spare + 1, spare + 2, spare + 3,
                                 spare + 4, spare + 5, 0,         peer.segment.nr_grant_entries};
    for (int i = 0; i < 8; i++) {
        trials[i].req = peer_read_request(&peer, (uint64_t)i, 0);
        trials[i].req.nr_segments = 2; /* the first one is good, and must be given back */
        trials[i].req.seg[1].gref = refs[i];
        trials[i].expected = BLKIF_RSP_ERROR;
    }
    trials[8].req = peer_read_request(&peer, 8, 0); /* the same page twice: its own affair */
    trials[8].req.nr_segments = 2;
    trials[8].req.seg[1] = trials[8].req.seg[0];
    trials[8].expected = BLKIF_RSP_OKAY;
    int rc = run_trials(a, &peer, trials, 9);
    if (rc == 0 && gnttab_end_access(table, peer.data_ref) < 0)
        rc = saw(a, 0, "a page stays mapped after its requests");
    peer_destroy(&peer);
    return rc;
}

int case_store_page(struct attack *a)
{
    struct peer peer;
    if (peer_open(&peer, &a->rundir) < 0)
        return saw(a, 0, "no good start");
    /* Its own pages that Dom0 uses as well: store ring, ring, grant table, clock. */
    const uint32_t frames[] = {2, peer.segment.free_pfn, 3, 1};
    for (uint32_t i = 0; i < 4; i++) {
        struct blkif_request req = peer_read_request(&peer, i, 0);
        grant_ref_t ref = peer.data_ref + PEER_DATA_PAGES + i;
        gnttab_grant_access(peer.segment.gnttab, ref, DOM0_DOMID, frames[i], false);
        req.seg[0].gref = ref;
        req.seg[0].last_sect = 7;
        peer_put(&peer, &req);
    }
    peer_push(&peer, true);
    /* The reads may overwrite the answers, so Dom0's count is what tells that they were served. */
    int64_t here = 0, deadline = peer_now_ms() + PEER_PATIENCE_MS;
    while ((here = peer_status(&a->rundir, peer.segment.domid, "requests")) == 0 &&
           peer_now_ms() < deadline)
        peer_sleep_ms(1);
    int rc = saw(a, here > 0, "%lld requests written over its own pages", (long long)here);
    peer_destroy(&peer);
    return rc;
}

int case_range(struct attack *a)
{
    struct peer peer;
    struct trial trials[7];
    uint64_t end = (uint64_t)disk_sectors(a);
    if (peer_open(&peer, &a->rundir) < 0)
        return saw(a, 0, "no good start");
    const uint64_t sectors[] = {
        end, end - 1, end + 1, UINT64_MAX, UINT64_MAX - 1, UINT64_MAX / 512, (uint64_t)1 << 63};
    for (int i = 0; i < 7; i++) {
        trials[i].req = peer_read_request(&peer, (uint64_t)i, sectors[i]);
        trials[i].req.seg[0].last_sect = 1; /* two sectors: end - 1 is one too many */
        trials[i].expected = BLKIF_RSP_ERROR;
    }
    int rc = run_trials(a, &peer, trials, 7);
    peer_destroy(&peer);
    return rc;
}

int case_write(struct attack *a)
{
    struct peer peer;
    struct trial trials[4];
    static const uint8_t operations[] = {BLKIF_OP_WRITE, BLKIF_OP_WRITE_BARRIER, BLKIF_OP_DISCARD,
                                         BLKIF_OP_FLUSH_DISKCACHE};
    if (peer_open(&peer, &a->rundir) < 0)
        return saw(a, 0, "no good start");
    for (int i = 0; i < 4; i++) {
        trials[i].req = peer_read_request(&peer, (uint64_t)i, 0);
        trials[i].req.operation = operations[i];
        trials[i].expected = i == 0 ? BLKIF_RSP_ERROR : BLKIF_RSP_EOPNOTSUPP;
    }
    int rc = run_trials(a, &peer, trials, 4);
    peer_destroy(&peer);
    return rc;
}
