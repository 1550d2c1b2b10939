/* SPDX-License-Identifier: MIT */
#include "service/cli/option_values.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "service/block/cache/cache.h"
#include "service/block/engine/disk_nbd.h"
#include "service/dom0/disks/disk_spec.h"
#include "service/net/net.h"
#include "splitdom/control.h"
#include "splitdom/tdf.h"

enum { IDLE_TIMEOUT_S_MAX = 1000000000 };

int option_number(struct why *why, const char *what, const char *text, uint64_t min, uint64_t max,
                  uint64_t *out)
{
    if (decimal_parse(text, min, max, out) == 0)
        return 0;
    return why_fail(why, -EINVAL,
                    "%s must be a decimal number within %" PRIu64 "..%" PRIu64 ", not '%s'", what,
                    min, max, text);
}

int option_number_u32(struct why *why, const char *what, const char *text, uint32_t min,
                      uint32_t max, uint32_t *out)
{
    uint64_t value;
    int rc = option_number(why, what, text, min, max, &value);

    if (rc == 0)
        *out = (uint32_t)value;
    return rc;
}

int option_limit(struct why *why, const char *name, const char *text, struct dom0_options *out)
{
    const struct {
        const char *name;
        uint32_t min, max, *value;
    } limits[] = {
        {"depth", 1, DOM0_DEPTH_MAX, &out->depth},
        {"depth-isolated", 1, DOM0_DEPTH_MAX, &out->depth_isolated},
        {"nbd-reconnect", 0, DISK_NBD_RECONNECT_MAX_S, &out->nbd_reconnect_s},
        {"max-domains", 1, DOM0_DOMAINS_MAX, &out->max_domains},
        {"max-pages", DOM0_PAGES_MIN, DOM0_PAGES_MAX, &out->max_pages},
        {"max-ring-page-order", 0, DOM0_RING_PAGE_ORDER_MAX, &out->max_ring_page_order},
    };
    char what[32];
    snprintf(what, sizeof(what), "--%s", name);
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        if (strcmp(limits[i].name, name) != 0)
            continue;
        int rc = option_number_u32(why, what, text, limits[i].min, limits[i].max, limits[i].value);
        if (limits[i].value == &out->depth) /* who gives a depth gives one for all */
            out->depth_alone = out->depth;
        return rc;
    }
    return why_fail(why, -EINVAL, "unknown option");
}

int option_tdf(struct why *why, const char *what, const char *text, uint64_t *num, uint64_t *den)
{
    struct tdf tdf;

    if (tdf_parse(text, &tdf) < 0 || tdf.num == 0)
        return why_fail(why, -EINVAL,
                        "%s must be from 1/%d to %d, such as 10, 2.5 or 1/100, not '%s'", what,
                        TDF_LIMIT, TDF_LIMIT, text);
    *num = tdf.num;
    *den = tdf.den;
    return 0;
}

int option_disk_scale(struct why *why, const char *what, const char *text, uint64_t *num,
                      uint64_t *den)
{
    struct tdf scale;

    if (tdf_parse(text, &scale) < 0 || scale.num < scale.den)
        return why_fail(why, -EINVAL, "%s must be within 1..%d, not '%s'", what, TDF_LIMIT, text);
    *num = scale.num;
    *den = scale.den;
    return 0;
}

int option_share(struct why *why, const char *what, const char **text, char out[SHARE_TEXT_SIZE])
{
    uint64_t num, den;

    if (share_parse(*text, &num, &den) < 0)
        return why_fail(why, -EINVAL,
                        "%s must be from 1/%d to 1, such as 1/10, 0.1 or 10%%, not '%s'", what,
                        SHARE_LEAST_DEN, *text);
    share_format(num, den, out);
    *text = out;
    return 0;
}

int option_engine(struct why *why, const char *text, enum dom0_engine *out)
{
    for (int i = DOM0_ENGINE_AUTO; i <= DOM0_ENGINE_MODEL; i++) {
        if (strcmp(text, dom0_engine_name((enum dom0_engine)i)) == 0) {
            *out = (enum dom0_engine)i;
            return 0;
        }
    }
    return why_fail(why, -EINVAL, "--engine must be auto, uring, threads, null or model, not '%s'",
                    text);
}

int option_cache_percent(struct why *why, const char *text, uint32_t *ppm)
{
    uint64_t value;

    if (decimal_parse_scaled(text, 4, DOM0_CACHE_PPM_MAX, &value) < 0)
        return why_fail(
            why, -EINVAL,
            "--cache-percent must be within 0..1, with at most four decimals: the cache "
            "holds at most 1 %% of the image; not '%s'",
            text);
    *ppm = (uint32_t)value;
    return 0;
}

