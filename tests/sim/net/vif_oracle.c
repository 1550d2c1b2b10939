/* SPDX-License-Identifier: MIT */
/*
 * What is sent, and whether what comes is that. Each frame has a number, which says all of it: its
 * flow, its length, its bytes. Frames of no protocol carry the number behind their header, those of
 * TCP as their acknowledgement; TCP's sequence number is the payload's offset, so that what Dom0
 * has cut into segments can be found.
 */
#include <stdlib.h>
#include <string.h>

#include "fakes/fake_ip.h"
#include "vif_world.h"

enum {
    KIND_RAW,
    KIND_TCP4,
    KIND_TCP6,
    ID_AT = 14,
    RAW_HEADER = 18,
    TCP_BYTES = 20,
    BROADCAST = WORLD_FRONTS
};

static void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint8_t byte_of(uint32_t id, uint32_t at)
{
    return (uint8_t)((at * 2654435761u ^ id * 40503u) >> 11);
}

static void fill(uint8_t *bytes, uint32_t count, uint32_t id)
{
    for (uint32_t i = 0; i < count; i++)
        bytes[i] = byte_of(id, i);
}

static uint16_t ones(const uint8_t *bytes, uint32_t count)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static void put_addresses(struct front *f, uint8_t *bytes, uint32_t target)
{
    if (target == BROADCAST)
        memset(bytes, 0xff, NET_MAC_BYTES);
    else
        memcpy(bytes, f->world->front[target].mac, NET_MAC_BYTES);
    memcpy(bytes + NET_MAC_BYTES, f->mac, NET_MAC_BYTES);
}

static void make_raw(uint8_t *bytes, uint32_t id, struct sent_frame *out)
{
    out->header = RAW_HEADER;
    bytes[12] = 0x88;
    bytes[13] = 0xb5;
    put32(bytes + ID_AT, id);
    fill(bytes + RAW_HEADER, out->length - RAW_HEADER, id);
}

/* The checksum of the pseudo header alone stays where the sender leaves the rest to its device. */
static void make_tcp(struct front *f, uint8_t *bytes, uint32_t id, struct sent_frame *out)
{
    struct ip_frame ip = {.version = out->kind == KIND_TCP4 ? 4 : 6,
                          .protocol = 6,
                          .source_host = (uint8_t)f->domid,
                          .source_port = (uint16_t)(1000 + out->queue)};
    out->header = ip_frame_header_bytes(&ip);
    if (out->length < out->header + 2)
        out->length = out->header + 2;
    ip.payload_bytes = out->length - out->header;
    struct net_frame *frame = ip_frame_make(&ip);
    if (frame == NULL)
        abort();
    ip_frame_blank(frame, &ip);
    memcpy(bytes, frame->data, out->header);
    net_frame_put(frame);
    uint8_t *tcp = bytes + out->header - TCP_BYTES;
    put32(tcp + 8, id);
    fill(bytes + out->header, ip.payload_bytes, id);
    if (!out->blank) {
        uint16_t sum = (uint16_t)~ones(tcp, TCP_BYTES + ip.payload_bytes);
        tcp[16] = (uint8_t)(sum >> 8);
        tcp[17] = (uint8_t)sum;
    }
}

uint32_t oracle_make(struct front *f, uint32_t queue, bool large, uint8_t *bytes,
                     struct sent_frame *out)
{
    static const uint32_t most[] = {64, 200, 1514, 1514, 9014, NETFRONT_FRAME_MAX};
    struct world *w = f->world;
    uint32_t id = w->next_id++, limit = most[world_pick(w, large ? 6 : 4)];
    *out = (struct sent_frame){.sender = (uint8_t)(f - w->front),
                               .queue = (uint8_t)queue,
                               .kind = (uint8_t)world_pick(w, 3),
                               .target = (uint8_t)world_pick(w, WORLD_FRONTS)};
    if (world_pick(w, 12) == 0)
        out->target = BROADCAST;
    out->length = RAW_HEADER + world_pick(w, limit - RAW_HEADER + 1);
    if (out->kind == KIND_RAW) {
        make_raw(bytes, id, out);
    } else {
        bool gso = out->length > 200 && world_pick(w, 2) == 0;
        out->blank = gso || world_pick(w, 2) == 0;
        if (gso) {
            out->gso_type = out->kind == KIND_TCP4 ? NETFRONT_GSO_TCPV4 : NETFRONT_GSO_TCPV6;
            out->gso_size = (uint16_t)(out->length / 256 + 256 + world_pick(w, 1200));
        }
        make_tcp(f, bytes, id, out);
    }
    put_addresses(f, bytes, out->target);
    if (f->kind == FRONT_HOSTILE) {
        out->unsent = true; /* nobody must get it under another one's address */
        if (world_pick(w, 2) == 0)
            memcpy(bytes + NET_MAC_BYTES, w->front[world_pick(w, WORLD_FRONTS)].mac, NET_MAC_BYTES);
    }
    w->frame[id] = *out;
    return out->length;
}

