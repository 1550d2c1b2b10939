/* SPDX-License-Identifier: MIT */
/* link_words: numbers with units, as tc(8) reads them, for the words of a link. Each returns 0 or
 * -EINVAL. */
#ifndef SPLITDOM_SERVICE_NET_LINK_WORDS_H
#define SPLITDOM_SERVICE_NET_LINK_WORDS_H

#include <stdint.h>

/* "10mbit", "1.5Gbit", "4mibit" (1,024 times 1,024), "125kbps" (bytes); as xl: "10Mb/s" (bits),
 * "1MB/s"; a number alone is bits. Bits a second, at least one. The case of xl's words counts. */
int link_words_rate(const char *text, uint64_t *bps);
/* "10ms", "1.5sec", "200usecs", "30ns"; a number alone is microseconds. At most max_ns. */
int link_words_time(const char *text, uint64_t max_ns, uint64_t *ns);
/* "64kb", "1.5mb", "100kbit", "1500b"; kilo is 1024, as in tc. A number alone is refused: whoever
 * calls counts frames in it. */
int link_words_bytes(const char *text, uint64_t max, uint64_t *bytes);

#endif
