/* SPDX-License-Identifier: MIT */
/*
 * xs_domain_request: the requests about domains: handlers as in xs_request.c, which return the
 * length of the reply's payload or -errno.
 *
 * Domains come and go with their processes. So INTRODUCE creates no domain; for an existing domain
 * it drops watches and transactions, as in Xen. A domain that RELEASE cut off can't come back.
 */
#ifndef SPLITDOM_XENSTORE_SERVER_XS_DOMAIN_REQUEST_H
#define SPLITDOM_XENSTORE_SERVER_XS_DOMAIN_REQUEST_H

#include "xenstore/server/xs_args.h"

int xs_do_introduce(struct xs_args *args);
int xs_do_release(struct xs_args *args);
int xs_do_resume(struct xs_args *args);
int xs_do_set_target(struct xs_args *args);
int xs_do_get_domain_path(struct xs_args *args);
int xs_do_is_domain_introduced(struct xs_args *args);
int xs_do_get_feature(struct xs_args *args);
int xs_do_set_feature(struct xs_args *args);
int xs_do_get_quota(struct xs_args *args);
int xs_do_set_quota(struct xs_args *args);

#endif
