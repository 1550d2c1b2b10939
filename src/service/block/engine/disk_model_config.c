/* SPDX-License-Identifier: MIT */
#include "service/block/engine/disk_model_config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"

#define WORD_BYTES  64
#define TIME_MAX_NS 1e12
#define NOT_SET     (-1.0)

static bool parse_probability(const char *text, double *out)
{
    return decimal_parse_real(text, 0, 1, out) == 0;
}

static bool parse_time(const char *text, double *out_ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
    const char *end;
    if (decimal_scan_real(text, out_ns, &end) < 0)
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].name) == 0) {
            *out_ns *= units[i].ns;
            return *out_ns <= TIME_MAX_NS;
        }
    }
    return *out_ns == 0 && *end == '\0';
}

/* Index of text in names (NULL at the end), or -1. */
static int find_name(const char *text, const char *const *names)
{
    for (int i = 0; names[i] != NULL; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    return -1;
}

static bool set_mean(struct disk_model_config *config, const char *value)
{
    return parse_time(value, &config->mean_ns);
}

static bool set_write(struct disk_model_config *config, const char *value)
{
    return parse_time(value, &config->write_ns);
}

static bool set_flush(struct disk_model_config *config, const char *value)
{
    return parse_time(value, &config->flush_ns);
}

static bool set_cv(struct disk_model_config *config, const char *value)
{
    return decimal_parse_real(value, 0, 100, &config->cv) == 0;
}

static bool set_law(struct disk_model_config *config, const char *value)
{
    static const char *const names[] = {
        [DISK_MODEL_LOGNORMAL] = "lognormal",
        [DISK_MODEL_FIXED] = "fixed",
        [DISK_MODEL_EXPONENTIAL] = "exponential",
        NULL,
    };
    int found = find_name(value, names);
    config->law = (enum disk_model_distribution)found;
    return found >= 0;
}

static bool set_drive(struct disk_model_config *config, const char *value)
{
    uint32_t index = 0;
    while ((config->drive = disk_drive_at(index++)) != NULL) {
        if (strcmp(value, config->drive->name) == 0)
            return true;
    }
    return false;
}

static bool set_channels(struct disk_model_config *config, const char *value)
{
    uint64_t channels;
    if (decimal_parse(value, 1, DISK_MODEL_CHANNELS_MAX, &channels) < 0)
        return false;
    config->channels = (uint32_t)channels;
    return true;
}

static bool set_iops(struct disk_model_config *config, const char *value)
{
    return decimal_parse(value, 1, 1000000000, &config->requests_per_second) == 0;
}

static bool set_mbps(struct disk_model_config *config, const char *value)
{
    double mbps;
    if (decimal_parse_real(value, 1e-3, 1e9, &mbps) < 0)
        return false;
    config->bytes_per_second = (uint64_t)(mbps * 1e6);
    return true;
}

static bool set_error(struct disk_model_config *config, const char *value)
{
    return parse_probability(value, &config->error_probability);
}

static bool set_short(struct disk_model_config *config, const char *value)
{
    return parse_probability(value, &config->short_probability);
}

static bool set_stuck(struct disk_model_config *config, const char *value)
{
    return parse_probability(value, &config->stuck_probability);
}

static bool set_slow(struct disk_model_config *config, const char *value)
{
    char probability[WORD_BYTES];
    const char *colon = strchr(value, ':');
    if (colon == NULL)
        return false;
    snprintf(probability, sizeof(probability), "%.*s", (int)(colon - value), value);
    return parse_probability(probability, &config->slow_probability) &&
           parse_time(colon + 1, &config->slow_ns);
}

static bool set_seed(struct disk_model_config *config, const char *value)
{
    return decimal_parse(value, 0, UINT64_MAX, &config->seed) == 0;
}

static bool set_data(struct disk_model_config *config, const char *value)
{
    static const char *const names[] = {
        [DISK_MODEL_PATTERN] = "pattern",
        [DISK_MODEL_IMAGE] = "image",
        NULL,
    };
    int found = find_name(value, names);
    config->data = (enum disk_model_data)found;
    return found >= 0;
}

static const struct key {
    const char *name;
    bool (*set)(struct disk_model_config *config, const char *value);
    const char *wanted;
} keys[] = {
    {"mean", set_mean, "a time like 200us (ns, us, ms, s), at most 1000s"},
    {"write", set_write, "a time like 200us (ns, us, ms, s), at most 1000s"},
    {"flush", set_flush, "a time like 200us (ns, us, ms, s), at most 1000s"},
    {"cv", set_cv, "a number from 0 to 100"},
    {"law", set_law, "lognormal, fixed or exponential"},
    {"drive", set_drive, "hp97560"},
    {"channels", set_channels, "a whole number from 1 to 1024"},
    {"iops", set_iops, "a whole number from 1 to 1000000000"},
    {"mbps", set_mbps, "a number from 0.001 to 1000000000 (million bytes per second)"},
    {"error", set_error, "a probability from 0 to 1"},
    {"short", set_short, "a probability from 0 to 1"},
    {"stuck", set_stuck, "a probability from 0 to 1"},
    {"slow", set_slow, "a probability and a time, like 0.01:10ms"},
    {"seed", set_seed, "a whole number below 2^64"},
    {"data", set_data, "pattern or image"},
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

/* Returns the key's index or -EINVAL. */
static int parse_word(char *word, struct disk_model_config *config, struct why *why)
{
    char *value = strchr(word, '=');
    if (value != NULL) {
        *value++ = '\0';
        for (size_t i = 0; i < KEY_COUNT; i++) {
            if (strcmp(word, keys[i].name) != 0)
                continue;
            if (keys[i].set(config, value))
                return (int)i;
            return why_fail(why, -EINVAL, "disk model: %s=%s: want %s", word, value,
                            keys[i].wanted);
        }
    }
    return why_fail(why, -EINVAL,
                    "disk model: \"%s\" is none of mean= write= flush= cv= law= drive= channels= "
                    "iops= mbps= error= "
                    "short= stuck= slow= seed= data=",
                    word);
}

static bool is_law(const struct key *key)
{
    return key->set == set_mean || key->set == set_write || key->set == set_law ||
           key->set == set_cv;
}

static int check_drive(const struct disk_model_config *config, const bool *is_set, struct why *why)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (is_set[i] && is_law(&keys[i]))
            return why_fail(why, -EINVAL,
                            "disk model: drive= has times of its own: no %s=", keys[i].name);
    }
    if (config->channels != 1)
        return why_fail(why, -EINVAL, "disk model: a drive has one arm: channels=1 with drive=");
    return 0;
}

