/* SPDX-License-Identifier: MIT */
/* verb_uptime: since when there are Dom0 and its domains, in real time, in the columns of xl. */
#include <inttypes.h>
#include <stdio.h>

#include "service/cli/verb.h"
#include "service/cli/verb_sample.h"

static void print_row(const char *name, uint64_t domid, uint64_t age_ns)
{
    uint64_t seconds = age_ns / 1000000000, days = seconds / 86400;
    printf("%-33s %4" PRIu64 " ", name, domid);
    if (days > 0)
        printf("%" PRIu64 " day%s, ", days, days > 1 ? "s" : "");
    printf("%2" PRIu64 ":%02" PRIu64 ":%02" PRIu64 "\n", seconds / 3600 % 24, seconds / 60 % 60,
           seconds % 60);
}

int verb_uptime(const struct rundir *rundir, const struct service_options *options)
{
    struct rundir asked = *rundir;
    struct top_sample sample;
    struct why why;
    bool found = !options->has_domid || options->domid == 0;
    if (verb_sample(&asked, &sample, &why) < 0) {
        fprintf(stderr, "service: %s\n", why.text);
        return VERB_FAILED;
    }
    for (size_t i = 0; i < sample.domain_count; i++)
        found |= sample.domains[i].domid == options->domid;
    if (found) {
        printf("%-33s %4s %s\n", "Name", "ID", "Uptime");
        if (!options->has_domid || options->domid == 0)
            print_row("Domain-0", 0, sample.age_ns);
        for (size_t i = 0; i < sample.domain_count; i++) {
            const struct top_domain *domain = &sample.domains[i];
            if (!options->has_domid || domain->domid == options->domid)
                print_row(domain->name, domain->domid, domain->age_ns);
        }
    } else {
        fprintf(stderr, "service: there is no domain %" PRIu32 ": see 'service list'\n",
                options->domid);
    }
    top_sample_free(&sample);
    return found ? verb_end_output() : VERB_FAILED;
}