int option_idle_timeout(struct why *why, const char *text, uint64_t *out_ns)
{
    uint64_t second_ns = 1000000000;

    if (decimal_parse_scaled(text, 9, IDLE_TIMEOUT_S_MAX * second_ns, out_ns) == 0)
        return 0;
    return why_fail(why, -EINVAL, "--idle-timeout must be seconds within 0..%d, not '%s'",
                    IDLE_TIMEOUT_S_MAX, text);
}

int option_refuse_policy(const char *text, struct why *why)
{
    const struct cache_policy *policy;
    char names[256] = "";

    for (uint32_t i = 0; (policy = cache_policy_at(i)) != NULL; i++)
        snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i > 0 ? " " : "",
                 policy->name);
    return why_fail(why, -EINVAL, "--cache-policy must be one of: %s; not '%s'", names, text);
}

int option_on_off(struct why *why, const char *what, const char *text, bool *out)
{
    *out = strcmp(text, "on") == 0;
    if (*out || strcmp(text, "off") == 0)
        return 0;
    return why_fail(why, -EINVAL, "%s must be on or off, not '%s'", what, text);
}

int option_seconds(struct why *why, const char *what, const char *text, uint64_t *out_ms)
{
    uint64_t ms;
    if (decimal_parse_scaled(text, 3, 3600 * 1000, &ms) < 0 || ms == 0)
        return why_fail(why, -EINVAL, "%s must be from 0.001 to 3600 seconds, not '%s'", what,
                        text);
    *out_ms = ms;
    return 0;
}

int option_delay(struct why *why, const char *text, uint64_t *out_ms)
{
    enum { LEAST_MS = 50, MOST_MS = 3600 * 1000 };
    uint64_t ms;
    if (decimal_parse_scaled(text, 3, MOST_MS, &ms) < 0 || ms < LEAST_MS)
        return why_fail(why, -EINVAL, "--delay must be from 0.05 to 3600 seconds, not '%s'", text);
    *out_ms = ms;
    return 0;
}

int option_domain_name(struct why *why, const char *text)
{
    enum { MOST = CONTROL_NAME_SIZE - 1 };
    size_t length =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.+:@");
    if (length == 0 || length > MOST || text[length] != '\0')
        return why_fail(why, -EINVAL, "a name has up to %d letters, digits or _-.+:@, not '%s'",
                        MOST, text);
    return 0;
}

int option_disk(struct why *why, const char *text, const char *disks[DOM0_DISKS_MAX],
                uint32_t *count)
{
    struct disk_spec spec;
    if (*count == DOM0_DISKS_MAX)
        return why_fail(why, -EINVAL, "--disk may come %d times", DOM0_DISKS_MAX);
    disks[(*count)++] = text;
    return disk_spec_parse(text, &spec, why);
}

int option_vif(struct why *why, const char *text, struct vif_spec vifs[DOM0_VIFS_MAX],
               uint32_t *count)
{
    if (*count == DOM0_VIFS_MAX)
        return why_fail(why, -EINVAL, "--vif may come %d times", DOM0_VIFS_MAX);
    return vif_spec_parse(text, &vifs[(*count)++], why);
}

int option_bridge(struct why *why, const char *text, const char *bridges[DOM0_BRIDGES_MAX],
                  uint32_t *count)
{
    if (!net_bridge_name_is_valid(text))
        return why_fail(why, -EINVAL, "a bridge's name has up to 15 letters, not '%s'", text);
    for (uint32_t i = 0; i < *count; i++) {
        if (strcmp(bridges[i], text) == 0)
            return why_fail(why, -EINVAL, "two bridges have the name %s", text);
    }
    if (*count == DOM0_BRIDGES_MAX)
        return why_fail(why, -EINVAL, "--bridge may come %d times", DOM0_BRIDGES_MAX);
    bridges[(*count)++] = text;
    return 0;
}

int option_check_vifs(struct why *why, const struct dom0_options *options)
{
    for (uint32_t i = 0; i < options->vif_count; i++) {
        const char *wanted = options->vifs[i].bridge;
        bool found = wanted[0] == '\0' ||
                     (options->bridge_count == 0 && strcmp(wanted, NET_BRIDGE_DEFAULT) == 0);

        for (uint32_t k = 0; !found && k < options->bridge_count; k++)
            found = strcmp(options->bridges[k], wanted) == 0;
        if (!found)
            return why_fail(why, -EINVAL, "Could not find bridge device %s (--bridge makes one)",
                            wanted);
    }
    return 0;
}
