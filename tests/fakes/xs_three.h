/* SPDX-License-Identifier: MIT */
/* xs_three: a store with Dom0 and two domains, the first of which has a directory of its own. */
#ifndef SPLITDOM_TESTS_FAKES_XS_THREE_H
#define SPLITDOM_TESTS_FAKES_XS_THREE_H

#include <stdlib.h>

#include "fakes/xs_peer.h"

struct xs_three {
    struct xs_server *server;
    struct xs_peer dom0, one, two; /* Dom0, domain 1, domain 2 */
};

static inline int xs_three_setup(void **state)
{
    struct xs_three *f = calloc(1, sizeof(*f));
    *state = f;
    assert_int_equal(xs_server_create(NULL, &f->server), 0);
    assert_int_equal(xs_server_introduce(f->server, 1), 0);
    assert_int_equal(xs_server_introduce(f->server, 2), 0);
    xs_peer_open(&f->dom0, f->server, 0);
    xs_peer_open(&f->one, f->server, 1);
    xs_peer_open(&f->two, f->server, 2);
    xs_peer_ask(&f->dom0, XS_MKDIR, 0, "/local/domain/1");
    xs_peer_ask(&f->dom0, XS_SET_PERMS, 0, "/local/domain/1\0n1");
    return 0;
}

static inline int xs_three_teardown(void **state)
{
    struct xs_three *f = *state;
    assert_int_equal(xs_server_check(f->server), 0);
    xs_server_destroy(f->server);
    free(f);
    return 0;
}

#endif
