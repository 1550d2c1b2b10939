/* SPDX-License-Identifier: MIT */
/* trace_packed: records as they stand in a trace memory (splitdom/trace.h), and back. */
#ifndef SPLITDOM_TRACE_TRACE_PACKED_H
#define SPLITDOM_TRACE_TRACE_PACKED_H

#include "splitdom/trace.h"

/* Of a domain's half a time before its first is lost: that stage was none of its life. */
void trace_pack(const struct trace_record *record, struct trace_packed *out);
/* Of whatever stands there. */
void trace_unpack(const struct trace_packed *packed, struct trace_record *out);

#endif
