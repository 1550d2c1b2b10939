/* SPDX-License-Identifier: MIT */
#include "service/dom0/vifs/vif_links.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container_of.h"

enum { WORDS_SIZE = 1024 };

/* What is meant by a name: a vif, or two bridges. */
struct target {
    struct vifs_use *use;
    struct net_bridge *bridge[NET_WAYS];
};

static struct vifs_trunk *find_trunk(const struct vifs *vifs, const struct target *t)
{
    for (struct list_node *node = list_first(&vifs->trunks); node != NULL;
         node = list_next(&vifs->trunks, node)) {
        struct vifs_trunk *trunk = container_of(node, struct vifs_trunk, link);

        if (trunk->bridge[0] == t->bridge[0] && trunk->bridge[1] == t->bridge[1])
            return trunk;
    }
    return NULL;
}

static struct vifs_link *find_link(const struct vifs *vifs, const struct target *t)
{
    struct vifs_trunk *trunk = t->use == NULL ? find_trunk(vifs, t) : NULL;

    if (t->use != NULL)
        return t->use->link;
    return trunk != NULL ? &trunk->net : NULL;
}

/* ---- what there is ---- */

static void print_way(FILE *out, const char *name, const struct net_pipe *pipe)
{
    const struct net_pipe_stats *s = &pipe->stats;
    char words[WORDS_SIZE];

    net_link_spec_format(&pipe->config, words, sizeof words);
    fprintf(out,
            "  %-4s %s\n       in %" PRIu64 ", out %" PRIu64 ", waiting %" PRIu32
            ", under way %" PRIu32 ", lost %" PRIu64 ", queue full %" PRIu64 ", early %" PRIu64
            ", marked %" PRIu64 ", duplicated %" PRIu64 ", reordered %" PRIu64 "\n",
            name, words, s->in.frames, s->out.frames, pipe->queue.frames, pipe->flight_frames,
            s->lost, s->full, s->early, s->marked, s->duplicated, s->reordered);
}

static void print_link(FILE *out, const char *name, const char *second,
                       const struct vifs_link *link)
{
    fprintf(out, "%s%s%s frame=%s\n", name, second[0] != '\0' ? " " : "", second,
            link->spec.is_real ? "real" : "domain");
    print_way(out, "up", &link->net.way[NET_WAY_UP].pipe);
    print_way(out, "down", &link->net.way[NET_WAY_DOWN].pipe);
}

/* One link, or all. */
static int list(const struct vifs *vifs, const struct vifs_link *wanted, char **answer,
                struct why *why)
{
    size_t size;
    FILE *out = open_memstream(answer, &size);

    if (out == NULL)
        return why_fail(why, -ENOMEM, "Dom0 is out of memory");
    for (const struct vifs_use *use = vifs_next(vifs, NULL); use != NULL;
         use = vifs_next(vifs, use)) {
        if (use->link != NULL && (wanted == NULL || use->link == wanted))
            print_link(out, use->name, "", use->link);
    }
    for (struct list_node *node = list_first(&vifs->trunks); node != NULL;
         node = list_next(&vifs->trunks, node)) {
        const struct vifs_trunk *trunk = container_of(node, struct vifs_trunk, link);

        if (wanted == NULL || &trunk->net == wanted)
            print_link(out, trunk->bridge[0]->name, trunk->bridge[1]->name, &trunk->net);
    }
    return fclose(out) == 0 ? 0 : why_fail(why, -ENOMEM, "Dom0 is out of memory");
}

