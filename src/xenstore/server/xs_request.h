/* SPDX-License-Identifier: MIT */
/*
 * xs_request: one request in, one reply out.
 */
#ifndef SPLITDOM_XENSTORE_SERVER_XS_REQUEST_H
#define SPLITDOM_XENSTORE_SERVER_XS_REQUEST_H

#include "splitdom/xen/xs_wire.h"
#include "xenstore/server/xs_session.h"

/*
 * Carries out the request with header hdr (len at most XENSTORE_PAYLOAD_MAX) and its payload, which
 * may be anything, for the session. Writes the reply's header to *reply and its payload to out.
 */
void xs_request_handle(struct xs_session *session, const struct xsd_sockmsg *hdr,
                       const char *payload, struct xsd_sockmsg *reply,
                       char out[XENSTORE_PAYLOAD_MAX]);

#endif
