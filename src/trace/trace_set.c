/* SPDX-License-Identifier: MIT */
#include "trace/trace_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRONT_HALF = 1,
    BACK_HALF = 2,
    OP_READ = 0,
    OP_WRITE = 1,
    FIRST_ROOM = 4096,
};

const char *const trace_class_names[TRACE_CLASSES] = {"found", "hit",   "joined",
                                                      "miss",  "write", "other"};
const char *const trace_stage_names[TRACE_STAGES] = {
    "submitted", "on the ring", "doorbell", "taken",     "judged", "queued",    "picked",
    "sent",      "completed",   "answered", "published", "woken",  "taken off", "returned"};

bool trace_stage_is_front(enum trace_stage stage)
{
    return stage < TRACE_TAKEN || stage > TRACE_PUBLISHED;
}

int trace_set_init(struct trace_set *set, uint32_t domid, uint32_t sample, uint64_t begin_ns)
{
    *set = (struct trace_set){
        .domid = domid, .threshold = trace_threshold(sample), .begin_ns = begin_ns};
    set->room = FIRST_ROOM;
    set->index_size = 2 * FIRST_ROOM;
    set->lives = calloc(set->room, sizeof(*set->lives));
    set->index = calloc(set->index_size, sizeof(*set->index));
    set->writes = calloc(TRACE_SET_DOMAINS, sizeof(*set->writes));
    if (set->lives != NULL && set->index != NULL && set->writes != NULL)
        return 0;
    trace_set_fini(set);
    return -ENOMEM;
}

void trace_set_fini(struct trace_set *set)
{
    free(set->lives);
    free(set->index);
    free(set->writes);
    free(set->clocks);
    *set = (struct trace_set){.count = 0};
}

void trace_set_expect(struct trace_set *set, uint32_t domid)
{
    set->writes[domid % TRACE_SET_DOMAINS] = true;
}

static bool is_of(const struct trace_life *life, const struct trace_record *record)
{
    return life->id == record->id && life->domid == record->domid && life->devid == record->devid;
}

static size_t place_of(const struct trace_set *set, uint64_t id, uint32_t domid, uint32_t devid)
{
    uint64_t hash =
        (id ^ (uint64_t)devid << 20 ^ (uint64_t)domid << 48) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(hash >> 24) & (set->index_size - 1);
}

static void put_in_index(struct trace_set *set, size_t number)
{
    const struct trace_life *life = &set->lives[number];
    size_t at = place_of(set, life->id, life->domid, life->devid);
    while (set->index[at] != 0)
        at = (at + 1) & (set->index_size - 1);
    set->index[at] = (uint32_t)number + 1;
}

static bool grow(struct trace_set *set)
{
    size_t room = 2 * set->room, index_size = 2 * set->index_size;
    struct trace_life *lives = NULL;
    uint32_t *index = NULL;
    if (room <= TRACE_SET_LIVES_MAX)
        lives = realloc(set->lives, room * sizeof(*lives));
    if (lives == NULL)
        return false;
    set->lives = lives;
    index = calloc(index_size, sizeof(*index));
    if (index == NULL)
        return false;
    free(set->index);
    set->index = index;
    set->index_size = index_size;
    set->room = room;
    for (size_t i = 0; i < set->count; i++) {
        if (!lives[i].is_alone && lives[i].class != TRACE_CLASS_FOUND)
            put_in_index(set, i);
    }
    return true;
}

static uint32_t weight_of(const struct trace_record *record)
{
    return record->weight != 0 ? record->weight : 1;
}

/* NULL: there is no room. */
static struct trace_life *new_life(struct trace_set *set, const struct trace_record *record)
{
    if (set->count == set->room && !grow(set)) {
        set->beyond++;
        return NULL;
    }
    struct trace_life *life = &set->lives[set->count++];
    *life = (struct trace_life){.id = record->id,
                                .sector = record->sector,
                                .sector_count = record->sector_count,
                                .devid = record->devid,
                                .domid = record->domid,
                                .operation = record->operation,
                                .weight = weight_of(record),
                                .class = TRACE_CLASSES};
    return life;
}

static struct trace_life *find_or_make(struct trace_set *set, const struct trace_record *record)
{
    size_t at = place_of(set, record->id, record->domid, record->devid);
    for (; set->index[at] != 0; at = (at + 1) & (set->index_size - 1)) {
        struct trace_life *life = &set->lives[set->index[at] - 1];
        if (is_of(life, record))
            return life;
    }
    struct trace_life *life = new_life(set, record);
    if (life != NULL)
        put_in_index(set, set->count - 1);
    return life;
}