static void write_way(struct json *json, const char *name, const struct net_link_way *way)
{
    const struct net_pipe *pipe = &way->pipe;
    char words[WORDS_SIZE];

    net_link_spec_format(&pipe->config, words, sizeof words);
    json_object(json, name);
    json_string(json, "words", words);
    json_u64(json, "in_frames", pipe->stats.in.frames);
    json_u64(json, "in_bytes", pipe->stats.in.bytes);
    json_u64(json, "out_frames", pipe->stats.out.frames);
    json_u64(json, "out_bytes", pipe->stats.out.bytes);
    json_u64(json, "waiting_frames", pipe->queue.frames);
    json_u64(json, "waiting_bytes", pipe->queue.bytes);
    json_u64(json, "under_way_frames", pipe->flight_frames);
    json_u64(json, "lost", pipe->stats.lost);
    json_u64(json, "queue_full", pipe->stats.full);
    json_u64(json, "early", pipe->stats.early);
    json_u64(json, "marked", pipe->stats.marked);
    json_u64(json, "duplicated", pipe->stats.duplicated);
    json_u64(json, "reordered", pipe->stats.reordered);
    json_u64(json, "late_mean_ns", net_lateness_mean_ns(&way->late));
    json_u64(json, "late_p50_ns", net_lateness_percentile_ns(&way->late, 50));
    json_u64(json, "late_p99_ns", net_lateness_percentile_ns(&way->late, 99));
    json_u64(json, "late_max_ns", way->late.max_ns);
    json_end(json);
}

void vif_links_write(struct json *json, const struct vifs_use *use)
{
    if (use->link == NULL)
        return;
    json_object(json, "link");
    json_string(json, "frame", use->link->spec.is_real ? "real" : "domain");
    write_way(json, "up", &use->link->net.way[NET_WAY_UP]);
    write_way(json, "down", &use->link->net.way[NET_WAY_DOWN]);
    json_end(json);
}

void vif_links_write_trunks(struct json *json, const struct vifs *vifs)
{
    json_array(json, "links");
    for (struct list_node *node = list_first(&vifs->trunks); node != NULL;
         node = list_next(&vifs->trunks, node)) {
        const struct vifs_trunk *trunk = container_of(node, struct vifs_trunk, link);

        json_object(json, NULL);
        json_string(json, "from", trunk->bridge[0]->name);
        json_string(json, "to", trunk->bridge[1]->name);
        write_way(json, "up", &trunk->net.net.way[NET_WAY_UP]);
        write_way(json, "down", &trunk->net.net.way[NET_WAY_DOWN]);
        json_end(json);
    }
    json_end(json);
}

/* ---- a new one ---- */

static void insert(struct vifs_use *use)
{
    if (use->port != NULL)
        net_link_insert(&use->link->net, use->port,
                        use->link->spec.is_real ? use->vifs->config.real_time : &use->link_time);
}

static int add_to_vif(struct vifs_use *use, const struct net_link_spec *spec, struct why *why)
{
    use->link = calloc(1, sizeof(*use->link));
    if (use->link == NULL)
        return why_fail(why, -ENOMEM, "Dom0 is out of memory");
    use->link->spec = *spec;
    net_link_init(&use->link->net, spec->way);
    timers_add_clock(use->vifs->config.timers, &use->link_time, use->clock);
    timer_clock_set_lead(&use->link_time, use->vifs->config.close_watch_ns);
    insert(use);
    return 0;
}

/* Can a frame get from one bridge to the other? Bridges that are joined make no circles. */
static bool is_joined(const struct net_bridge *from, const struct net_bridge *to,
                      const struct net_bridge *before)
{
    if (from == to)
        return true;
    for (const struct net_port *port = net_bridge_next_port(from, NULL); port != NULL;
         port = net_bridge_next_port(from, port)) {
        const struct net_bridge *beyond = net_link_beyond(port);

        if (beyond != NULL && beyond != before && is_joined(beyond, to, from))
            return true;
    }
    return false;
}

static int join_bridges(struct vifs *vifs, const struct target *t, const struct net_link_spec *spec,
                        struct why *why)
{
    if (is_joined(t->bridge[0], t->bridge[1], NULL))
        return why_fail(why, -ELOOP, "frames get from %s to %s already: a circle is refused",
                        t->bridge[0]->name, t->bridge[1]->name);

    struct vifs_trunk *trunk = calloc(1, sizeof(*trunk));

