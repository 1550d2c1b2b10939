/* SPDX-License-Identifier: MIT */
/* vif_rate: the rate of a network interface as xl writes it: `10Mb/s`, `1MB/s@20ms`. */
#ifndef SPLITDOM_SERVICE_DOM0_VIFS_VIF_RATE_H
#define SPLITDOM_SERVICE_DOM0_VIFS_VIF_RATE_H

#include <stdint.h>

#include "base/why.h"

enum { VIF_RATE_INTERVAL_US = 50000 }; /* without an interval, as xl's */

/* So many bytes in each interval. Errors: -EINVAL with xl's line in why. */
int vif_rate_parse(const char *text, uint64_t *bytes, uint32_t *interval_us, struct why *why);

#endif
