/* SPDX-License-Identifier: MIT */
#include "service/net/link_spec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "service/net/link_words.h"

enum {
    WORD_SIZE = 128,
    OVERHEAD_MAX_BYTES = 65535,
    QUEUE_FRAMES_MAX = 1000000,
    RED_FRAME_BYTES = 1000, /* tc-red(8): avpkt */
};

#define QUEUE_BYTES_MAX   UINT64_C(1073741824)
#define DELAY_MAX_NS      UINT64_C(3600000000000)
#define CODEL_TARGET_NS   UINT64_C(5000000)
#define CODEL_INTERVAL_NS UINT64_C(100000000)

void net_link_spec_init(struct net_link_spec *spec)
{
    *spec = (struct net_link_spec){.is_real = false};
    spec->way[NET_WAY_UP].seed = 1;
    spec->way[NET_WAY_DOWN].seed = 2;
}

/* ---- one word: each setter changes one way ---- */

static int set_rate(struct net_pipe_config *c, char *value)
{
    if (strcmp(value, "none") == 0) {
        c->rate_bps = 0;
        return 0;
    }
    return link_words_rate(value, &c->rate_bps);
}

static int set_overhead(struct net_pipe_config *c, char *value)
{
    uint64_t bytes;
    int rc = decimal_parse(value, 0, OVERHEAD_MAX_BYTES, &bytes);

    if (rc == 0)
        c->overhead_bytes = (uint32_t)bytes;
    return rc;
}

static int set_delay(struct net_pipe_config *c, char *value)
{
    return link_words_time(value, DELAY_MAX_NS, &c->delay_ns);
}

static int set_jitter(struct net_pipe_config *c, char *value)
{
    char *law = strchr(value, ':');

    c->law = NET_JITTER_UNIFORM;
    if (law != NULL) {
        *law = '\0';
        if (net_jitter_parse(law + 1, &c->law) < 0)
            return -EINVAL;
    }
    return link_words_time(value, NET_JITTER_MAX_NS, &c->jitter_ns);
}

static int set_loss(struct net_pipe_config *c, char *value)
{
    return net_loss_parse(value, &c->loss);
}

static int set_duplicate(struct net_pipe_config *c, char *value)
{
    return net_chance_parse(value, &c->duplicate);
}

static int set_reorder(struct net_pipe_config *c, char *value)
{
    char *gap = strchr(value, ':');
    uint64_t frames = 0;

    if (gap != NULL) {
        *gap = '\0';
        if (decimal_parse(gap + 1, 1, UINT32_MAX, &frames) < 0)
            return -EINVAL;
    }
    c->reorder_gap = (uint32_t)frames;
    return net_chance_parse(value, &c->reorder);
}

static int set_queue(struct net_pipe_config *c, char *value)
{
    uint64_t number = 0;

    c->queue.limit_frames = 0;
    c->queue.limit_bytes = 0;
    if (decimal_parse(value, 1, QUEUE_FRAMES_MAX, &number) == 0) {
        c->queue.limit_frames = (uint32_t)number;
        return 0;
    }

    int rc = link_words_bytes(value, QUEUE_BYTES_MAX, &c->queue.limit_bytes);

    return rc == 0 && c->queue.limit_bytes == 0 ? -EINVAL : rc;
}

static int set_seed(struct net_pipe_config *c, char *value)
{
    return decimal_parse(value, 0, UINT64_MAX, &c->seed);
}

static int set_ecn(struct net_pipe_config *c, char *value)
{
    if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
        return -EINVAL;
    c->queue.ecn = value[1] == 'n';
    return 0;
}

/* The average's weight, as tc computes it (tc_red_eval_ewma): a burst of so many frames on an empty
 * queue is let through. */
static uint32_t red_weight_log(uint64_t burst, uint64_t min_bytes)
{
    double frames = (double)min_bytes / RED_FRAME_BYTES;

    for (uint32_t log = 1; log < 31; log++) {
        double weight = 1.0 / (double)(UINT64_C(1) << log), rest = 1;

        for (uint64_t i = 0; i < burst; i++)
            rest *= 1 - weight;
        if ((double)burst + 1 - frames < (1 - rest) / weight)
            return log;
    }
    return 31;
}

