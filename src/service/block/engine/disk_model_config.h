/* SPDX-License-Identifier: MIT */
/*
 * disk_model_config: the parameters of the model disk, as a structure and as text.
 *
 * Text: key=value, separated by commas, each key at most once, any order, none needed:
 *
 *   mean=200us            mean service time of a read (ns, us, ms or s; default 200us)
 *   write=400us           that of a write or discard (default: mean's)
 *   flush=2ms             that of a flush (default: mean's)
 *   law=lognormal         lognormal (default) | fixed | exponential
 *   cv=0.25               coefficient of variation, lognormal only (default 0.25)
 *   drive=hp97560         seek and rotation (disk_drive.h) instead of a law: no mean, write, law,
 *                         cv; channels=1; flush's default is 0 then
 *   channels=1            requests served at the same time (default 1, at most 1024)
 *   iops=N                at most so many requests begin per second (default: no cap)
 *   mbps=N                at most so many million bytes per second (default: no cap)
 *   error=P               probability of a failing request (default 0, as the next three)
 *   short=P               probability of one that delivers or takes only half of its bytes
 *   stuck=P               probability of one that is never answered
 *   slow=P:10ms           probability of a slow one, and what it takes longer
 *   seed=N                of all that is random (default 1)
 *   data=pattern          what is read where nothing was written: pattern (default:
 *                         see disk_pattern.h) | image: the image's bytes
 */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_MODEL_CONFIG_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_MODEL_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "base/why.h"
#include "service/block/engine/disk_drive.h"

enum disk_model_distribution { DISK_MODEL_LOGNORMAL, DISK_MODEL_FIXED, DISK_MODEL_EXPONENTIAL };
enum disk_model_data { DISK_MODEL_PATTERN, DISK_MODEL_IMAGE };

#define DISK_MODEL_CHANNELS_MAX 1024u

struct disk_model_config {
    double mean_ns; /* 0 .. 1e12, as the next two */
    double write_ns;
    double flush_ns;
    double cv; /* 0 .. 100; lognormal only */
    enum disk_model_distribution law;
    const struct disk_drive_parameters *drive; /* or NULL */
    uint32_t channels;                         /* 1 .. DISK_MODEL_CHANNELS_MAX */
    uint64_t requests_per_second;              /* 0: no cap; at most 1e9 */
    uint64_t bytes_per_second;                 /* 0: no cap; at most 1e15 */
    double error_probability;                  /* these three sum up to at most 1 */
    double short_probability;
    double stuck_probability;
    double slow_probability;
    double slow_ns; /* 0 .. 1e12, added to the service time */
    uint64_t seed;
    enum disk_model_data data;
};

/*
 * Fills *out from text (NULL or "": all defaults). Errors: -EINVAL with a line for people in why:
 * which word, what is wrong with it, what would be right.
 */
int disk_model_config_parse(const char *text, struct disk_model_config *out, struct why *why);

#endif
