/* SPDX-License-Identifier: MIT */
/*
 * option_values: values of options and operands, from text. Each returns 0, or -EINVAL with a line
 * for people in why, which begins with what: the option's name.
 */
#ifndef SPLITDOM_SERVICE_CLI_OPTION_VALUES_H
#define SPLITDOM_SERVICE_CLI_OPTION_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/share.h"
#include "base/why.h"
#include "service/dom0/dom0_options.h"
#include "service/dom0/vifs/vif_spec.h"

int option_number(struct why *why, const char *what, const char *text, uint64_t min, uint64_t max,
                  uint64_t *out);
int option_number_u32(struct why *why, const char *what, const char *text, uint32_t min,
                      uint32_t max, uint32_t *out);
/* An option of start, by its name, whose value is a whole number: depth, max-pages, ... */
int option_limit(struct why *why, const char *name, const char *text, struct dom0_options *out);
/* At which a clock can run: 10, 2.5, 1/100. */
int option_tdf(struct why *why, const char *what, const char *text, uint64_t *num, uint64_t *den);
int option_disk_scale(struct why *why, const char *what, const char *text, uint64_t *num,
                      uint64_t *den);
/* A part of one CPU: written to out as the store has it, which *text is then. */
int option_share(struct why *why, const char *what, const char **text, char out[SHARE_TEXT_SIZE]);
int option_engine(struct why *why, const char *text, enum dom0_engine *out);
int option_cache_percent(struct why *why, const char *text, uint32_t *ppm);
int option_idle_timeout(struct why *why, const char *text, uint64_t *out_ns);
int option_on_off(struct why *why, const char *what, const char *text, bool *out);
/* A pause between two looks: seconds, with up to three digits behind the point. */
int option_delay(struct why *why, const char *text, uint64_t *out_ms);
/* How long something goes on, likewise. */
int option_seconds(struct why *why, const char *what, const char *text, uint64_t *out_ms);
/* What people may call a domain. */
int option_domain_name(struct why *why, const char *text);
/* One more disk, network interface, bridge: checked here, so that what is wrong is told before
 * there is a Dom0. */
int option_disk(struct why *why, const char *text, const char *disks[DOM0_DISKS_MAX],
                uint32_t *count);
int option_vif(struct why *why, const char *text, struct vif_spec vifs[DOM0_VIFS_MAX],
               uint32_t *count);
int option_bridge(struct why *why, const char *text, const char *bridges[DOM0_BRIDGES_MAX],
                  uint32_t *count);
/* Is there each bridge that the network interfaces name? */
int option_check_vifs(struct why *why, const struct dom0_options *options);
/* For a name that no cache policy has. */
int option_refuse_policy(const char *text, struct why *why);

#endif
