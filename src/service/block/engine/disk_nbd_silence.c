/* SPDX-License-Identifier: MIT */
/* disk_nbd_silence: a server that keeps its connection open and says nothing to what it is asked.
 */
#include "service/block/engine/disk_nbd_private.h"

#ifdef HAVE_LIBNBD
#include "base/clock.h"

enum {
    SILENCE_PART = 2,  /* of the patience: for so long a server may be silent */
    SILENCE_LOOKS = 4, /* in that time */
};

/* A server that had fallen silent before has no more than what is left of the patience. */
static uint64_t silence_ends_ns(const struct disk_nbd *dn)
{
    uint64_t end_ns = dn->silent_since_ns + dn->patience.limit_ns / SILENCE_PART;
    uint64_t over_ns = dn->patience.since_ns + dn->patience.limit_ns;
    bool is_left = dn->patience.is_out && dn->fell_silent && !dn->over_told;
    return is_left && over_ns < end_ns ? over_ns : end_ns;
}

static void look_later(struct disk_nbd *dn, uint64_t now_ns)
{
    uint64_t next_ns = now_ns + dn->patience.limit_ns / SILENCE_PART / SILENCE_LOOKS;
    uint64_t end_ns = silence_ends_ns(dn);
    disk_nbd_link_set_timer(dn, end_ns < next_ns ? end_ns : next_ns);
}

void disk_nbd_silence_expect(struct disk_nbd *dn)
{
    if (dn->state != DISK_NBD_CONNECTED || dn->commands == 0 || dn->patience.limit_ns == 0 ||
        dn->timer_ns != 0)
        return;
    dn->silent_since_ns = clock_monotonic_ns();
    dn->heard_before = dn->heard;
    look_later(dn, dn->silent_since_ns);
}

uint64_t disk_nbd_silence_lost_ns(const struct disk_nbd *dn, uint64_t now_ns)
{
    return dn->cut_silent_ns != 0 ? dn->cut_silent_ns : now_ns;
}

void disk_nbd_silence_look(struct disk_nbd *dn, uint64_t now_ns)
{
    dn->timer_ns = 0;
    if (dn->commands == 0)
        return;
    if (dn->heard != dn->heard_before) {
        dn->heard_before = dn->heard;
        dn->silent_since_ns = now_ns;
    }
    if (now_ns >= silence_ends_ns(dn)) {
        dn->cut_silent_ns = dn->silent_since_ns;
        disk_nbd_link_tell(dn, "its server has been silent for %g s: it is connected to anew",
                           (double)(now_ns - dn->silent_since_ns) / 1e9);
        disk_nbd_link_cut(dn);
        disk_nbd_link_step(dn);
    } else {
        look_later(dn, now_ns);
    }
}

#endif