static void add_half(struct trace_set *set, const struct trace_record *record, uint8_t half)
{
    struct trace_life *life = find_or_make(set, record);
    if (life == NULL)
        return;
    if ((life->halves & half) != 0) { /* one request, two ends */
        set->nonsense++;
        return;
    }
    life->halves |= half;
    for (int i = 0; i < TRACE_STAGES; i++) {
        if (trace_stage_is_front((enum trace_stage)i) == (half == FRONT_HALF))
            life->at_ns[i] = record->at_ns[i];
    }
    if (half == BACK_HALF) {
        life->sector = record->sector;
        life->sector_count = record->sector_count;
        life->operation = record->operation;
        return;
    }
    life->status = record->status;
    life->thread = record->thread;
    life->weight = weight_of(record);
    life->noticed_ns = record->noticed_ns;
}

static void add_found(struct trace_set *set, const struct trace_record *record)
{
    struct trace_life *life = new_life(set, record);
    if (life == NULL)
        return;
    life->halves = FRONT_HALF | BACK_HALF;
    life->class = TRACE_CLASS_FOUND;
    life->thread = record->thread;
    life->at_ns[TRACE_SUBMITTED] = record->at_ns[TRACE_SUBMITTED];
    life->at_ns[TRACE_RETURNED] = record->at_ns[TRACE_RETURNED];
}

static void add_alone(struct trace_set *set, const struct trace_record *record)
{
    struct trace_life *life = new_life(set, record);
    if (life == NULL)
        return;
    life->halves = BACK_HALF;
    life->is_alone = true;
    life->status = record->status == 0 ? 0 : -EIO;
    for (int i = TRACE_TAKEN; i <= TRACE_PUBLISHED; i++)
        life->at_ns[i] = record->at_ns[i];
}

static void add_clock(struct trace_set *set, const struct trace_record *record)
{
    if (set->clock_count == set->clock_room) {
        size_t room = set->clock_room == 0 ? 64 : 2 * set->clock_room;
        struct trace_clock_point *clocks = realloc(set->clocks, room * sizeof(*clocks));
        if (clocks == NULL)
            return;
        set->clocks = clocks;
        set->clock_room = room;
    }
    set->clocks[set->clock_count++] = (struct trace_clock_point){
        record->domid, record->at_ns[0], record->at_ns[1], record->at_ns[2], record->at_ns[3]};
}

void trace_set_add(struct trace_set *set, uint32_t source, const struct trace_record *given)
{
    struct trace_record record = *given;
    bool is_domains = record.kind == TRACE_FRONT || record.kind == TRACE_FOUND;
    if (record.kind == TRACE_NOTHING || record.kind > TRACE_ALONE || is_domains != (source != 0)) {
        set->nonsense++;
        return;
    }
    if (source != 0)
        record.domid = (uint16_t)source;
    if (set->domid != 0 && record.domid != set->domid)
        return;
    if (record.kind == TRACE_FRONT || record.kind == TRACE_ALONE) {
        set->told++;
        set->asked += weight_of(&record);
    }
    if (record.kind == TRACE_FOUND)
        set->found += weight_of(&record);
    if (record.kind == TRACE_CLOCK) {
        add_clock(set, &record);
    } else if (!trace_wants(set->threshold, record.id)) {
        return;
    } else if (record.kind == TRACE_FOUND) {
        add_found(set, &record);
    } else if (record.kind == TRACE_ALONE) {
        add_alone(set, &record);
    } else {
        add_half(set, &record, record.kind == TRACE_FRONT ? FRONT_HALF : BACK_HALF);
    }
}

enum trace_stage trace_life_first(const struct trace_life *life)
{
    int i = 0;
    while (i < TRACE_STAGES && life->at_ns[i] == 0)
        i++;
    return (enum trace_stage)i;
}

enum trace_stage trace_life_before(const struct trace_life *life, enum trace_stage stage)
{
    for (int i = (int)stage - 1; i >= 0; i--) {
        if (life->at_ns[i] != 0)
            return (enum trace_stage)i;
    }
    return TRACE_STAGES;
}

enum trace_stage trace_life_last(const struct trace_life *life)
{
    return trace_life_before(life, TRACE_STAGES);
}

static enum trace_class class_of(const struct trace_life *life)
{
    const uint64_t *at_ns = life->at_ns;
    if (life->class == TRACE_CLASS_FOUND)
        return TRACE_CLASS_FOUND;
    if (life->operation > OP_WRITE || life->status != 0)
        return TRACE_CLASS_OTHER;
    if (life->operation == OP_WRITE)
        return TRACE_CLASS_WRITE;
    if (at_ns[TRACE_SENT] != 0)
        return TRACE_CLASS_MISS;
    return at_ns[TRACE_COMPLETED] != 0 ? TRACE_CLASS_JOINED : TRACE_CLASS_HIT;
}

