/* SPDX-License-Identifier: MIT */
#include "run/shim/core/text.h"

#include <sys/syscall.h>

#include "run/shim/core/stub.h"

enum { LINE_BYTES = 512 };

size_t text_length(const char *text)
{
    size_t length = 0;

    while (text[length] != '\0')
        length++;
    return length;
}

bool text_begins(const char *text, const char *with)
{
    for (; *with != '\0'; text++, with++)
        if (*text != *with)
            return false;
    return true;
}

const char *text_base_name(const char *path)
{
    const char *name = path;

    for (; *path != '\0'; path++)
        if (*path == '/')
            name = path + 1;
    return name;
}

char *text_append(char *at, const char *text)
{
    while (*text != '\0')
        *at++ = *text++;
    *at = '\0';
    return at;
}

char *text_append_number(char *at, uint64_t number)
{
    char digits[24];
    size_t count = 0;

    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (count > 0)
        *at++ = digits[--count];
    *at = '\0';
    return at;
}

int64_t text_number(const char **text)
{
    bool negative = **text == '-';
    int64_t value = 0;

    for (*text += negative; **text >= '0' && **text <= '9'; (*text)++)
        value = value * 10 + (**text - '0');
    if (**text != '\0')
        (*text)++;
    return negative ? -value : value;
}

void text_complain(const char *subject, const char *why)
{
    char line[LINE_BYTES];
    size_t length = text_length(subject);

    char *end = text_append(line, "domu run: ");
    for (size_t i = 0; i < length && i < LINE_BYTES / 2; i++)
        *end++ = subject[i];
    end = text_append(end, ": ");
    end = text_append(end, why);
    end = text_append(end, "\n");
    SYS3(SYS_write, 2, line, end - line);
}