static int set_red(struct net_pipe_config *c, char *parts)
{
    char *save = NULL, *part[5] = {NULL};
    struct net_chance chance;
    uint64_t burst;
    int count = 0;

    for (char *p = strtok_r(parts, ":", &save); p != NULL; p = strtok_r(NULL, ":", &save)) {
        if (count == 4)
            return -EINVAL;
        part[count++] = p;
    }
    if (count < 3 || link_words_bytes(part[0], INT32_MAX, &c->queue.red.min_bytes) < 0 ||
        link_words_bytes(part[1], INT32_MAX, &c->queue.red.max_bytes) < 0 ||
        net_chance_parse(part[2], &chance) < 0 || c->queue.red.min_bytes >= c->queue.red.max_bytes)
        return -EINVAL;
    burst = (2 * c->queue.red.min_bytes + c->queue.red.max_bytes) / (3 * RED_FRAME_BYTES);
    if (count == 4 && decimal_parse(part[3], 1, 100000, &burst) < 0)
        return -EINVAL;
    c->queue.aqm = NET_AQM_RED;
    c->queue.red.probability = (uint32_t)(chance.part >> 32);
    c->queue.red.weight_log = red_weight_log(burst > 0 ? burst : 1, c->queue.red.min_bytes);
    return 0;
}

static int set_codel(struct net_pipe_config *c, char *parts)
{
    char *save = NULL;
    const char *target = strtok_r(parts, ":", &save), *interval = strtok_r(NULL, ":", &save);

    c->queue.codel.target_ns = CODEL_TARGET_NS;
    c->queue.codel.interval_ns = CODEL_INTERVAL_NS;
    if ((target != NULL && link_words_time(target, DELAY_MAX_NS, &c->queue.codel.target_ns) < 0) ||
        (interval != NULL &&
         link_words_time(interval, DELAY_MAX_NS, &c->queue.codel.interval_ns) < 0) ||
        c->queue.codel.interval_ns == 0 || strtok_r(NULL, ":", &save) != NULL)
        return -EINVAL;
    c->queue.aqm = NET_AQM_CODEL;
    return 0;
}

static int set_aqm(struct net_pipe_config *c, char *value)
{
    if (strcmp(value, "droptail") == 0) {
        c->queue.aqm = NET_AQM_DROPTAIL;
        return 0;
    }
    if (strncmp(value, "red:", 4) == 0)
        return set_red(c, value + 4);
    if (strncmp(value, "codel", 5) == 0 && (value[5] == '\0' || value[5] == ':'))
        return set_codel(c, value + 5);
    return -EINVAL;
}

static const struct {
    const char *name;
    int (*set)(struct net_pipe_config *c, char *value);
} parameters[] = {
    {"rate", set_rate},       {"overhead", set_overhead}, {"delay", set_delay},
    {"jitter", set_jitter},   {"loss", set_loss},         {"duplicate", set_duplicate},
    {"reorder", set_reorder}, {"queue", set_queue},       {"aqm", set_aqm},
    {"ecn", set_ecn},         {"seed", set_seed},
};

/* ---- all words ---- */

struct reader {
    struct net_link_spec *spec;
    bool up, down; /* of which ways the words are */
};

static int set_way(struct reader *r, const char *value)
{
    r->up = strcmp(value, "up") == 0 || strcmp(value, "both") == 0;
    r->down = strcmp(value, "down") == 0 || strcmp(value, "both") == 0;
    return r->up || r->down ? 0 : -EINVAL;
}

static int set_frame(struct reader *r, const char *value)
{
    if (strcmp(value, "real") != 0 && strcmp(value, "domain") != 0)
        return -EINVAL;
    r->spec->is_real = value[0] == 'r';
    return 0;
}

/* 1: the word has another name. */
static int set_named(struct reader *r, size_t i, const char *value)
{
    char copy[WORD_SIZE];
    int rc = 0;

    strcpy(copy, value);
    if (r->up)
        rc = parameters[i].set(&r->spec->way[NET_WAY_UP], copy);
    strcpy(copy, value);
    if (rc == 0 && r->down)
        rc = parameters[i].set(&r->spec->way[NET_WAY_DOWN], copy);
    /* The two ways have different luck. */
    if (rc == 0 && parameters[i].set == set_seed && r->up && r->down)
        r->spec->way[NET_WAY_DOWN].seed++;
    return rc;
}

static int take(struct reader *r, const char *word, struct why *why)
{
    const char *equals = strchr(word, '=');
    size_t length = equals != NULL ? (size_t)(equals - word) : 0;
    int rc = 1;

    if (length == 3 && strncmp(word, "way", 3) == 0)
        rc = set_way(r, equals + 1);
    if (length == 5 && strncmp(word, "frame", 5) == 0)
        rc = set_frame(r, equals + 1);
    for (size_t i = 0; rc == 1 && i < sizeof parameters / sizeof *parameters; i++) {
        if (strlen(parameters[i].name) == length && strncmp(word, parameters[i].name, length) == 0)
            rc = set_named(r, i, equals + 1);
    }
    if (rc == 1)
        return why_fail(why, -EINVAL, "unrecognized argument `%s'", word);
    return rc < 0 ? why_fail(why, -EINVAL, "invalid value in `%s'", word) : 0;
}