    if (trunk == NULL)
        return why_fail(why, -ENOMEM, "Dom0 is out of memory");
    trunk->bridge[0] = t->bridge[0];
    trunk->bridge[1] = t->bridge[1];
    trunk->net.spec = *spec;
    trunk->net.spec.is_real = true;
    net_link_init(&trunk->net.net, spec->way);

    int rc = net_link_join(&trunk->net.net, t->bridge[0], t->bridge[1], vifs->config.real_time);

    if (rc < 0) {
        free(trunk);
        return why_fail_errno(why, rc, "%s and %s cannot be joined", t->bridge[0]->name,
                              t->bridge[1]->name);
    }
    list_push_back(&vifs->trunks, &trunk->link);
    return 0;
}

/* ---- changes ---- */

static int change(struct vifs *vifs, const struct target *t, const char *words, struct why *why)
{
    struct vifs_link *link = find_link(vifs, t);
    struct net_link_spec spec;

    net_link_spec_init(&spec);
    if (link != NULL)
        spec = link->spec;

    int rc = net_link_spec_apply(&spec, words, why);

    if (rc < 0)
        return rc;
    if (link == NULL)
        return t->use != NULL ? add_to_vif(t->use, &spec, why) : join_bridges(vifs, t, &spec, why);

    bool moves = t->use != NULL && spec.is_real != link->spec.is_real;

    link->spec = spec;
    if (moves) /* on another clock no due time is worth anything */
        net_link_take_out(&link->net);
    for (int i = 0; i < NET_WAYS; i++)
        net_link_configure(&link->net, (enum net_way)i, &spec.way[i]);
    if (moves)
        insert(t->use);
    return 0;
}

static int remove_link(struct vifs *vifs, const struct target *t, struct why *why)
{
    struct vifs_link *link = find_link(vifs, t);

    if (link == NULL)
        return why_fail(why, -ENOENT, "there is no such link: see 'service net-link'");
    if (t->use != NULL)
        vifs_drop_link(t->use);
    else
        vifs_drop_trunk(find_trunk(vifs, t));
    return 0;
}

/* ---- words ---- */

/* Cuts the next word off. NULL: there is none. */
static char *next_word(char **at)
{
    *at += strspn(*at, " ");

    char *word = *at;
    size_t length = strcspn(word, " ");

    *at += length;
    if (**at != '\0')
        *(*at)++ = '\0';
    return length > 0 ? word : NULL;
}

static int find_target(struct vifs *vifs, const char *name, char **rest, struct target *t,
                       struct why *why)
{
    t->use = vifs_find_name(vifs, name);
    if (t->use != NULL)
        return 0;
    t->bridge[0] = net_find_bridge(&vifs->net, name);
    if (t->bridge[0] == NULL)
        return why_fail(why, -ENODEV, "no vif and no bridge is called %s: see 'service status'",
                        name);

    const char *second = next_word(rest);

    t->bridge[1] = second != NULL ? net_find_bridge(&vifs->net, second) : NULL;
    if (t->bridge[1] == NULL)
        return why_fail(why, second != NULL ? -ENODEV : -EINVAL,
                        "a link of a bridge needs a second bridge: %s BRIDGE", name);
    return 0;
}

int vif_links_command(struct vifs *vifs, const char *text, char **answer, struct why *why)
{
    char words[WORDS_SIZE], *rest = words;
    struct target t = {.use = NULL};

    *answer = NULL;
    if (strlen(text) >= sizeof words)
        return why_fail(
            why, -EINVAL,
            "the name and the words of a link have up to %zu characters together, not %zu",
            sizeof words - 1, strlen(text));
    strcpy(words, text);

    const char *name = next_word(&rest);

    if (name == NULL)
        return list(vifs, NULL, answer, why);

    int rc = find_target(vifs, name, &rest, &t, why);

    if (rc < 0)
        return rc;
    rest += strspn(rest, " ");
    if (rest[0] == '\0' && find_link(vifs, &t) != NULL)
        return list(vifs, find_link(vifs, &t), answer, why);
    if (strcmp(rest, "remove") == 0)
        return remove_link(vifs, &t, why);
    return change(vifs, &t, rest, why);
}
