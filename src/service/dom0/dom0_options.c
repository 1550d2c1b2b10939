/* SPDX-License-Identifier: MIT */
#include "service/dom0/dom0_options.h"

#include <errno.h>

#include "service/dom0/placement.h"

struct dom0_options dom0_options_default(void)
{
    return (struct dom0_options){
        .image_path = "disk1.img",
        .engine = DOM0_ENGINE_AUTO,
        .cache_bytes = DOM0_CACHE_BYTES_UNSET,
        .cache_ppm = DOM0_CACHE_PPM_MAX,
        .cache_policy = "lru",
        .idle_timeout_ns = UINT64_C(300) * 1000000000,
        .tdf_num = 1,
        .tdf_den = 1,
        .scale_num = 1,
        .scale_den = 1,
        .cpu = PLACEMENT_AUTO,
        .depth = 64,
        .depth_alone = 128,
        .depth_isolated = 12,
        .nbd_reconnect_s = 60,
        .max_domains = 1024,
        .max_pages = 8192,
        .max_ring_page_order = DOM0_RING_PAGE_ORDER_MAX,
        .shared_cache = true,
    };
}

const char *dom0_engine_name(enum dom0_engine engine)
{
    switch (engine) {
    case DOM0_ENGINE_AUTO:
        return "auto";
    case DOM0_ENGINE_URING:
        return "uring";
    case DOM0_ENGINE_THREADS:
        return "threads";
    case DOM0_ENGINE_NULL:
        return "null";
    case DOM0_ENGINE_MODEL:
        return "model";
    }
    return "?";
}

/* image_bytes * ppm / 10^6 without overflow. */
static uint64_t share(uint64_t image_bytes, uint32_t ppm)
{
    uint64_t million = 1000000;

    return image_bytes / million * ppm + image_bytes % million * ppm / million;
}

int dom0_options_cache_bytes(const struct dom0_options *options, uint64_t image_bytes,
                             uint64_t *out)
{
    uint64_t most = share(image_bytes, DOM0_CACHE_PPM_MAX);

    if (options->cache_bytes == DOM0_CACHE_BYTES_UNSET)
        *out = share(image_bytes, options->cache_ppm);
    else
        *out = options->cache_bytes;
    if (*out <= most)
        return 0;
    *out = most;
    return -EINVAL;
}