/* How long an average frame takes, for RED's average of an idle link. */
static void complete(struct net_pipe_config *c)
{
    c->queue.red.idle_frame_ns =
        c->rate_bps != 0 ? RED_FRAME_BYTES * UINT64_C(8000000000) / c->rate_bps : 0;
    if (c->queue.red.idle_frame_ns == 0)
        c->queue.red.idle_frame_ns = 1;
}

int net_link_spec_apply(struct net_link_spec *spec, const char *words, struct why *why)
{
    struct net_link_spec changed = *spec;
    struct reader r = {.spec = &changed, .up = true, .down = true};

    while (*words != '\0') {
        char word[WORD_SIZE];
        size_t length = strcspn(words, " ,");

        if (length >= sizeof word)
            return why_fail(why, -EINVAL, "the argument is too long: `%.40s...'", words);
        memcpy(word, words, length);
        word[length] = '\0';
        words += length + (words[length] != '\0');

        int rc = length > 0 ? take(&r, word, why) : 0;

        if (rc < 0)
            return rc;
    }
    for (int i = 0; i < NET_WAYS; i++)
        complete(&changed.way[i]);
    *spec = changed;
    return 0;
}

/* ---- back to words ---- */

static void add_chance(FILE *out, const char *name, struct net_chance chance)
{
    if (chance.part == UINT64_MAX)
        fprintf(out, "%s100%%", name);
    else
        fprintf(out, "%s%.10g%%", name, (double)chance.part / 0x1p64 * 100);
}

static void add_loss(FILE *out, const struct net_loss_config *loss)
{
    if (!loss->gilbert_elliott && loss->good_loss.part == 0)
        return;
    if (!loss->gilbert_elliott) {
        add_chance(out, " loss=", loss->good_loss);
        return;
    }
    add_chance(out, " loss=gemodel:", loss->to_bad);
    add_chance(out, ":", loss->to_good);
    add_chance(out, ":", loss->bad_loss);
    add_chance(out, ":", loss->good_loss);
}

static void add_queue(FILE *out, const struct net_queue_config *queue)
{
    if (queue->limit_bytes != 0)
        fprintf(out, " queue=%" PRIu64 "b", queue->limit_bytes);
    else if (queue->limit_frames != 0)
        fprintf(out, " queue=%" PRIu32, queue->limit_frames);
    if (queue->aqm == NET_AQM_RED)
        fprintf(out, " aqm=red:%" PRIu64 "b:%" PRIu64 "b:%.6g%%", queue->red.min_bytes,
                queue->red.max_bytes, (double)queue->red.probability / 0x1p32 * 100);
    if (queue->aqm == NET_AQM_CODEL)
        fprintf(out, " aqm=codel:%" PRIu64 "ns:%" PRIu64 "ns", queue->codel.target_ns,
                queue->codel.interval_ns);
    if (queue->ecn)
        fprintf(out, " ecn=on");
}

void net_link_spec_format(const struct net_pipe_config *c, char *out, size_t size)
{
    char text[1024] = "";
    FILE *words = fmemopen(text, sizeof text, "w");

    out[0] = '\0';
    if (words == NULL)
        return;
    if (c->rate_bps != 0)
        fprintf(words, " rate=%" PRIu64 "bit", c->rate_bps);
    if (c->overhead_bytes != 0)
        fprintf(words, " overhead=%" PRIu32, c->overhead_bytes);
    if (c->delay_ns != 0)
        fprintf(words, " delay=%" PRIu64 "ns", c->delay_ns);
    if (c->jitter_ns != 0)
        fprintf(words, " jitter=%" PRIu64 "ns:%s", c->jitter_ns, net_jitter_name(c->law));
    add_loss(words, &c->loss);
    if (c->duplicate.part != 0)
        add_chance(words, " duplicate=", c->duplicate);
    if (c->reorder.part != 0) {
        add_chance(words, " reorder=", c->reorder);
        fprintf(words, ":%" PRIu32, c->reorder_gap > 0 ? c->reorder_gap : 1);
    }
    add_queue(words, &c->queue);
    fclose(words);
    (void)snprintf(out, size, "%s", text[0] == ' ' ? text + 1 : text);
}
