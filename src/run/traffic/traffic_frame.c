/* SPDX-License-Identifier: MIT */
#include "run/traffic/traffic_frame.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/prng.h"

enum {
    ETHERNET_BYTES = 14,
    IPV4_BYTES = 20,
    TCP_BYTES = 20,
    TYPE_OURS = 0x88b5,
    TYPE_IPV4 = 0x0800,
    MAGIC = 0x52544453, /* "SDTR" */
    HEADER_BYTES = sizeof(struct traffic_header),
    FLAGS_AT = offsetof(struct traffic_header, flags),
};

_Static_assert(HEADER_BYTES == 32, "no holes");

static void put_be16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint32_t type_of(const uint8_t *frame)
{
    return (uint32_t)frame[12] << 8 | frame[13];
}

/* Where the traffic header is. */
static uint32_t header_at(const uint8_t *frame)
{
    return type_of(frame) == TYPE_OURS ? ETHERNET_BYTES : ETHERNET_BYTES + IPV4_BYTES + TCP_BYTES;
}

/* Two words of 32 bits each in 64 bits: so many of them as a frame has have no overflow. */
typedef uint64_t pair __attribute__((vector_size(16)));

/* Of every eighth word, from the lane's own four on. */
struct lane {
    pair words[2];  /* a word that changes changes this, */
    pair places[2]; /* and words in another order change this: the sum of all sums so far */
};

enum { STRIPE_BYTES = 2 * sizeof(pair) };

static inline void add_words(struct lane *lane, const uint8_t *bytes)
{
    pair both;
    memcpy(&both, bytes, sizeof(both));
    lane->words[0] += both & UINT32_MAX;
    lane->words[1] += both >> 32;
    lane->places[0] += lane->words[0];
    lane->places[1] += lane->words[1];
}

/* Less than a stripe: two pieces that may overlap, or one that is filled up with zeros. The length
 * is in the checksum by itself. */
static inline void add_rest(struct lane lanes[2], const uint8_t *bytes, uint32_t size)
{
    if (size >= sizeof(pair)) {
        add_words(&lanes[0], bytes);
        add_words(&lanes[1], bytes + size - sizeof(pair));
    } else if (size > 0) {
        uint8_t rest[sizeof(pair)] = {0};
        memcpy(rest, bytes, size);
        add_words(&lanes[0], rest);
    }
}

static inline void add(struct lane lanes[2], const uint8_t *bytes, uint32_t size)
{
    for (; size >= STRIPE_BYTES; bytes += STRIPE_BYTES, size -= (uint32_t)STRIPE_BYTES) {
        add_words(&lanes[0], bytes);
        add_words(&lanes[1], bytes + sizeof(pair));
    }
    add_rest(lanes, bytes, size);
}

/*
 * One number of all sums. A word has an odd weight in words and an even one in places: so a word
 * that changes, or words of one place that are exchanged, change the 64 bits of total. Half of its
 * bits are kept.
 */
static inline uint32_t finish(const struct lane lanes[2], uint32_t size)
{
    static const uint64_t weights[4][2] = {
        {UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xbf58476d1ce4e5b9)},
        {UINT64_C(0x94d049bb133111eb), UINT64_C(0xd6e8feb86659fd93)},
        {UINT64_C(0xff51afd7ed558ccd), UINT64_C(0xc4ceb9fe1a85ec53)},
        {UINT64_C(0xa0761d6478bd642f), UINT64_C(0xe7037ed1a0b428db)},
    };
    uint64_t total = size;
    for (uint32_t i = 0; i < 4; i++) {
        const pair sum = lanes[i / 2].words[i % 2] + (lanes[i / 2].places[i % 2] << 1);
        total += sum[0] * weights[i][0] + sum[1] * weights[i][1];
    }
    total ^= total >> 29;
    return (uint32_t)(total * weights[0][0] >> 32);
}

