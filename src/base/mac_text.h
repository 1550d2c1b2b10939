/* SPDX-License-Identifier: MIT */
/* mac_text: Ethernet addresses as text: six bytes in hexadecimal with colons between them. */
#ifndef SPLITDOM_BASE_MAC_TEXT_H
#define SPLITDOM_BASE_MAC_TEXT_H

#include <stdint.h>

enum { MAC_TEXT_BYTES = 6, MAC_TEXT_SIZE = 18 }; /* of the address; of the text with its NUL */

/* Each byte has one or two digits. -EINVAL: it is no address, and out is as it was. */
int mac_text_parse(const char *text, uint8_t out[MAC_TEXT_BYTES]);

/* The same for the address of one interface: no group's, and not all zeros. */
int mac_text_parse_single(const char *text, uint8_t out[MAC_TEXT_BYTES]);

/* Each byte has two digits, in lower case. */
void mac_text_format(const uint8_t mac[MAC_TEXT_BYTES], char out[MAC_TEXT_SIZE]);

#endif