void oracle_unsent(struct world *w, uint32_t id)
{
    w->frame[id].unsent = true;
}

/* ---- what comes ---- */

static uint32_t kind_of(const struct got_frame *got)
{
    uint32_t type = (uint32_t)got->data[12] << 8 | got->data[13];
    return type == 0x88b5 ? KIND_RAW : type == 0x0800 ? KIND_TCP4 : type == 0x86dd ? KIND_TCP6 : 3;
}

static bool is_hostile(const struct front *f, const uint8_t *mac)
{
    for (int i = 0; i < WORLD_FRONTS; i++) {
        const struct front *other = &f->world->front[i];
        if (other->kind == FRONT_HOSTILE && memcmp(mac, other->mac, NET_MAC_BYTES) == 0)
            return true;
    }
    return false;
}

static bool holds(const uint8_t *bytes, uint32_t count, uint32_t id, uint32_t from)
{
    for (uint32_t i = 0; i < count; i++)
        if (bytes[i] != byte_of(id, from + i))
            return false;
    return true;
}

/* In the order of its flow, and once. */
static void judge_order(struct front *f, const struct got_frame *got, const struct sent_frame *sent,
                        uint32_t id, uint32_t offset)
{
    const struct world *w = f->world;
    const uint32_t end = offset + got->length - sent->header;
    struct seen_flow *seen =
        &f->seen[sent->sender][sent->queue][sent->kind * (WORLD_FRONTS + 1) + sent->target];
    bool goes_on = id + 1 == seen->next_id && offset >= seen->next_offset && seen->next_offset > 0;
    if (got->late)
        return;
    if (id < seen->next_id && !goes_on && !w->chances && !w->copies)
        world_fail(f->world, "domain %u: frame %u (from %u) comes after %u (to %u)", f->domid, id,
                   offset, seen->next_id - 1, seen->next_offset);
    if (id + 1 >= seen->next_id) {
        seen->next_id = id + 1;
        seen->next_offset = end == sent->length - sent->header ? 0 : end;
    }
}

static void judge_tcp(struct front *f, const struct got_frame *got, const struct sent_frame *sent,
                      uint32_t id)
{
    const uint32_t header = sent->header, whole = sent->length - header;
    const uint32_t offset = get32(got->data + header - TCP_BYTES + 4), bytes = got->length - header;
    bool is_part = offset != 0 || bytes != whole;
    if (offset > whole || bytes > whole - offset || !holds(got->data + header, bytes, id, offset))
        world_fail(f->world, "domain %u: frame %u is not what was sent", f->domid, id);
    if (is_part && (sent->gso_type == 0 || got->takes_gso))
        world_fail(f->world, "domain %u: frame %u was cut", f->domid, id);
    if (!is_part && got->gso_type != (got->takes_gso ? sent->gso_type : 0))
        world_fail(f->world, "domain %u: frame %u has another GSO type", f->domid, id);
    if (got->blank ? !got->takes_blank || !sent->blank
                   : !ip_frame_is_right(got->data, got->length, 14))
        world_fail(f->world, "domain %u: frame %u has a wrong checksum", f->domid, id);
    f->world->parts += is_part;
    judge_order(f, got, sent, id, offset);
}

void oracle_judge(struct front *f, const struct got_frame *got)
{
    struct world *w = f->world;
    w->received++;
    f->received++;
    if (got->length >= NET_FRAME_HEADER_BYTES && is_hostile(f, got->data + NET_MAC_BYTES))
        return;
    uint32_t kind = got->length < RAW_HEADER ? 3 : kind_of(got);
    uint32_t header = kind == KIND_RAW ? RAW_HEADER : kind == KIND_TCP4 ? 54 : 74;
    if (kind == 3 || got->length < header) {
        world_fail(w, "domain %u: a frame of %u bytes that nobody sent", f->domid, got->length);
        return;
    }
    uint32_t id = get32(got->data + (kind == KIND_RAW ? ID_AT : header - TCP_BYTES + 8));
    if (id >= w->next_id || w->frame[id].kind != kind || w->frame[id].unsent ||
        memcmp(got->data + NET_MAC_BYTES, w->front[w->frame[id].sender].mac, NET_MAC_BYTES) != 0) {
        world_fail(w, "domain %u: frame %u, which nobody sent", f->domid, id);
        return;
    }
    const struct sent_frame *sent = &w->frame[id];
    if (kind != KIND_RAW) {
        judge_tcp(f, got, sent, id);
        return;
    }
    if (got->length != sent->length ||
        !holds(got->data + RAW_HEADER, got->length - RAW_HEADER, id, 0))
        world_fail(w, "domain %u: frame %u is not what was sent", f->domid, id);
    judge_order(f, got, sent, id, 0);
}
