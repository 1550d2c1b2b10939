/* SPDX-License-Identifier: MIT */
/* Both halves of a ring as threads of one process: ThreadSanitizer sees everything they share. */
#include <err.h>
#include <pthread.h>
#include <string.h>

#include "ring_stress.h"

struct side {
    const struct ring_stress *stress;
    struct ring_stress_report report;
};

static void *run_back(void *arg)
{
    struct side *side = arg;
    ring_stress_back(side->stress, &side->report);
    return NULL;
}

int main(int argc, char **argv)
{
    struct ring_stress stress;
    ring_stress_options(&stress, argc, argv);
    int rc = ring_stress_open(&stress);
    if (rc < 0)
        errx(1, "ring: %s", strerror(-rc));

    struct side back = {.stress = &stress}, front = {.stress = &stress};
    pthread_t thread;
    rc = pthread_create(&thread, NULL, run_back, &back);
    if (rc != 0)
        errx(1, "thread: %s", strerror(rc));
    ring_stress_front(&stress, &front.report);
    pthread_join(thread, NULL);

    int failed = ring_stress_judge(&stress, "front", &front.report);
    failed |= ring_stress_judge(&stress, "back", &back.report);
    ring_stress_close(&stress);
    return failed;
}
