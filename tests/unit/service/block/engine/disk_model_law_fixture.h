/* SPDX-License-Identifier: MIT */
/* disk_model_law_fixture: a law from the words that a user would write. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_BLOCK_ENGINE_DISK_MODEL_LAW_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_BLOCK_ENGINE_DISK_MODEL_LAW_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/block/engine/disk_model_law.h"

static inline struct disk_model_law *make(const char *text)
{
    struct disk_model_config config;
    struct disk_model_law *law;
    struct why why;

    assert_int_equal(disk_model_config_parse(text, &config, &why), 0);
    assert_int_equal(disk_model_law_create(&config, &law), 0);
    return law;
}

#endif
