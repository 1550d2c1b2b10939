/* SPDX-License-Identifier: MIT */
#include "base/mac_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int mac_text_parse(const char *text, uint8_t out[MAC_TEXT_BYTES])
{
    uint8_t mac[MAC_TEXT_BYTES];

    for (int i = 0; i < MAC_TEXT_BYTES; i++) {
        size_t digits = strspn(text, "0123456789abcdefABCDEF");

        if (digits < 1 || digits > 2 || text[digits] != (i < MAC_TEXT_BYTES - 1 ? ':' : '\0'))
            return -EINVAL;
        mac[i] = (uint8_t)strtoul(text, NULL, 16);
        text += digits + 1;
    }
    memcpy(out, mac, sizeof(mac));
    return 0;
}

int mac_text_parse_single(const char *text, uint8_t out[MAC_TEXT_BYTES])
{
    static const uint8_t none[MAC_TEXT_BYTES];
    uint8_t mac[MAC_TEXT_BYTES];

    if (mac_text_parse(text, mac) < 0 || memcmp(mac, none, sizeof(mac)) == 0 || (mac[0] & 1) != 0)
        return -EINVAL;
    memcpy(out, mac, sizeof(mac));
    return 0;
}

void mac_text_format(const uint8_t mac[MAC_TEXT_BYTES], char out[MAC_TEXT_SIZE])
{
    snprintf(out, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
             mac[4], mac[5]);
}
