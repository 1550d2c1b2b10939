/* SPDX-License-Identifier: MIT */
#include "fakes/fake_oracle.h"

#include <stdlib.h>
#include <string.h>

#include "base/container_of.h"

#define NOT_ENDED UINT64_MAX

static void add(struct oracle_sector *sector, uint64_t number, uint64_t begun)
{
    if (sector->count == ORACLE_VALUES_MAX)
        abort();
    sector->value[sector->count++] =
        (struct oracle_value){.number = number, .begun = begun, .ended = NOT_ENDED};
}

void oracle_init(struct oracle *oracle, uint64_t sector_count, uint64_t number)
{
    *oracle = (struct oracle){.sector_count = sector_count};
    oracle->sector = calloc(sector_count, sizeof(*oracle->sector));
    if (oracle->sector == NULL)
        abort();
    for (uint64_t i = 0; i < sector_count; i++) {
        add(&oracle->sector[i], number, 0);
        oracle->sector[i].value[0].ended = 0;
    }
}

void oracle_fini(struct oracle *oracle)
{
    free(oracle->sector);
}

void oracle_fill(void *bytes, uint64_t number, uint64_t sector, uint64_t sector_count)
{
    uint8_t *to = bytes;
    for (uint64_t i = 0; i < sector_count * ORACLE_WORDS; i++) {
        uint64_t word = oracle_word(number, sector + i / ORACLE_WORDS);
        memcpy(to + i * sizeof(word), &word, sizeof(word));
    }
}

/* The newest value that reads as these bytes, or NULL: also where they are not one word. */
static const struct oracle_value *find(const struct oracle_sector *sector, uint64_t number,
                                       const void *bytes)
{
    uint64_t word[ORACLE_WORDS];
    memcpy(word, bytes, sizeof(word));
    for (uint32_t i = 1; i < ORACLE_WORDS; i++)
        if (word[i] != word[0])
            return NULL;
    for (uint32_t i = sector->count; i-- > 0;)
        if (oracle_word(sector->value[i].number, number) == word[0])
            return &sector->value[i];
    return NULL;
}

/* What began at this time is there now: what had ended before is not. */
static void overwrite(struct oracle_sector *sector, uint64_t begun)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < sector->count; i++)
        if (sector->value[i].ended >= begun)
            sector->value[left++] = sector->value[i];
    sector->count = left;
}

/* Of the read, what lies in these sectors. */
static struct oracle_sector *part_of(struct oracle_read *read, uint64_t first, uint64_t end,
                                     uint64_t *count)
{
    uint64_t from = first > read->first ? first : read->first;
    uint64_t to = end < read->end ? end : read->end;
    *count = to > from ? to - from : 0;
    return *count > 0 ? &read->was[from - read->first] : NULL;
}

bool oracle_has_room(const struct oracle *oracle, uint64_t first, uint64_t end)
{
    bool has = true;
    uint64_t count;
    for (uint64_t s = first; s < end; s++)
        has &= oracle->sector[s].count < ORACLE_VALUES_MAX;
    for (struct list_node *node = list_first(&oracle->reads); node != NULL;
         node = list_next(&oracle->reads, node)) {
        const struct oracle_sector *was =
            part_of(container_of(node, struct oracle_read, of_oracle), first, end, &count);
        for (uint64_t i = 0; i < count; i++)
            has &= was[i].count < ORACLE_VALUES_MAX;
    }
    return has;
}

void oracle_begin_change(struct oracle *oracle, struct oracle_change *change)
{
    change->begun = ++oracle->now;
    for (uint64_t s = change->first; s < change->end; s++)
        add(&oracle->sector[s], change->number, change->begun);
    for (struct list_node *node = list_first(&oracle->reads); node != NULL;
         node = list_next(&oracle->reads, node)) {
        struct oracle_read *read = container_of(node, struct oracle_read, of_oracle);
        uint64_t count;
        struct oracle_sector *was = part_of(read, change->first, change->end, &count);
        for (uint64_t i = 0; i < count; i++)
            add(&was[i], change->number, change->begun);
    }
}

/* The change can have no effect from now on. */
static void note_end(struct oracle *oracle, const struct oracle_change *change, bool answered)
{
    oracle->now++;
    for (uint64_t s = change->first; s < change->end; s++) {
        struct oracle_sector *sector = &oracle->sector[s];
        for (uint32_t i = 0; i < sector->count; i++) {
            struct oracle_value *value = &sector->value[i];
            if (value->number != change->number || value->begun != change->begun)
                continue;
            value->ended = oracle->now;
            value->answered = answered;
        }
    }
}

void oracle_end_change(struct oracle *oracle, const struct oracle_change *change, bool succeeded)
{
    note_end(oracle, change, false);
    for (uint64_t s = change->first; succeeded && s < change->end; s++)
        overwrite(&oracle->sector[s], change->begun);
}

void oracle_answer_change(struct oracle *oracle, const struct oracle_change *change)
{
    note_end(oracle, change, true);
}

void oracle_flush(struct oracle *oracle, uint64_t then)
{
    oracle->now++;
    for (uint64_t s = 0; s < oracle->sector_count; s++) {
        struct oracle_sector *sector = &oracle->sector[s];
        uint64_t begun = 0;
        for (uint32_t i = 0; i < sector->count; i++) {
            const struct oracle_value *value = &sector->value[i];
            if (value->answered && value->ended <= then && value->begun > begun)
                begun = value->begun;
        }
        overwrite(sector, begun);
    }
}

bool oracle_settle(struct oracle *oracle, uint64_t sector, const void *bytes)
{
    const struct oracle_value *found = find(&oracle->sector[sector], sector, bytes);
    if (found == NULL)
        return false;
    oracle->sector[sector].value[0] =
        (struct oracle_value){.number = found->number, .begun = found->begun, .ended = oracle->now};
    oracle->sector[sector].count = 1;
    return true;
}

static void copy(struct oracle_sector *to, const struct oracle_sector *from)
{
    to->count = from->count;
    memcpy(to->value, from->value, from->count * sizeof(from->value[0]));
}

void oracle_begin_read(struct oracle *oracle, struct oracle_read *read)
{
    for (uint64_t s = read->first; s < read->end; s++)
        copy(&read->was[s - read->first], &oracle->sector[s]);
    list_push_back(&oracle->reads, &read->of_oracle);
}

uint64_t oracle_end_read(struct oracle *oracle, struct oracle_read *read, const void *bytes)
{
    list_remove(&read->of_oracle);
    for (uint64_t s = read->first; bytes != NULL && s < read->end; s++) {
        const uint8_t *at = (const uint8_t *)bytes + (s - read->first) * BLOCK_SECTOR_BYTES;
        if (find(&read->was[s - read->first], s, at) == NULL)
            return s;
        const struct oracle_value *seen = find(&oracle->sector[s], s, at);
        if (seen != NULL && seen->number != ORACLE_ZEROS) /* one of many that read alike */
            overwrite(&oracle->sector[s], seen->begun);
    }
    return UINT64_MAX;
}

bool oracle_allows(const struct oracle *oracle, uint64_t sector, const void *bytes)
{
    return find(&oracle->sector[sector], sector, bytes) != NULL;
}
