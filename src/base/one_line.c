/* SPDX-License-Identifier: MIT */
#include "base/one_line.h"

static char shown(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f ? '?' : c;
}

void one_line_keep(char *text)
{
    for (; *text != '\0'; text++)
        *text = shown(*text);
}

void one_line_put(const char *text, FILE *out)
{
    for (; *text != '\0'; text++)
        (void)fputc(shown(*text), out);
}
