/* SPDX-License-Identifier: MIT */
/*
 * fake_probes: somebody who looks at the probes of this program (trace/trace_probe.h), as perf and
 * bpftrace do: each has a break point, and is counted when it is passed.
 */
#ifndef SPLITDOM_TESTS_FAKES_FAKE_PROBES_H
#define SPLITDOM_TESTS_FAKES_FAKE_PROBES_H

#include <stdbool.h>
#include <stdint.h>

/* From now on they are looked at. False: there are none, or nobody can do so here: the thread
 * sanitizer calls handlers when it likes. */
bool fake_probes_begin(void);
/* How often those of this name have been passed since. */
uint32_t fake_probes_passed(const char *name);
void fake_probes_end(void);

#endif
