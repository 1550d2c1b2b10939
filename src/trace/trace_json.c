/* SPDX-License-Identifier: MIT */
#include "trace/trace_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/vdev.h"
#include "trace/trace_tracks.h"

enum {
    DOM0_LOOP = 1,             /* the thread of Dom0, by the picture's number */
    DISK_PROCESS = 1000000,    /* and on: numbers of disks' tracks */
    COUNTER_EVERY_NS = 100000, /* a counter need not tell more often */
    MARKS_OF_LIFE = 16,
};

/* In this order where the time is the same: an arrow lies within a slice that has begun, and
 * nothing ends before it begins. */
enum what {
    SLICE,
    LIFE_BEGIN,
    DOM0_BEGIN,
    DISK_BEGIN,
    ARROW,
    DISK_END,
    DOM0_END,
    LIFE_END,
    RING_MORE,
    RING_LESS,
    ENGINE_MORE,
    ENGINE_LESS,
};

struct mark {
    uint64_t at_ns;
    uint32_t number; /* of the life, or of the slice */
    uint8_t what;
    uint8_t stage; /* of an arrow */
};

struct writer {
    FILE *out;
    const struct trace_set *set;
    struct trace_tracks tracks;
    struct mark *marks;
    size_t mark_count;
    bool any;
};

static const char *operation_name(uint8_t operation)
{
    static const char *const names[] = {"read", "write", "barrier", "flush", NULL, "discard"};
    const char *name = operation < sizeof(names) / sizeof(names[0]) ? names[operation] : NULL;
    return name != NULL ? name : "request";
}

static const char *slice_name(enum trace_stage stage)
{
    switch (stage) {
    case TRACE_SUBMITTED:
        return "submit";
    case TRACE_TAKEN:
        return "take";
    case TRACE_PUBLISHED:
        return "publish";
    default:
        return "take off";
    }
}

/* The head of an event, up to its time. */
static void begin_event(struct writer *w, const char *phase, const char *category, const char *name,
                        uint32_t pid, uint32_t tid, uint64_t at_ns)
{
    uint64_t ns = at_ns > w->set->begin_ns ? at_ns - w->set->begin_ns : 0;
    fprintf(w->out,
            "%s{\"ph\":\"%s\",\"cat\":\"%s\",\"name\":\"%s\",\"pid\":%" PRIu32 ",\"tid\":%" PRIu32
            ",\"ts\":%" PRIu64 ".%03" PRIu64,
            w->any ? ",\n" : "\n", phase, category, name, pid, tid, ns / 1000, ns % 1000);
    w->any = true;
}

static void meta(struct writer *w, const char *what, uint32_t pid, uint32_t tid, const char *format,
                 ...) __attribute__((format(printf, 5, 6)));

static void meta(struct writer *w, const char *what, uint32_t pid, uint32_t tid, const char *format,
                 ...)
{
    va_list arguments;
    va_start(arguments, format);
    begin_event(w, "M", "", what, pid, tid, 0);
    fputs(",\"args\":{\"name\":\"", w->out);
    vfprintf(w->out, format, arguments);
    fputs("\"}}", w->out);
    va_end(arguments);
}

static void write_names(struct writer *w)
{
    const struct trace_tracks *t = &w->tracks;
    char name[VDEV_NAME_SIZE];
    meta(w, "process_name", 0, DOM0_LOOP, "Dom0");
    meta(w, "thread_name", 0, DOM0_LOOP, "loop");
    for (uint32_t i = 1; i < t->thread_count; i++) {
        meta(w, "process_name", t->threads[i].domid, i, "domain %" PRIu32, t->threads[i].domid);
        meta(w, "thread_name", t->threads[i].domid, i, "thread %" PRIu32, t->threads[i].number);
    }
    for (uint32_t i = 0; i < t->disk_count; i++) {
        vdev_format(t->disks[i].devid, name);
        meta(w, "process_name", DISK_PROCESS + i, 1, "%s of domain %" PRIu32, name,
             t->disks[i].domid);
    }
}

static void mark(struct writer *w, uint64_t at_ns, size_t number, enum what what, int stage)
{
    w->marks[w->mark_count++] = (struct mark){
        .at_ns = at_ns, .number = (uint32_t)number, .what = (uint8_t)what, .stage = (uint8_t)stage};
}

