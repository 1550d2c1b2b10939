/* SPDX-License-Identifier: MIT */
#include "run/traffic/traffic_options.h"

#include <errno.h>
#include <string.h>

#include "base/decimal.h"
#include "run/verb_option.h"

enum { SECONDS_MAX = 1000000, PLACES = 9, NS_PER_S = 1000000000, STREAMS_MAX = 64 };

static int hex(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *digit = c == '\0' ? NULL : strchr(digits, c);
    return digit == NULL ? -1 : (int)(digit - digits) & 15;
}

static int take_to(struct traffic_options *options, const char *value, struct why *why)
{
    bool sound = strlen(value) == 3 * TRAFFIC_MAC_BYTES - 1;
    for (size_t i = 0; sound && i < TRAFFIC_MAC_BYTES; i++) {
        int high = hex(value[3 * i]), low = hex(value[3 * i + 1]);
        sound = high >= 0 && low >= 0 && (i + 1 == TRAFFIC_MAC_BYTES || value[3 * i + 2] == ':');
        if (sound)
            options->to[i] = (uint8_t)(high << 4 | low);
    }
    options->sends = true;
    return sound ? 0 : why_fail(why, -EINVAL, "--to %s: such as 00:16:3e:00:00:01", value);
}

static int take_rate(struct traffic_options *options, const char *value, struct why *why)
{
    return verb_option_number("--rate", value, 1, 1000000000, &options->rate, why);
}

static int take_size(struct traffic_options *options, const char *value, struct why *why)
{
    const size_t length = strcspn(value, "-");
    uint64_t min, max;
    int rc = decimal_parse_bytes(value, length, TRAFFIC_FRAME_MIN, TRAFFIC_FRAME_MAX, &min);
    max = min;
    if (rc == 0 && value[length] == '-')
        rc = decimal_parse(value + length + 1, min, TRAFFIC_FRAME_MAX, &max);
    if (rc < 0)
        return why_fail(why, -EINVAL, "--size %s: A or A-B, %d..%d", value, TRAFFIC_FRAME_MIN,
                        TRAFFIC_FRAME_MAX);
    options->size_min = (uint32_t)min;
    options->size_max = (uint32_t)max;
    return 0;
}

static int take_gso(struct traffic_options *options, const char *value, struct why *why)
{
    uint64_t size;
    int rc = verb_option_number("--gso", value, 88, 65000, &size, why);
    if (rc == 0)
        options->gso_size = (uint16_t)size;
    return rc;
}

static int take_count(struct traffic_options *options, const char *value, struct why *why)
{
    return verb_option_number("--count", value, 1, UINT64_MAX / 2, &options->count, why);
}

static int take_time(const char *option, const char *value, uint64_t *out, struct why *why)
{
    if (decimal_parse_scaled(value, PLACES, (uint64_t)SECONDS_MAX * NS_PER_S, out) < 0)
        return why_fail(why, -EINVAL, "%s %s: seconds, up to %d", option, value, SECONDS_MAX);
    return 0;
}

static int take_seconds(struct traffic_options *options, const char *value, struct why *why)
{
    return take_time("--seconds", value, &options->time_ns, why);
}

static int take_linger(struct traffic_options *options, const char *value, struct why *why)
{
    return take_time("--linger", value, &options->linger_ns, why);
}

static int take_streams(struct traffic_options *options, const char *value, struct why *why)
{
    uint64_t count;
    int rc = verb_option_number("--streams", value, 1, STREAMS_MAX, &count, why);
    if (rc == 0)
        options->streams = (uint32_t)count;
    return rc;
}

static int take_queues(struct traffic_options *options, const char *value, struct why *why)
{
    uint64_t count;
    int rc = verb_option_number("--queues", value, 1, NETFRONT_QUEUES_MAX, &count, why);
    if (rc == 0)
        options->vif.queues = (uint32_t)count;
    return rc;
}

/* 1: taken; 0: it is none of these. */
static int take_valued(struct traffic_options *options, int argc, char **argv, int *at,
                       struct why *why)
{
    static const struct {
        const char *option;
        int (*take)(struct traffic_options *options, const char *value, struct why *why);
    } takers[] = {
        {"--to", take_to},           {"--rate", take_rate},     {"--size", take_size},
        {"--gso", take_gso},         {"--count", take_count},   {"--seconds", take_seconds},
        {"--streams", take_streams}, {"--linger", take_linger}, {"--queues", take_queues}};
    const char *value;
    for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
        int rc = verb_option_take(takers[i].option, argc, argv, at, &value, why);
        if (rc == 1)
            rc = takers[i].take(options, value, why) < 0 ? -EINVAL : 1;
        if (rc != 0)
            return rc;
    }
    return vif_options_take(&options->vif, argc, argv, at, why);
}

static int take_flag(struct traffic_options *options, const char *argument, struct why *why)
{
    if (strcmp(argument, "--echo") == 0)
        options->echoes = true;
    else if (strcmp(argument, "--json") == 0)
        options->json = true;
    else
        return why_fail(why, -EINVAL, "unknown argument '%s'", argument);
    return 0;
}

static int check(const struct traffic_options *options, struct why *why)
{
    if (options->sends && options->echoes)
        return why_fail(why, -EINVAL, "one sends, another one sends back: --to or --echo");
    if (options->gso_size != 0 &&
        (options->size_min != options->size_max || options->size_min < TRAFFIC_SEGMENTS_MIN))
        return why_fail(why, -EINVAL, "--gso: with one --size, from %d on", TRAFFIC_SEGMENTS_MIN);
    /* By their ports Dom0 tells flows apart, and spreads them over the queues of who gets them. */
    if (options->sends && options->vif.queues > 1 &&
        (options->size_min != options->size_max || options->size_min < TRAFFIC_TCP_MIN))
        return why_fail(why, -EINVAL, "--queues: with one --size, from %d on: frames are of TCP",
                        TRAFFIC_TCP_MIN);
    return 0;
}

int traffic_options_parse(int argc, char **argv, struct traffic_options *out, struct why *why)
{
    int at = 1, rc = 0;
    *out = (struct traffic_options){.vif.queues = 1,
                                    .size_min = TRAFFIC_FRAME_MIN,
                                    .size_max = TRAFFIC_FRAME_MIN,
                                    .linger_ns = NS_PER_S};
    while (rc >= 0 && at < argc) {
        rc = take_valued(out, argc, argv, &at, why);
        if (rc == 0)
            rc = take_flag(out, argv[at++], why);
    }
    return rc < 0 ? rc : check(out, why);
}