/* Dom0 may have taken a request before the doorbell rang for it, and a thread may have woken before
 * the response was shown, for another one: neither was a stage of this life then. */
static void drop_what_was_none(struct trace_life *life)
{
    uint64_t *at_ns = life->at_ns;
    if (at_ns[TRACE_TAKEN] != 0 && at_ns[TRACE_DOORBELL] > at_ns[TRACE_TAKEN])
        at_ns[TRACE_DOORBELL] = 0;
    if (at_ns[TRACE_WOKEN] < at_ns[TRACE_PUBLISHED])
        at_ns[TRACE_WOKEN] = 0;
}

static bool makes_sense(const struct trace_life *life, uint64_t end_ns)
{
    uint64_t before_ns = 0;
    for (int i = 0; i < TRACE_STAGES; i++) {
        if (life->at_ns[i] == 0)
            continue;
        if (life->at_ns[i] < before_ns || life->at_ns[i] > end_ns)
            return false;
        before_ns = life->at_ns[i];
    }
    return before_ns != 0;
}

static enum trace_state judge(const struct trace_set *set, struct trace_life *life)
{
    bool both = life->halves == (FRONT_HALF | BACK_HALF);
    bool is_alone = life->is_alone || (life->halves == BACK_HALF && !set->writes[life->domid]);
    drop_what_was_none(life);
    life->class = (uint8_t)class_of(life);
    if (!makes_sense(life, set->end_ns))
        return TRACE_WRONG;
    if (life->at_ns[trace_life_first(life)] < set->begin_ns)
        return TRACE_CUT;
    if (both && (life->at_ns[TRACE_SUBMITTED] == 0 || life->at_ns[TRACE_RETURNED] == 0))
        return TRACE_WRONG;
    return both || is_alone ? TRACE_WHOLE : TRACE_HALF;
}

static int by_begin(const void *a, const void *b)
{
    const struct trace_life *x = a, *y = b;
    uint64_t x_ns = x->at_ns[trace_life_first(x) % TRACE_STAGES];
    uint64_t y_ns = y->at_ns[trace_life_first(y) % TRACE_STAGES];
    return x_ns < y_ns ? -1 : x_ns > y_ns;
}

static int by_domain_and_time(const void *a, const void *b)
{
    const struct trace_clock_point *x = a, *y = b;
    if (x->domid != y->domid)
        return x->domid < y->domid ? -1 : 1;
    return x->real_ns < y->real_ns ? -1 : x->real_ns > y->real_ns;
}

void trace_set_end(struct trace_set *set, uint64_t end_ns)
{
    set->end_ns = end_ns;
    for (size_t i = 0; i < set->count; i++) {
        set->lives[i].state = (uint8_t)judge(set, &set->lives[i]);
        set->by_state[set->lives[i].state]++;
    }
    qsort(set->lives, set->count, sizeof(*set->lives), by_begin);
    if (set->clock_count > 0)
        qsort(set->clocks, set->clock_count, sizeof(*set->clocks), by_domain_and_time);
}

/* The last point at or before that time, or else the first one; NULL: the domain has none. */
static const struct trace_clock_point *point_at(const struct trace_set *set, uint32_t domid,
                                                uint64_t real_ns)
{
    size_t low = 0, high = set->clock_count; /* the first one after it is within low..high */
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct trace_clock_point *point = &set->clocks[middle];
        if (point->domid < domid || (point->domid == domid && point->real_ns <= real_ns))
            low = middle + 1;
        else
            high = middle;
    }
    if (low > 0 && set->clocks[low - 1].domid == domid)
        return &set->clocks[low - 1];
    return low < set->clock_count && set->clocks[low].domid == domid ? &set->clocks[low] : NULL;
}

uint64_t trace_set_domain_ns(const struct trace_set *set, uint32_t domid, uint64_t real_ns)
{
    const struct trace_clock_point *point = point_at(set, domid, real_ns);
    if (point == NULL)
        return real_ns;
    if (point->num == 0)
        return point->domain_ns;
    double rate = (double)point->den / (double)point->num;
    double passed_ns = real_ns >= point->real_ns ? (double)(real_ns - point->real_ns)
                                                 : -(double)(point->real_ns - real_ns);
    return point->domain_ns + (uint64_t)(int64_t)(passed_ns * rate);
}

uint64_t trace_set_latency_ns(const struct trace_set *set, const struct trace_life *life)
{
    uint64_t begin_ns = trace_set_domain_ns(set, life->domid, life->at_ns[trace_life_first(life)]);
    uint64_t end_ns = trace_set_domain_ns(set, life->domid, life->at_ns[trace_life_last(life)]);
    return end_ns - begin_ns > life->noticed_ns ? end_ns - begin_ns - life->noticed_ns : 0;
}
