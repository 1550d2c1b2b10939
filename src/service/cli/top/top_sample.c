/* SPDX-License-Identifier: MIT */
#include "service/cli/top/top_sample.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_reader.h"

enum kind { KIND_U64, KIND_REAL, KIND_BOOL, KIND_TEXT };

/* A member of the JSON and its place in a struct. */
struct field {
    const char *name;
    enum kind kind;
    size_t offset, size;
};

#define FIELD(kind, name, type, member)                                                            \
    {                                                                                              \
        name, kind, offsetof(type, member), sizeof(((type *)0)->member)                            \
    }

static const struct field load_fields[] = {
    FIELD(KIND_U64, "requests", struct top_load, requests),
    FIELD(KIND_U64, "rd_req", struct top_load, reads),
    FIELD(KIND_U64, "wr_req", struct top_load, writes),
    FIELD(KIND_U64, "oo_req", struct top_load, out_of_room),
    FIELD(KIND_U64, "rd_sect", struct top_load, read_sectors),
    FIELD(KIND_U64, "wr_sect", struct top_load, written_sectors),
    FIELD(KIND_U64, "reported_hits", struct top_load, reported_hits),
    FIELD(KIND_U64, "ring_entries", struct top_load, ring_entries),
    FIELD(KIND_U64, "on_ring", struct top_load, on_ring),
    FIELD(KIND_U64, "in_flight", struct top_load, in_flight),
    FIELD(KIND_U64, "wait_for_turn", struct top_load, wait_for_turn),
    FIELD(KIND_U64, "at_disk", struct top_load, at_disk),
    FIELD(KIND_BOOL, "halted", struct top_load, halted),
    {NULL, KIND_U64, 0, 0},
};

static const struct field disk_fields[] = {
    FIELD(KIND_U64, "devid", struct top_disk, devid),
    FIELD(KIND_TEXT, "vdev", struct top_disk, vdev),
    FIELD(KIND_TEXT, "image", struct top_disk, image),
    FIELD(KIND_REAL, "image_hit_ratio", struct top_disk, hit_ratio),
    {NULL, KIND_U64, 0, 0},
};

/* Dom0's JSON names both ways as the domain does. */
static const struct field vif_fields[] = {
    FIELD(KIND_U64, "devid", struct top_vif, devid),
    FIELD(KIND_TEXT, "name", struct top_vif, name),
    FIELD(KIND_TEXT, "mac", struct top_vif, mac),
    FIELD(KIND_U64, "tx_bytes", struct top_vif, rx_bytes),
    FIELD(KIND_U64, "tx_frames", struct top_vif, rx_frames),
    FIELD(KIND_U64, "tx_errors", struct top_vif, rx_errors),
    FIELD(KIND_U64, "rx_bytes", struct top_vif, tx_bytes),
    FIELD(KIND_U64, "rx_frames", struct top_vif, tx_frames),
    FIELD(KIND_U64, "rx_errors", struct top_vif, tx_errors),
    {NULL, KIND_U64, 0, 0},
};

static const struct field domain_fields[] = {
    FIELD(KIND_U64, "domid", struct top_domain, domid),
    FIELD(KIND_TEXT, "name", struct top_domain, name),
    FIELD(KIND_U64, "client_pid", struct top_domain, pid),
    FIELD(KIND_U64, "pages", struct top_domain, pages),
    FIELD(KIND_U64, "weight", struct top_domain, weight),
    FIELD(KIND_BOOL, "weight_binds", struct top_domain, weight_binds),
    FIELD(KIND_BOOL, "paused", struct top_domain, paused),
    FIELD(KIND_TEXT, "tdf", struct top_domain, tdf),
    FIELD(KIND_U64, "rate_now", struct top_domain, rate_now),
    FIELD(KIND_U64, "age_ns", struct top_domain, age_ns),
    {NULL, KIND_U64, 0, 0},
};

static const struct field service_fields[] = {
    FIELD(KIND_U64, "pid", struct top_sample, pid),
    FIELD(KIND_TEXT, "name", struct top_sample, name),
    FIELD(KIND_TEXT, "tdf", struct top_sample, tdf),
    FIELD(KIND_TEXT, "engine", struct top_sample, engine),
    FIELD(KIND_U64, "up_ns", struct top_sample, up_ns),
    FIELD(KIND_U64, "age_ns", struct top_sample, age_ns),
    {NULL, KIND_U64, 0, 0},
};

