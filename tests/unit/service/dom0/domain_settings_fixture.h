/* SPDX-License-Identifier: MIT */
/* domain_settings_fixture: a domain with a disk, in a store of its own and in stepped time. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_DOM0_DOMAIN_SETTINGS_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_DOM0_DOMAIN_SETTINGS_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/why.h"
#include "fakes/fake_vdisk.h"
#include "fakes/xs_peer.h"
#include "ring/fault_guard.h"
#include "service/back/vbd/vbd_back.h"
#include "service/dom0/domain.h"
#include "xenstore/server/xs_local.h"

enum { DOMID = 5 };

#define SECOND_NS UINT64_C(1000000000)

struct fixture {
    char log_path[64];
    struct log *log;
    struct poller *poller;
    struct xs_server *store;
    struct fake_vdisk fake;
    struct tdf_source time;
    struct pollables loop;
    struct log_limit log_limit;
    struct vbd_options disk;
    struct back_spec spec;
    struct domain_host host;
    struct domain *domain;
};

static struct fixture *f;

static inline void store_ready(void *ctx, struct domain *domain)
{
    (void)ctx;
    (void)domain;
}

static inline int create(struct tdf tdf)
{
    struct why why;
    return domain_create(&f->host, DOMID, 0, 32, tdf, &f->domain, &why);
}

static inline int setup(void **state)
{
    (void)state;
    f = calloc(1, sizeof(*f));
    if (f == NULL || xs_server_create(NULL, &f->store) < 0 || fault_guard_install(4) < 0 ||
        poller_create(POLLER_EPOLL, &f->poller) < 0 ||
        tdf_source_manual(&f->time, 1000000000, 1000 * SECOND_NS, 0) < 0)
        return -1;
    snprintf(f->log_path, sizeof(f->log_path), "/tmp/splitdom-settings-XXXXXX");
    int fd = mkstemp(f->log_path);
    close(fd);
    if (log_open(&(struct log_options){.path = f->log_path}, &f->log) < 0)
        return -1;
    fake_vdisk_create(&f->fake, &(struct fake_vdisk_config){.sector_count = 2048, .depth = 4});
    f->disk = (struct vbd_options){.vdisk = f->fake.vdisk, .params = "image", .dev = "xvda"};
    f->spec = (struct back_spec){&vbd_class, XENBUS_VBD_XVDA, &f->disk};
    f->host =
        (struct domain_host){.poller = f->poller,
                             .back = {f->store, f->log, &f->log_limit, &f->loop},
                             .time_source = &f->time,
                             .max_pages = 64,
                             .settings = {.weight = SCHED_WEIGHT_DEFAULT, .disk_scale = {1, 1}},
                             .devices = &f->spec,
                             .device_count = 1,
                             .store_ready = store_ready};
    return create((struct tdf){1, 1}) < 0 ? -1 : domain_mapped(f->domain);
}

static inline int teardown(void **state)
{
    (void)state;
    char old[80];
    domain_destroy(f->domain);
    domain_destroy(NULL);
    assert_int_equal(xs_server_check(f->store), 0);
    fake_vdisk_destroy(&f->fake);
    xs_server_destroy(f->store);
    poller_destroy(f->poller);
    log_close(f->log);
    unlink(f->log_path);
    snprintf(old, sizeof(old), "%s.old", f->log_path);
    unlink(old);
    fault_guard_remove();
    free(f);
    return 0;
}

static inline void step(void)
{
    for (int i = 0; i < 100 && xs_server_run(f->store, 16); i++) {
    }
    assert_true(xs_server_idle(f->store)); /* our own writes do not go round for ever */
}

static inline void set(const char *node, const char *value)
{
    char path[64];
    snprintf(path, sizeof(path), "/local/domain/5/%s", node);
    assert_int_equal(xs_local_write(f->store, path, value), 0);
    step();
}

static inline const char *get(const char *node)
{
    static char value[128];
    char path[64];
    snprintf(path, sizeof(path), "/local/domain/5/%s", node);
    return xs_local_read(f->store, path, value, sizeof(value)) < 0 ? "(none)" : value;
}

#endif
