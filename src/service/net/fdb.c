/* SPDX-License-Identifier: MIT */
#include "service/net/fdb.h"

#include <errno.h>
#include <stdlib.h>

#include "base/container_of.h"

struct net_fdb_entry {
    struct net_fdb_entry *next; /* in its bucket */
    struct list_node of_share;
    struct net_fdb_share *share;
    struct net_port *port;
    uint64_t mac;
    uint64_t seen_ns;
    bool fixed;
};

int net_fdb_init(struct net_fdb *fdb, uint64_t ageing_ns, uint64_t secret)
{
    *fdb = (struct net_fdb){.ageing_ns = ageing_ns, .secret = secret | 1};
    fdb->buckets = calloc(NET_FDB_BUCKETS, sizeof(*fdb->buckets));
    return fdb->buckets != NULL ? 0 : -ENOMEM;
}

void net_fdb_fini(struct net_fdb *fdb)
{
    assert(fdb->count == 0);
    free(fdb->buckets);
    fdb->buckets = NULL;
}

/* The link to the entry of that address, or the end of its bucket. */
static struct net_fdb_entry **place_of(struct net_fdb *fdb, uint64_t mac)
{
    uint64_t mixed = (mac + fdb->secret) * UINT64_C(0x9e3779b97f4a7c15);

    mixed = (mixed ^ mixed >> 29) * fdb->secret;
    struct net_fdb_entry **place = &fdb->buckets[(mixed >> 40) % NET_FDB_BUCKETS];

    while (*place != NULL && (*place)->mac != mac)
        place = &(*place)->next;
    return place;
}

static void leave_share(struct net_fdb_entry *entry)
{
    list_remove(&entry->of_share);
    if (!entry->fixed)
        entry->share->learned_count--;
}

static void enter_share(struct net_fdb_entry *entry, struct net_port *port,
                        struct net_fdb_share *share)
{
    entry->port = port;
    entry->share = share;
    list_push_back(entry->fixed ? &share->fixed : &share->learned, &entry->of_share);
    if (!entry->fixed)
        share->learned_count++;
}

static void forget(struct net_fdb *fdb, struct net_fdb_entry *entry)
{
    struct net_fdb_entry **place = place_of(fdb, entry->mac);

    assert(*place == entry);
    *place = entry->next;
    leave_share(entry);
    free(entry);
    fdb->count--;
}

/* A new one, or NULL. */
static struct net_fdb_entry *add(struct net_fdb *fdb, uint64_t mac)
{
    struct net_fdb_entry *entry = calloc(1, sizeof(*entry));

    if (entry == NULL)
        return NULL;
    *place_of(fdb, mac) = entry; /* NULL until now: the address is not there */
    entry->mac = mac;
    fdb->count++;
    return entry;
}

int net_fdb_fix(struct net_fdb *fdb, struct net_port *port, struct net_fdb_share *share,
                uint64_t mac)
{
    struct net_fdb_entry *entry = *place_of(fdb, mac);

    if (entry != NULL && entry->fixed)
        return -EEXIST;
    if (entry != NULL)
        leave_share(entry);
    else
        entry = add(fdb, mac);
    if (entry == NULL)
        return -ENOMEM;
    entry->fixed = true;
    enter_share(entry, port, share);
    return 0;
}

static void make_room(struct net_fdb *fdb, struct net_fdb_share *share)
{
    if (share->learned_count < NET_FDB_PORT_MAX)
        return;
    forget(fdb, container_of(list_first(&share->learned), struct net_fdb_entry, of_share));
    fdb->recycled++;
}

bool net_fdb_learn(struct net_fdb *fdb, struct net_port *port, struct net_fdb_share *share,
                   uint64_t mac, uint64_t now_ns)
{
    struct net_fdb_entry *entry = *place_of(fdb, mac);

    if (entry != NULL && entry->fixed)
        return entry->port == port;
    if (entry == NULL) {
        make_room(fdb, share);
        entry = add(fdb, mac);
        if (entry == NULL)
            return true;
    } else {
        if (entry->port != port) {
            make_room(fdb, share);
            fdb->moved++;
        }
        leave_share(entry);
    }
    entry->seen_ns = now_ns;
    enter_share(entry, port, share); /* at the end: seen last */
    return true;
}

struct net_port *net_fdb_find(struct net_fdb *fdb, uint64_t mac, uint64_t now_ns)
{
    struct net_fdb_entry *entry = *place_of(fdb, mac);

    if (entry == NULL)
        return NULL;
    if (!entry->fixed && now_ns > entry->seen_ns && now_ns - entry->seen_ns > fdb->ageing_ns) {
        forget(fdb, entry);
        return NULL;
    }
    return entry->port;
}

static void drop_list(struct net_fdb *fdb, struct list *list)
{
    struct list_node *node;

    while ((node = list_first(list)) != NULL)
        forget(fdb, container_of(node, struct net_fdb_entry, of_share));
}

void net_fdb_drop(struct net_fdb *fdb, struct net_fdb_share *share)
{
    drop_list(fdb, &share->learned);
    drop_list(fdb, &share->fixed);
}