static int check_whole(const struct disk_model_config *config, bool is_cv_set, struct why *why)
{
    if (is_cv_set && config->law != DISK_MODEL_LOGNORMAL)
        return why_fail(why, -EINVAL, "disk model: cv= is for law=lognormal only");
    if (config->error_probability + config->short_probability + config->stuck_probability >
        1 + 1e-9)
        return why_fail(why, -EINVAL, "disk model: error, short and stuck together exceed 1");
    return 0;
}

int disk_model_config_parse(const char *text, struct disk_model_config *out, struct why *why)
{
    struct disk_model_config config = {.mean_ns = 200e3,
                                       .write_ns = NOT_SET,
                                       .flush_ns = NOT_SET,
                                       .cv = 0.25,
                                       .channels = 1,
                                       .seed = 1};
    bool is_set[KEY_COUNT] = {false};
    bool is_cv_set = false;
    while (text != NULL && *text != '\0') {
        size_t length = strcspn(text, ",");
        char word[WORD_BYTES];
        if (length >= sizeof(word))
            return why_fail(why, -EINVAL, "disk model: \"%.20s...\" is too long", text);
        memcpy(word, text, length);
        word[length] = '\0';
        int key = parse_word(word, &config, why);
        if (key < 0)
            return key;
        if (is_set[key])
            return why_fail(why, -EINVAL, "disk model: %s= is there twice", keys[key].name);
        is_set[key] = true;
        is_cv_set = is_cv_set || keys[key].set == set_cv;
        text += length;
        if (*text == ',' && *++text == '\0')
            return why_fail(why, -EINVAL, "disk model: nothing follows the last comma");
    }
    if (config.drive != NULL) {
        int rc = check_drive(&config, is_set, why);
        if (rc < 0)
            return rc;
        config.law = DISK_MODEL_FIXED;
        config.mean_ns = 0;
    }
    if (config.write_ns == NOT_SET)
        config.write_ns = config.mean_ns;
    if (config.flush_ns == NOT_SET)
        config.flush_ns = config.mean_ns;
    int rc = check_whole(&config, is_cv_set, why);
    if (rc == 0)
        *out = config;
    return rc;
}