static void mark_life(struct writer *w, size_t i)
{
    const struct trace_life *life = &w->set->lives[i];
    const uint64_t *at_ns = life->at_ns;
    mark(w, at_ns[trace_life_first(life)], i, LIFE_BEGIN, 0);
    mark(w, at_ns[trace_life_last(life)], i, LIFE_END, 0);
    if (life->class == TRACE_CLASS_FOUND)
        return;
    mark(w, at_ns[TRACE_TAKEN], i, DOM0_BEGIN, 0);
    mark(w, at_ns[TRACE_PUBLISHED], i, DOM0_END, 0);
    if (at_ns[TRACE_SENT] != 0 && at_ns[TRACE_COMPLETED] != 0) {
        mark(w, at_ns[TRACE_SENT], i, DISK_BEGIN, 0);
        mark(w, at_ns[TRACE_COMPLETED], i, DISK_END, 0);
        mark(w, at_ns[TRACE_SENT], i, ENGINE_MORE, 0);
        mark(w, at_ns[TRACE_COMPLETED], i, ENGINE_LESS, 0);
    }
    if (at_ns[TRACE_ON_RING] == 0 || at_ns[TRACE_TAKEN_OFF] == 0)
        return;
    mark(w, at_ns[TRACE_ON_RING], i, RING_MORE, 0);
    mark(w, at_ns[TRACE_TAKEN_OFF], i, RING_LESS, 0);
    for (int stage = 0; stage < TRACE_STAGES; stage++) {
        if (trace_tracks_is_work(life, (enum trace_stage)stage))
            mark(w, at_ns[stage], i, ARROW, stage);
    }
}

static int by_time(const void *a, const void *b)
{
    const struct mark *x = a, *y = b;
    if (x->at_ns != y->at_ns)
        return x->at_ns < y->at_ns ? -1 : 1;
    if (x->what != y->what)
        return (int)x->what - (int)y->what;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return (int)x->stage - (int)y->stage;
}

static void write_slice(struct writer *w, const struct trace_slice *slice)
{
    uint64_t ns = slice->end_ns - slice->begin_ns;
    begin_event(w, "X", "work", slice_name(slice->stage), slice->domid,
                slice->thread == 0 ? DOM0_LOOP : slice->thread, slice->begin_ns);
    fprintf(w->out, ",\"dur\":%" PRIu64 ".%03" PRIu64 ",\"args\":{\"requests\":%" PRIu32 "}}",
            ns / 1000, ns % 1000, slice->requests);
}

/* Everything that is known of it, at its begin; times are nanoseconds since then. */
static void write_life_arguments(struct writer *w, const struct trace_life *life)
{
    enum trace_stage first = trace_life_first(life), last = trace_life_last(life);
    uint64_t begin_ns = life->at_ns[first], end_ns = life->at_ns[last];
    uint64_t domain_begin_ns = trace_set_domain_ns(w->set, life->domid, begin_ns);
    fprintf(w->out,
            ",\"args\":{\"class\":\"%s\",\"sector\":%" PRIu64 ",\"sectors\":%" PRIu32
            ",\"status\":%" PRId32 ",\"weight\":%" PRIu32 ",\"request\":\"%" PRIx64
            "\",\"real_ns\":%" PRIu64 ",\"domain_ns\":%" PRIu64 ",\"domain_begin_ns\":%" PRIu64
            ",\"noticed_ns\":%" PRIu32 ",\"stages_ns\":{",
            trace_class_names[life->class], life->sector, life->sector_count, life->status,
            life->weight, life->id, end_ns - begin_ns, trace_set_latency_ns(w->set, life),
            domain_begin_ns, life->noticed_ns);
    for (int i = 0; i < TRACE_STAGES; i++) {
        if (life->at_ns[i] != 0)
            fprintf(w->out, "%s\"%s\":%" PRIu64, i == (int)first ? "" : ",", trace_stage_names[i],
                    life->at_ns[i] - begin_ns);
    }
    fputs("}}}", w->out);
}

static void write_async(struct writer *w, const struct mark *m, const char *phase,
                        const char *category, const char *name, uint32_t pid, uint32_t tid)
{
    begin_event(w, phase, category, name, pid, tid, m->at_ns);
    fprintf(w->out, ",\"id\":\"%" PRIu32 "\"", m->number);
}

static void write_of_life(struct writer *w, const struct mark *m)
{
    const struct trace_life *life = &w->set->lives[m->number];
    uint32_t thread = w->tracks.thread_of[m->number], disk = w->tracks.disk_of[m->number];
    const char *name = operation_name(life->operation);
    switch (m->what) {
    case LIFE_BEGIN:
        write_async(w, m, "b", "request", name, life->domid, thread);
        write_life_arguments(w, life);
        return;
    case LIFE_END:
        write_async(w, m, "e", "request", name, life->domid, thread);
        break;
    case DOM0_BEGIN:
    case DOM0_END:
        write_async(w, m, m->what == DOM0_BEGIN ? "b" : "e", "dom0", trace_class_names[life->class],
                    0, DOM0_LOOP);
        break;
    default:
        write_async(w, m, m->what == DISK_BEGIN ? "b" : "e", "disk", name, DISK_PROCESS + disk, 1);
        break;
    }
    fputs("}", w->out);
}