static uint32_t checksum_of(const uint8_t *frame, uint32_t length_bytes,
                            const struct traffic_header *header)
{
    const uint32_t at = header_at(frame) + HEADER_BYTES;
    struct traffic_header summed = *header;
    struct lane lanes[2] = {0};
    summed.flags &= (uint8_t)~TRAFFIC_RETURNED;
    summed.checksum = 0;
    add(lanes, (const uint8_t *)&summed, HEADER_BYTES);
    add(lanes, frame + at, length_bytes - at);
    return finish(lanes, length_bytes - at);
}

/* Enough of IPv4 and TCP for who cuts frames into segments. */
static void put_ip_headers(uint8_t *frame, uint32_t length_bytes, uint16_t tcp_port)
{
    uint8_t *ip = frame + ETHERNET_BYTES, *tcp = ip + IPV4_BYTES;
    uint32_t sum = 0;
    memset(ip, 0, IPV4_BYTES + TCP_BYTES);
    ip[0] = 0x45;
    put_be16(ip + 2, length_bytes - ETHERNET_BYTES);
    ip[8] = 64;
    ip[9] = 6;
    memcpy(ip + 12, "\x0a\x00\x00\x01\x0a\x00\x00\x02", 8);
    for (int i = 0; i < IPV4_BYTES; i += 2)
        sum += (uint32_t)ip[i] << 8 | ip[i + 1];
    put_be16(ip + 10, ~((sum & 0xffff) + (sum >> 16)));
    put_be16(tcp, tcp_port);
    put_be16(tcp + 2, 5001);
    tcp[12] = 0x50;
    tcp[13] = 0x10;
    put_be16(tcp + 14, 0xffff);
}

void traffic_frame_prepare(uint8_t *frame, uint32_t length_bytes,
                           const struct traffic_address *address, uint32_t stream)
{
    const bool is_tcp = address->tcp_port != 0;
    assert(length_bytes >= (is_tcp ? TRAFFIC_TCP_MIN : TRAFFIC_FRAME_MIN));
    memcpy(frame, address->to, TRAFFIC_MAC_BYTES);
    memcpy(frame + TRAFFIC_MAC_BYTES, address->from, TRAFFIC_MAC_BYTES);
    put_be16(frame + 12, is_tcp ? TYPE_IPV4 : TYPE_OURS);
    if (is_tcp)
        put_ip_headers(frame, length_bytes, address->tcp_port);
    struct prng prng;
    prng_init(&prng, stream, 0);
    for (uint32_t at = header_at(frame) + HEADER_BYTES; at < length_bytes; at++)
        frame[at] = (uint8_t)prng_next(&prng);
}

void traffic_frame_set(uint8_t *frame, uint32_t length_bytes, const struct traffic_header *header)
{
    struct traffic_header filled = *header;
    filled.magic = MAGIC;
    memset(filled.pad, 0, sizeof(filled.pad));
    filled.checksum = checksum_of(frame, length_bytes, &filled);
    memcpy(frame + header_at(frame), &filled, sizeof(filled));
}

enum traffic_verdict traffic_frame_judge(const uint8_t *frame, uint32_t length_bytes,
                                         struct traffic_header *header)
{
    if (length_bytes < TRAFFIC_FRAME_MIN ||
        (type_of(frame) != TYPE_OURS && type_of(frame) != TYPE_IPV4) ||
        length_bytes < header_at(frame) + HEADER_BYTES)
        return TRAFFIC_FOREIGN;
    memcpy(header, frame + header_at(frame), sizeof(*header));
    if (header->magic != MAGIC)
        return type_of(frame) == TYPE_OURS ? TRAFFIC_CORRUPT : TRAFFIC_FOREIGN;
    return header->checksum == checksum_of(frame, length_bytes, header) ? TRAFFIC_SOUND
                                                                        : TRAFFIC_CORRUPT;
}

void traffic_frame_return(uint8_t *frame, const uint8_t own[TRAFFIC_MAC_BYTES])
{
    memcpy(frame, frame + TRAFFIC_MAC_BYTES, TRAFFIC_MAC_BYTES);
    memcpy(frame + TRAFFIC_MAC_BYTES, own, TRAFFIC_MAC_BYTES);
    frame[header_at(frame) + FLAGS_AT] |= TRAFFIC_RETURNED;
}
