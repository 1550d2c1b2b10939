/* SPDX-License-Identifier: MIT */
#include "service/block/engine/nbd_patience.h"

void nbd_patience_fail(struct nbd_patience *patience, uint64_t now_ns)
{
    uint64_t pause_ns = patience->pause_ns == 0 ? NBD_PAUSE_FIRST_NS : 2 * patience->pause_ns;
    patience->pause_ns = pause_ns < NBD_PAUSE_MOST_NS ? pause_ns : NBD_PAUSE_MOST_NS;
    patience->try_ns = now_ns + patience->pause_ns;
}

bool nbd_patience_lose(struct nbd_patience *patience, bool was_asked, uint64_t now_ns)
{
    bool was_short = now_ns - patience->try_ns < NBD_PAUSE_MOST_NS;
    if (patience->is_out &&
        (was_short || was_asked)) { /* connected to, and lost before anything was answered */
        nbd_patience_fail(patience, now_ns);
        return false;
    }
    patience->is_out = true;
    patience->since_ns = now_ns;
    patience->pause_ns = was_short && patience->try_ns != 0 ? NBD_PAUSE_FIRST_NS : 0;
    patience->try_ns = now_ns + patience->pause_ns;
    return true;
}

bool nbd_patience_cut(struct nbd_patience *patience, uint64_t silent_ns, uint64_t now_ns)
{
    bool begins = nbd_patience_lose(patience, true, now_ns);
    if (begins)
        patience->since_ns = silent_ns;
    return begins;
}

void nbd_patience_connect(struct nbd_patience *patience, uint64_t now_ns)
{
    patience->connected_ns = now_ns;
}

void nbd_patience_ask(struct nbd_patience *patience, uint64_t now_ns)
{
    if (now_ns - patience->connected_ns >= NBD_PAUSE_MOST_NS)
        patience->is_out = false;
}

void nbd_patience_answer(struct nbd_patience *patience)
{
    patience->is_out = false;
}

bool nbd_patience_is_over(const struct nbd_patience *patience, uint64_t now_ns)
{
    return patience->is_out && now_ns - patience->since_ns >= patience->limit_ns;
}