/* From the call to where its answer is taken, by way of Dom0. */
static void write_arrow(struct writer *w, const struct mark *m)
{
    const struct trace_life *life = &w->set->lives[m->number];
    enum trace_stage stage = (enum trace_stage)m->stage;
    bool front = trace_stage_is_front(stage);
    const char *phase = stage == TRACE_SUBMITTED ? "s" : stage == TRACE_TAKEN_OFF ? "f" : "t";
    write_async(w, m, phase, "way", "way", front ? life->domid : 0,
                front ? w->tracks.thread_of[m->number] : DOM0_LOOP);
    fprintf(w->out, "%s}", stage == TRACE_TAKEN_OFF ? ",\"bp\":\"e\"" : "");
}

static void write_counter(struct writer *w, uint32_t pid, const char *name, const char *unit,
                          uint64_t at_ns, int64_t value)
{
    begin_event(w, "C", "counter", name, pid, 0, at_ns);
    fprintf(w->out, ",\"args\":{\"%s\":%" PRId64 "}}", unit, value);
}

static void show_ring(struct writer *w, struct trace_disk *disk, uint64_t at_ns)
{
    char name[VDEV_NAME_SIZE], title[VDEV_NAME_SIZE + 16];
    vdev_format(disk->devid, name);
    snprintf(title, sizeof(title), "ring of %s", name);
    disk->ring_shown_ns = at_ns;
    write_counter(w, disk->domid, title, "requests", at_ns, disk->on_ring);
}

static void show_engine(struct writer *w, struct trace_disk *disk, uint64_t at_ns)
{
    disk->engine_shown_ns = at_ns;
    write_counter(w, DISK_PROCESS + (uint32_t)(disk - w->tracks.disks), "depth", "requests", at_ns,
                  disk->at_engine);
}

static void count(struct writer *w, const struct mark *m)
{
    struct trace_disk *disk = &w->tracks.disks[w->tracks.disk_of[m->number]];
    if (m->what == RING_MORE || m->what == RING_LESS) {
        disk->on_ring += m->what == RING_MORE ? 1 : -1;
        if (m->at_ns - disk->ring_shown_ns >= COUNTER_EVERY_NS)
            show_ring(w, disk, m->at_ns);
        return;
    }
    disk->at_engine += m->what == ENGINE_MORE ? 1 : -1;
    if (m->at_ns - disk->engine_shown_ns >= COUNTER_EVERY_NS)
        show_engine(w, disk, m->at_ns);
}

static void write_marks(struct writer *w)
{
    struct trace_tracks *t = &w->tracks;
    for (size_t i = 0; i < w->mark_count; i++) {
        const struct mark *m = &w->marks[i];
        if (m->what == SLICE)
            write_slice(w, &t->slices[m->number]);
        else if (m->what == ARROW)
            write_arrow(w, m);
        else if (m->what >= RING_MORE)
            count(w, m);
        else
            write_of_life(w, m);
    }
    for (uint32_t i = 0; i < t->disk_count; i++) {
        show_ring(w, &t->disks[i], w->set->end_ns);
        show_engine(w, &t->disks[i], w->set->end_ns);
    }
}

static void write_all(struct writer *w)
{
    const struct trace_set *set = w->set;
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", w->out);
    write_names(w);
    write_marks(w);
    fprintf(w->out,
            "],\n\"otherData\":{\"program\":\"splitdom\",\"begin_monotonic_ns\":%" PRIu64
            ",\"end_monotonic_ns\":%" PRIu64 ",\"whole\":%zu,\"halves\":%zu,\"cut\":%zu,"
            "\"wrong\":%zu,\"nonsense\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"beyond\":%" PRIu64
            ",\"found\":%" PRIu64 ",\"asked\":%" PRIu64 "}}\n",
            set->begin_ns, set->end_ns, set->by_state[TRACE_WHOLE], set->by_state[TRACE_HALF],
            set->by_state[TRACE_CUT], set->by_state[TRACE_WRONG], set->nonsense, set->lost,
            set->beyond, set->found, set->asked);
}

int trace_json_write(FILE *out, const struct trace_set *set)
{
    struct writer w = {.out = out, .set = set};
    int rc = trace_tracks_make(&w.tracks, set);
    if (rc < 0)
        return rc;
    w.marks = calloc(set->count * MARKS_OF_LIFE + w.tracks.slice_count + 1, sizeof(*w.marks));
    if (w.marks == NULL) {
        rc = -ENOMEM;
    } else {
        for (size_t i = 0; i < w.tracks.slice_count; i++)
            mark(&w, w.tracks.slices[i].begin_ns, i, SLICE, 0);
        for (size_t i = 0; i < set->count; i++) {
            if (set->lives[i].state == TRACE_WHOLE)
                mark_life(&w, i);
        }
        qsort(w.marks, w.mark_count, sizeof(*w.marks), by_time);
        write_all(&w);
    }
    free(w.marks);
    trace_tracks_free(&w.tracks);
    return rc;
}
