/* SPDX-License-Identifier: MIT */
/* Both halves of a ring as processes that share nothing but the ring's pages and the doorbell. */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ring_stress.h"

static int run_back(const struct ring_stress *stress)
{
    struct ring_stress_report report;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    ring_stress_back(stress, &report);
    int failed = ring_stress_judge(stress, "back", &report);
    fflush(stdout);
    return failed;
}

int main(int argc, char **argv)
{
    struct ring_stress stress;
    ring_stress_options(&stress, argc, argv);
    int rc = ring_stress_open(&stress);
    if (rc < 0)
        errx(1, "ring: %s", strerror(-rc));

    pid_t back = fork();
    if (back < 0)
        err(1, "fork");
    if (back == 0)
        _exit(run_back(&stress));
    struct ring_stress_report report;
    ring_stress_front(&stress, &report);
    int failed = ring_stress_judge(&stress, "front", &report);
    int status;
    if (failed)
        kill(back, SIGKILL);
    if (waitpid(back, &status, 0) < 0)
        err(1, "waitpid");
    ring_stress_close(&stress);
    return failed || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}