static const struct field cache_fields[] = {
    FIELD(KIND_U64, "hits", struct top_sample, hits),
    FIELD(KIND_U64, "reported_hits", struct top_sample, reported_hits),
    FIELD(KIND_U64, "misses", struct top_sample, misses),
    {NULL, KIND_U64, 0, 0},
};

static const struct field device_fields[] = {
    FIELD(KIND_U64, "reads", struct top_sample, disk_reads),
    FIELD(KIND_U64, "in_flight", struct top_sample, disk_in_flight),
    {NULL, KIND_U64, 0, 0},
};

static const struct field total_fields[] = {
    FIELD(KIND_U64, "requests", struct top_sample, requests),
    FIELD(KIND_U64, "rate_now", struct top_sample, rate_now),
    {NULL, KIND_U64, 0, 0},
};

static int read_field(const struct field *field, void *object, struct json_reader *r)
{
    void *place = (char *)object + field->offset;
    switch (field->kind) {
    case KIND_U64:
        return json_read_u64(r, place);
    case KIND_REAL:
        return json_read_real(r, place);
    case KIND_BOOL:
        return json_read_bool(r, place);
    case KIND_TEXT:
        break;
    }
    return json_read_string(r, place, field->size);
}

static const struct field *find_field(const struct field *fields, const char *name)
{
    while (fields->name != NULL && strcmp(fields->name, name) != 0)
        fields++;
    return fields->name != NULL ? fields : NULL;
}

/* One object of known fields, in a struct. */
struct object {
    const struct field *fields;
    void *to;
};

static int take_member(void *ctx, const char *name, struct json_reader *r)
{
    const struct object *object = ctx;
    const struct field *field = find_field(object->fields, name);
    return field != NULL ? read_field(field, object->to, r) : json_skip(r);
}

/* Room for one item more, zeroed. */
static void *grow(void **items, size_t *count, size_t *room, size_t item_bytes)
{
    if (*count == *room) {
        size_t more = *room == 0 ? 16 : 2 * *room;
        void *bigger = reallocarray(*items, more, item_bytes);
        if (bigger == NULL)
            return NULL;
        *items = bigger;
        *room = more;
    }
    void *item = (char *)*items + (*count)++ * item_bytes;
    memset(item, 0, item_bytes);
    return item;
}

/* Whoever may write a node may write anything: the text stays one word of one line. */
static void keep_word(char *text)
{
    if (*text == '\0')
        strcpy(text, "-");
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text > '~')
            *text = '?';
    }
}

static int take_disk_member(void *ctx, const char *name, struct json_reader *r)
{
    struct top_disk *disk = ctx;
    const struct field *field = find_field(disk_fields, name);
    if (field != NULL)
        return read_field(field, disk, r);
    field = find_field(load_fields, name);
    return field != NULL ? read_field(field, &disk->load, r) : json_skip(r);
}

static int take_disk(void *ctx, struct json_reader *r)
{
    struct top_sample *sample = ctx;
    void *items = sample->disks;
    struct top_disk *disk =
        grow(&items, &sample->disk_count, &sample->disk_room, sizeof(*sample->disks));
    sample->disks = items;
    int rc = disk == NULL ? -ENOMEM : json_read_object(r, take_disk_member, disk);
    if (rc == 0) {
        keep_word(disk->vdev);
        keep_word(disk->image);
    }
    return rc;
}

/* Frames that waited for the domain's buffers are drops on the way there. All other reasons count
 * with what came from the domain. */
static int take_drops(void *ctx, const char *reason, struct json_reader *r)
{
    struct top_vif *vif = ctx;
    bool is_tx = strcmp(reason, "no-room") == 0 || strcmp(reason, "stalled") == 0;
    uint64_t count;
    int rc = json_read_u64(r, &count);
    if (rc == 0)
        *(is_tx ? &vif->tx_dropped : &vif->rx_dropped) += count;
    return rc;
}

static int take_vif_member(void *ctx, const char *name, struct json_reader *r)
{
    if (strcmp(name, "dropped") == 0)
        return json_read_object(r, take_drops, ctx);
    return take_member(&(struct object){vif_fields, ctx}, name, r);
}

