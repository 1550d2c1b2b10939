/* SPDX-License-Identifier: MIT */
/* link_words: numbers with units, as tc(8) reads them, for the words of a link. Each returns 0 or
 * -EINVAL. */
#ifndef SPLITDOM_SERVICE_NET_LINK_WORDS_H
#define SPLITDOM_SERVICE_NET_LINK_WORDS_H

#include <stdint.h>

/* "10mbit", "1.5Gbit", "125kbps" (bytes), "10Mb/s" (as xl: bits), "1MB/s"; a number alone is bits.
 * Bits a second, at least one. */
int link_words_rate(const char *text, uint64_t *bps);
/* "10ms", "1.5s", "200us", "30ns"; a number alone is microseconds. At most max_ns. */
int link_words_time(const char *text, uint64_t max_ns, uint64_t *ns);
/* "64kb", "1.5mb", "1500b"; kilo is 1024, as in tc. */
int link_words_bytes(const char *text, uint64_t max, uint64_t *bytes);

#endif
