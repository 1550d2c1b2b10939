/* SPDX-License-Identifier: MIT */
#include "xenstore/tree/xs_names.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { PART_SIZE = 1024, PART_SIZE_MIN = 32 };

struct part {
    uint32_t refs;
    uint32_t used, size;
    char text[];
};

struct xs_names {
    uint32_t refs;
    uint32_t count, capacity;
    uint64_t bytes;
    struct {
        uint64_t created; /* of the first name ever put into it; the names in between follow */
        struct part *part;
    } item[];
};

static void part_unref(struct part *part)
{
    if (--part->refs == 0)
        free(part);
}

struct xs_names *xs_names_ref(struct xs_names *names)
{
    if (names != NULL)
        names->refs++;
    return names;
}

void xs_names_unref(struct xs_names *names)
{
    if (names == NULL || --names->refs > 0)
        return;
    for (uint32_t i = 0; i < names->count; i++)
        part_unref(names->item[i].part);
    free(names);
}

uint64_t xs_names_bytes(const struct xs_names *names)
{
    return names == NULL ? 0 : names->bytes;
}

/* Makes *slot a list of its own with room for capacity parts. */
static int own_list(struct xs_names **slot, uint32_t capacity)
{
    struct xs_names *old = *slot;
    if (old != NULL && old->refs == 1 && old->capacity >= capacity)
        return 0;
    if (old != NULL && old->capacity > capacity)
        capacity = old->capacity;
    size_t size = sizeof(struct xs_names) + capacity * sizeof(old->item[0]);
    bool is_shared = old != NULL && old->refs > 1;
    struct xs_names *names = is_shared ? malloc(size) : realloc(old, size);
    if (names == NULL)
        return -ENOMEM;
    if (old == NULL)
        *names = (struct xs_names){.refs = 1};
    if (is_shared) {
        memcpy(names, old, sizeof(*old) + old->count * sizeof(old->item[0]));
        for (uint32_t i = 0; i < names->count; i++)
            names->item[i].part->refs++;
        old->refs--;
        names->refs = 1;
    }
    names->capacity = capacity;
    *slot = names;
    return 0;
}

/* Makes *slot a part of its own with room for more bytes. */
static int own_part(struct part **slot, size_t more)
{
    struct part *old = *slot;
    size_t used = old == NULL ? 0 : old->used, size = old == NULL ? PART_SIZE_MIN : old->size;
    if (old != NULL && old->refs == 1 && used + more <= size)
        return 0;
    while (size < used + more)
        size *= 2;
    struct part *part = malloc(sizeof(*part) + size);
    if (part == NULL)
        return -ENOMEM;
    *part = (struct part){.refs = 1, .used = (uint32_t)used, .size = (uint32_t)size};
    if (old != NULL) {
        memcpy(part->text, old->text, used);
        part_unref(old);
    }
    *slot = part;
    return 0;
}

int xs_names_add(struct xs_names **slot, uint64_t created, const char *name, size_t name_len)
{
    struct xs_names *old = *slot;
    uint32_t count = old == NULL ? 0 : old->count;
    bool fits = count > 0 && old->item[count - 1].part->used + name_len + 1 <= PART_SIZE;
    uint32_t wanted = count + !fits;
    uint32_t capacity = old == NULL ? 1 : old->capacity;
    int rc = own_list(slot, wanted <= capacity ? wanted : 2 * capacity);
    if (rc < 0)
        return rc;
    struct xs_names *names = *slot;
    struct part *fresh = NULL;
    struct part **part = fits ? &names->item[count - 1].part : &fresh;
    rc = own_part(part, name_len + 1);
    if (rc < 0)
        return rc;
    if (!fits) {
        names->item[count].created = created;
        names->item[count].part = fresh;
        part = &names->item[count].part;
        names->count++;
    }
    memcpy((*part)->text + (*part)->used, name, name_len);
    (*part)->used += (uint32_t)name_len;
    (*part)->text[(*part)->used++] = '\0';
    names->bytes += name_len + 1;
    return 0;
}

/* The last part that begins with a name not younger than this one. */
static uint32_t find_part(const struct xs_names *names, uint64_t created)
{
    uint32_t low = 0, high = names->count;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (names->item[mid].created <= created)
            low = mid;
        else
            high = mid;
    }
    return low;
}

int xs_names_own(struct xs_names **slot, uint64_t created)
{
    int rc = own_list(slot, (*slot)->count);
    return rc < 0 ? rc : own_part(&(*slot)->item[find_part(*slot, created)].part, 0);
}

void xs_names_remove(struct xs_names **slot, uint64_t created, const char *name, size_t name_len)
{
    struct xs_names *names = *slot;
    uint32_t i = find_part(names, created);
    struct part *part = names->item[i].part;
    size_t at = 0;
    while (strcmp(part->text + at, name) != 0) {
        at += strlen(part->text + at) + 1;
        assert(at < part->used);
    }
    memmove(part->text + at, part->text + at + name_len + 1, part->used - at - name_len - 1);
    part->used -= (uint32_t)name_len + 1;
    names->bytes -= name_len + 1;
    if (part->used > 0)
        return;
    part_unref(part);
    names->count--;
    memmove(&names->item[i], &names->item[i + 1], (names->count - i) * sizeof(names->item[0]));
    if (names->count == 0) {
        free(names);
        *slot = NULL;
    }
}

size_t xs_names_list(const struct xs_names *names, uint64_t offset, char *out, size_t size)
{
    size_t used = 0;
    for (uint32_t i = 0; names != NULL && i < names->count; i++) {
        const struct part *part = names->item[i].part;
        if (offset >= part->used) {
            offset -= part->used;
            continue;
        }
        size_t end = (size_t)offset;
        while (end < part->used) {
            size_t next = end + strlen(part->text + end) + 1;
            if (next - offset > size - used)
                break;
            end = next;
        }
        memcpy(out + used, part->text + offset, end - (size_t)offset);
        used += end - (size_t)offset;
        if (end < part->used)
            break;
        offset = 0;
    }
    return used;
}

int xs_names_each(const struct xs_names *names,
                  int (*visit)(void *ctx, const char *name, size_t name_len), void *ctx)
{
    for (uint32_t i = 0; names != NULL && i < names->count; i++) {
        const struct part *part = names->item[i].part;
        for (size_t at = 0; at < part->used;) {
            size_t len = strlen(part->text + at);
            int rc = visit(ctx, part->text + at, len);
            if (rc != 0)
                return rc;
            at += len + 1;
        }
    }
    return 0;
}
