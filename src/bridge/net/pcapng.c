/* SPDX-License-Identifier: MIT */
#include "bridge/net/pcapng.h"

#include <inttypes.h>
#include <string.h>

#include "splitdom/version.h"

enum {
    BLOCK_SECTION = 0x0A0D0D0A,
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 6,
    MAGIC = 0x1A2B3C4D,
    LINKTYPE_ETHERNET = 1,
    OPTION_END = 0,
    OPTION_COMMENT = 1,
    OPTION_APPLICATION = 4, /* of a section */
    OPTION_NAME = 2,        /* of an interface, as the next ones */
    OPTION_DESCRIPTION = 3,
    OPTION_MAC = 6,
    OPTION_RESOLUTION = 9,
    NANOSECONDS = 9, /* 10^-9 */
    FRAMING_BYTES = 12,
    OPTIONS_MAX = 512,
    NS_PER_S = 1000000000,
};

/* Options of one block. */
struct options {
    uint8_t bytes[OPTIONS_MAX];
    uint32_t used;
};

static uint32_t padded(uint32_t bytes)
{
    return (bytes + 3) & ~3u;
}

/* What does not fit is left out, but never the end: the texts are ours, but for a name. */
static void add(struct options *options, uint16_t code, const void *value, size_t size)
{
    const uint16_t head[2] = {code, (uint16_t)size};
    const size_t kept = code == OPTION_END ? 0 : sizeof(head); /* for the end */
    if (options->used + sizeof(head) + padded((uint32_t)size) + kept > OPTIONS_MAX)
        return;
    memcpy(options->bytes + options->used, head, sizeof(head));
    options->used += sizeof(head);
    memset(options->bytes + options->used, 0, padded((uint32_t)size));
    if (size > 0)
        memcpy(options->bytes + options->used, value, size);
    options->used += padded((uint32_t)size);
}

static void add_text(struct options *options, uint16_t code, const char *text)
{
    add(options, code, text, strlen(text));
}

/* A block: its body is a head and, behind it, data. */
static void put_block(FILE *out, uint32_t type, const void *head, uint32_t head_bytes,
                      const void *data, uint32_t data_bytes, struct options *options)
{
    static const uint8_t zeros[4];
    add(options, OPTION_END, NULL, 0);
    const uint32_t total = FRAMING_BYTES + head_bytes + padded(data_bytes) + options->used;
    const uint32_t begin[2] = {type, total};
    fwrite(begin, sizeof(begin), 1, out);
    fwrite(head, head_bytes, 1, out);
    if (data_bytes > 0)
        fwrite(data, data_bytes, 1, out);
    fwrite(zeros, 1, padded(data_bytes) - data_bytes, out);
    fwrite(options->bytes, 1, options->used, out);
    fwrite(&total, sizeof(total), 1, out);
}

static void put_section(FILE *out)
{
    const struct {
        uint32_t magic;
        uint16_t major, minor;
        int64_t length; /* not told */
    } head = {MAGIC, 1, 0, -1};
    struct options options = {.used = 0};
    add_text(&options, OPTION_APPLICATION, "domu (splitdom) " SPLITDOM_VERSION);
    put_block(out, BLOCK_SECTION, &head, sizeof(head), NULL, 0, &options);
}

void pcapng_begin(FILE *out, const struct pcapng_interface *interface)
{
    const struct {
        uint16_t linktype, reserved;
        uint32_t snaplen; /* no limit */
    } head = {LINKTYPE_ETHERNET, 0, 0};
    const uint8_t resolution = NANOSECONDS;
    struct options options = {.used = 0};
    put_section(out);
    add_text(&options, OPTION_NAME, interface->name);
    add_text(&options, OPTION_DESCRIPTION,
             interface->domain_time ? "times: the domain's clock; in comments: the real one"
                                    : "times: the real clock; in comments: the domain's");
    add(&options, OPTION_MAC, interface->mac, sizeof(interface->mac));
    add(&options, OPTION_RESOLUTION, &resolution, sizeof(resolution));
    put_block(out, BLOCK_INTERFACE, &head, sizeof(head), NULL, 0, &options);
}

void pcapng_put(FILE *out, const struct pcapng_interface *interface,
                const struct pcapng_frame *frame)
{
    const uint64_t time_ns = interface->domain_time ? frame->domain_ns : frame->real_ns;
    const uint64_t other_ns = interface->domain_time ? frame->real_ns : frame->domain_ns;
    const uint32_t head[5] = {0, (uint32_t)(time_ns >> 32), (uint32_t)time_ns,
                              frame->captured_bytes, frame->length_bytes};
    struct options options = {.used = 0};
    char comment[64];
    snprintf(comment, sizeof(comment), "%s %" PRIu64 ".%09" PRIu64,
             interface->domain_time ? "real" : "domain", other_ns / NS_PER_S, other_ns % NS_PER_S);
    add_text(&options, OPTION_COMMENT, comment);
    put_block(out, BLOCK_PACKET, head, sizeof(head), frame->data, frame->captured_bytes, &options);
}