static int take_vif(void *ctx, struct json_reader *r)
{
    struct top_sample *sample = ctx;
    void *items = sample->vifs;
    struct top_vif *vif =
        grow(&items, &sample->vif_count, &sample->vif_room, sizeof(*sample->vifs));
    sample->vifs = items;
    int rc = vif == NULL ? -ENOMEM : json_read_object(r, take_vif_member, vif);
    if (rc == 0) {
        keep_word(vif->name);
        keep_word(vif->mac);
    }
    return rc;
}

static int take_domain_member(void *ctx, const char *name, struct json_reader *r)
{
    struct top_sample *sample = ctx;
    struct top_domain *domain = &sample->domains[sample->domain_count - 1];
    if (strcmp(name, "vbds") == 0) {
        domain->first_disk = sample->disk_count;
        int rc = json_read_array(r, take_disk, sample);
        domain->disk_count = sample->disk_count - domain->first_disk;
        return rc;
    }
    if (strcmp(name, "vifs") == 0) {
        domain->first_vif = sample->vif_count;
        int rc = json_read_array(r, take_vif, sample);
        domain->vif_count = sample->vif_count - domain->first_vif;
        return rc;
    }
    const struct field *field = find_field(domain_fields, name);
    if (field != NULL)
        return read_field(field, domain, r);
    field = find_field(load_fields, name);
    return field != NULL ? read_field(field, &domain->load, r) : json_skip(r);
}

static int take_domain(void *ctx, struct json_reader *r)
{
    struct top_sample *sample = ctx;
    void *items = sample->domains;
    struct top_domain *domain =
        grow(&items, &sample->domain_count, &sample->domain_room, sizeof(*sample->domains));
    sample->domains = items;
    int rc = domain == NULL ? -ENOMEM : json_read_object(r, take_domain_member, sample);
    if (rc == 0) {
        keep_word(domain->name);
        keep_word(domain->tdf);
    }
    return rc < 0 || domain->domid != 0 ? rc : -EPROTO;
}

static int take_service_member(void *ctx, const char *name, struct json_reader *r)
{
    struct top_sample *sample = ctx;
    if (strcmp(name, "cache") == 0)
        return json_read_object(r, take_member, &(struct object){cache_fields, sample});
    if (strcmp(name, "disk") == 0)
        return json_read_object(r, take_member, &(struct object){device_fields, sample});
    if (strcmp(name, "total") == 0)
        return json_read_object(r, take_member, &(struct object){total_fields, sample});
    if (strcmp(name, "domains") == 0)
        return json_read_array(r, take_domain, sample);
    return take_member(&(struct object){service_fields, sample}, name, r);
}

int top_sample_read(struct top_sample *out, const char *json, size_t bytes)
{
    struct json_reader reader;
    *out = (struct top_sample){0};
    json_reader_start(&reader, json, bytes);
    int rc = json_read_object(&reader, take_service_member, out);
    return rc < 0 || out->pid != 0 ? rc : -EPROTO;
}

void top_sample_look(struct top_sample *sample)
{
    if (!top_process_shares_numbers(sample->pid))
        return;
    sample->process = top_process_look(sample->pid);
    for (size_t i = 0; i < sample->domain_count; i++)
        sample->domains[i].process = top_process_look(sample->domains[i].pid);
}

void top_sample_free(struct top_sample *sample)
{
    free(sample->domains);
    free(sample->disks);
    free(sample->vifs);
    *sample = (struct top_sample){0};
}

static int by_domid(const void *key, const void *item)
{
    const struct top_domain *a = key, *b = item;
    return (a->domid > b->domid) - (a->domid < b->domid);
}

const struct top_domain *top_sample_find(const struct top_sample *sample,
                                         const struct top_domain *domain)
{
    if (sample->domain_count == 0)
        return NULL;
    const struct top_domain *other =
        bsearch(domain, sample->domains, sample->domain_count, sizeof(*sample->domains), by_domid);
    /* A number comes back, for another process or with fewer requests. */
    if (other == NULL || other->pid != domain->pid || other->load.requests > domain->load.requests)
        return NULL;
    return other;
}
