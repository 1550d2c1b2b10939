/* SPDX-License-Identifier: MIT */
/*
 * domain: what a hypervisor gives to a guest, got from a running service by its control socket.
 *
 * Part of xen_front. Only domain.c knows splitdom's control socket and start_info; the rest of the
 * program sees numbers and memory, and uses Xen's headers.
 */
#ifndef SPLITDOM_TESTS_ABI_DOMAIN_H
#define SPLITDOM_TESTS_ABI_DOMAIN_H

#include <stdint.h>

enum { DOMAIN_PAGE_SIZE = 4096 };

struct domain {
    int control;  /* its end is the domain's end */
    int doorbell; /* eventfd: write 8 bytes to notify Dom0 */
    uint8_t *memory;
    uint32_t nr_pages;
    uint16_t domid;
    uint32_t store_port;
    uint32_t shared_info_pfn;
    uint32_t store_pfn;
    uint32_t gnttab_pfn;
    uint32_t nr_grant_entries;
    uint32_t free_pfn;
    uint32_t nr_free_pages;
    char why[256]; /* after a failure: what failed */
};

/* Creates a domain of at least nr_free pages for its own use. 0 or -errno, with domain->why set. */
int domain_create(struct domain *domain, const char *socket_path, uint32_t nr_free);

/* EVTCHNOP_alloc_unbound with Dom0 as the remote end, for vCPU 0. 0 or -errno. */
int domain_alloc_unbound(struct domain *domain, uint32_t *port);

/* EVTCHNOP_close. 0 or -errno. */
int domain_close_port(struct domain *domain, uint32_t port);

/* Half-built domains are allowed. */
void domain_destroy(struct domain *domain);

static inline void *domain_page(const struct domain *domain, uint32_t pfn)
{
    return domain->memory + (uint64_t)pfn * DOMAIN_PAGE_SIZE;
}

#endif
