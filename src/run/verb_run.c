/* SPDX-License-Identifier: MIT */
/*
 * run: any program, unmodified, in a domain of its own: its clock is the domain's, and that of all
 * its descendants. The exit status is the program's.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/cpu_limit.h"
#include "run/mediate.h"
#include "run/run_options.h"
#include "run/run_vif.h"
#include "run/supervisor.h"
#include "run/verb.h"
#include "splitdom/domu.h"

enum {
    NO_DEVICES_PAGES = 8,
    CLOSE_MS = 1000, /* for Dom0, which may be stopped, once the program has ended */
};

struct run {
    struct run_options options;
    struct cpu_limit limit;
    struct domu *domu;
    struct run_vif vif;
    struct mediate *mediate;
    struct supervisor supervisor;
};

/* Without the option the group is for those who change the share later, and dispensable. */
static int make_limit(struct run *run, struct why *why)
{
    const struct run_options *o = &run->options;
    struct why limit_why;
    int rc = cpu_limit_create(&run->limit, &limit_why);
    if (rc == 0 && o->share_num != 0)
        rc = cpu_limit_set(&run->limit, o->share_num, o->share_den, &limit_why);
    if (rc == 0 || o->share_num == 0)
        return 0;
    return why_fail(why, rc, "--cpu-share: %s", limit_why.text);
}

static int make_domain(struct run *run, struct why *why)
{
    const struct run_options *o = &run->options;
    bool limited = run->limit.path[0] != '\0';
    const struct domu_options options = {
        .size = sizeof(options),
        .rundir = o->rundir,
        .name = o->service,
        .pages = NO_DEVICES_PAGES + (o->vif.wanted ? run_vif_pages(&o->vif) : 0),
        .tdf_num = o->tdf.num,
        .tdf_den = o->tdf.den,
        .events = true,
        .domain_name = o->name,
        .cpu_share_num = !limited            ? 0
                         : o->share_num != 0 ? o->share_num
                                             : 1,
        .cpu_share_den = !limited            ? 0
                         : o->share_num != 0 ? o->share_den
                                             : 1,
    };
    struct domu_error error;
    int rc = domu_open(&options, &run->domu, &error);
    return rc < 0 ? why_fail(why, rc, "%s", error.text) : 0;
}

static void ready(void *ctx, uint32_t version)
{
    domu_clock_ready(ctx, version);
}

/* The shim lies beside us: "domu-shim" of "domu". */
static int make_mediation(struct run *run, struct why *why)
{
    char shim[PATH_MAX + sizeof("-shim")];
    struct mediate_why mediate_why = {""};
    uint64_t offset_bytes;
    int fd;
    ssize_t length = readlink("/proc/self/exe", shim, PATH_MAX);
    if (length < 0)
        return why_fail(why, -errno, "cannot find out where this program lies: /proc is needed");
    memcpy(shim + length, "-shim", sizeof("-shim"));
    int rc = domu_clock_memory(run->domu, &fd, &offset_bytes);
    if (rc < 0)
        return why_fail_errno(why, rc, "cannot open the domain's clock");
    const struct mediate_config config = {.clock_fd = fd,
                                          .clock_offset_bytes = (off_t)offset_bytes,
                                          .shim_path = shim,
                                          .tdf = run->options.tdf,
                                          .tsc = run->options.tsc,
                                          .ready = ready,
                                          .ctx = run->domu};
    rc = mediate_prepare(&config, &run->mediate, &mediate_why);
    close(fd);
    return rc < 0 ? why_fail(why, rc, "%s", mediate_why.text) : 0;
}

static int run_program(struct run *run)
{
    run->supervisor =
        (struct supervisor){.domu = run->domu,
                            .mediate = run->mediate,
                            .limit = &run->limit,
                            .vif = &run->vif,
                            .is_limited = run->options.share_num != run->options.share_den,
                            .signal_fd = -1};
    int rc = supervisor_start(&run->supervisor, run->options.program);
    if (rc < 0)
        fprintf(stderr, "domu: cannot start a program: %s\n", strerror(-rc));
    int status = rc < 0 ? DOMU_FAILED : supervisor_follow(&run->supervisor);
    supervisor_end(&run->supervisor);
    return status;
}

static int run(struct run *run, int argc, char **argv)
{
    struct why why;
    if (run_options_parse(argc, argv, &run->options, &why) < 0)
        return verb_usage(&verb_run, &why);
    const struct run_vif_options *vif = run->options.vif.wanted ? &run->options.vif : NULL;
    int rc = make_limit(run, &why);
    if (rc == 0 && vif != NULL)
        rc = run_vif_enter(&why); /* before there are threads */
    if (rc == 0)
        rc = make_domain(run, &why);
    if (rc == 0 && vif != NULL)
        rc = run_vif_open(&run->vif, run->domu, vif, &why);
    if (rc == 0)
        rc = make_mediation(run, &why);
    int status = rc == 0 ? run_program(run) : verb_end(rc, &why);
    mediate_close(run->mediate);
    if (run->domu != NULL)
        domu_hurry(run->domu, CLOSE_MS);
    run_vif_close(&run->vif);
    domu_close(run->domu);
    cpu_limit_destroy(&run->limit);
    return status;
}

static int run_main(int argc, char **argv)
{
    struct run *all = calloc(1, sizeof(*all)); /* too large for a small stack */
    if (all == NULL)
        fprintf(stderr, "domu: out of memory\n");
    int status = all != NULL ? run(all, argc, argv) : DOMU_FAILED;
    free(all);
    return status;
}

const struct domu_verb verb_run = {
    .name = "run",
    .arguments = "[options] [--] PROGRAM [ARGUMENT]...",
    .help = "    runs any program, unmodified, in a domain of its own\n" RUN_OPTIONS_HELP,
    .main = run_main,
};
