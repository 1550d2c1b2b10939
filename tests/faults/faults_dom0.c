/* SPDX-License-Identifier: MIT */
#include "faults_dom0.h"
#include "base/why.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/block/engine/disk_pattern.h"
#include "service/dom0/dom0.h"

enum { IMAGE_BYTES = 1 << 20, SECTOR_BYTES = 512 };

int faults_place_make(struct faults_place *place)
{
    struct why why;
    snprintf(place->base, sizeof(place->base), "/tmp/splitdom-faults-XXXXXX");
    if (mkdtemp(place->base) == NULL)
        return -1;
    /* Not below /tmp, which may be a tmpfs: images are opened with O_DIRECT. */
    (void)mkdir("build", 0777);
    snprintf(place->image, sizeof(place->image), "build/test_faults.XXXXXX");
    int fd = mkstemp(place->image);
    if (fd < 0 || ftruncate(fd, IMAGE_BYTES) < 0 || close(fd) < 0)
        return -1;
    if (rundir_resolve(place->base, "faults", true, &place->rundir, why.text, sizeof(why.text)) <
            0 ||
        log_open(&(struct log_options){.path = place->rundir.log}, &place->log) < 0)
        return -1;
    place->options = dom0_options_default();
    place->options.image_path = place->image;
    place->options.engine = DOM0_ENGINE_MODEL;
    place->options.model = "mean=0";
    place->options.max_domains = 4;
    return 0;
}

int faults_place_remove(struct faults_place *place)
{
    log_close(place->log);
    unlink(place->rundir.log);
    unlink(place->image);
    return rmdir(place->rundir.dir) < 0 || rmdir(place->base) < 0 ? -1 : 0;
}

static void tell_ready(void *ctx)
{
    const int *fd = ctx;
    if (write(*fd, "r", 1) != 1)
        _exit(2);
}

pid_t faults_dom0_fork(const struct faults_place *place)
{
    struct why why;
    char byte;
    int fds[2];
    if (pipe(fds) < 0)
        return -1;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(fds[0]);
        const struct dom0_caller caller = {.ready = tell_ready, .ctx = &fds[1]};
        int rc = dom0_run(&place->options, &place->rundir, place->log, &caller, &why);
        if (rc < 0)
            fprintf(stderr, "%s\n", why.text);
        _exit(rc < 0 ? 1 : 0);
    }
    close(fds[1]);
    bool is_ready = child > 0 && read(fds[0], &byte, 1) == 1;
    close(fds[0]);
    return is_ready ? child : -1;
}

bool faults_data_is_right(uint64_t sector, const void *bytes)
{
    uint8_t wanted[SECTOR_BYTES];
    disk_pattern_fill(wanted, sector * SECTOR_BYTES, sizeof(wanted));
    return memcmp(wanted, bytes, sizeof(wanted)) == 0;
}
