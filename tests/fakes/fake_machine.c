/* SPDX-License-Identifier: MIT */
#include "fake_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IMAGE_BYTES = 16 << 20 };

int fake_machine_create(struct fake_machine *m)
{
    memset(m, 0, sizeof(*m));
    snprintf(m->base, sizeof(m->base), "/tmp/splitdom-machine-XXXXXX");
    if (mkdtemp(m->base) == NULL)
        return -1;
    /* Not below /tmp, which may be a tmpfs: images are opened with O_DIRECT. */
    (void)mkdir("build", 0777);
    snprintf(m->image, sizeof(m->image), "build/fake_machine.XXXXXX");
    int fd = mkstemp(m->image);
    if (fd < 0 || ftruncate(fd, IMAGE_BYTES) < 0 || close(fd) < 0)
        return -1;
    if (rundir_resolve(m->base, "fake", true, &m->rundir, m->why.text, sizeof(m->why.text)) < 0 ||
        log_open(&(struct log_options){.path = m->rundir.log}, &m->log) < 0)
        return -1;
    m->options = dom0_options_default();
    m->options.image_path = m->image;
    m->options.engine = DOM0_ENGINE_NULL;
    m->options.max_domains = 8;
    return tdf_source_manual(&m->time, 1000000000, 1000000000, 0);
}

int fake_machine_boot(struct fake_machine *m)
{
    return dom0_setup(&m->options, &m->rundir, m->log, m->real_time ? NULL : &m->time, &m->dom0,
                      &m->why);
}

int fake_machine_destroy(struct fake_machine *m)
{
    dom0_teardown(m->dom0);
    log_close(m->log);
    unlink(m->rundir.log);
    unlink(m->image);
    rmdir(m->rundir.dir);
    return rmdir(m->base);
}
