/* SPDX-License-Identifier: MIT */
#include "run/family.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/decimal.h"

enum { ROUNDS_MAX = 100 };

struct member {
    pid_t pid, parent;
    bool ours;
};

struct members {
    struct member *list;
    size_t count, room;
};

int family_begin(void)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/* "12 (a name) S 3 ...": what stands behind the last bracket. 0: it has ended. One whose main
 * thread has ended before the others is a zombie that still has them. */
static pid_t parent_of(const char *pid)
{
    char path[64], text[512], state;
    int parent = 0, threads = 0;
    snprintf(path, sizeof(path), "/proc/%.16s/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[length] = '\0';
    const char *after = strrchr(text, ')');
    if (after == NULL ||
        sscanf(after + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d",
               &state, &parent, &threads) != 3 ||
        (state == 'Z' && threads <= 1))
        return 0;
    return parent;
}

static bool add(struct members *members, pid_t pid, pid_t parent)
{
    if (members->count == members->room) {
        size_t room = members->room == 0 ? 256 : 2 * members->room;
        struct member *list = realloc(members->list, room * sizeof(*list));
        if (list == NULL)
            return false;
        members->list = list;
        members->room = room;
    }
    members->list[members->count++] = (struct member){.pid = pid, .parent = parent};
    return true;
}

static struct members everybody(void)
{
    struct members members = {NULL, 0, 0};
    struct dirent *entry;
    uint64_t pid;
    DIR *directory = opendir("/proc");
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (decimal_parse(entry->d_name, 1, INT32_MAX, &pid) < 0)
            continue;
        pid_t parent = parent_of(entry->d_name);
        if (parent != 0 && !add(&members, (pid_t)pid, parent))
            break;
    }
    if (directory != NULL)
        closedir(directory);
    return members;
}

static bool is_ours(const struct members *members, pid_t pid)
{
    for (size_t i = 0; i < members->count; i++) {
        if (members->list[i].pid == pid)
            return members->list[i].ours;
    }
    return false;
}

/* Children's children may stand before their parents. */
static void mark(struct members *members)
{
    pid_t self = getpid();
    bool more = true;
    while (more) {
        more = false;
        for (size_t i = 0; i < members->count; i++) {
            struct member *member = &members->list[i];
            if (!member->ours && (member->parent == self || is_ours(members, member->parent)))
                member->ours = more = true;
        }
    }
}

static struct members our_own(void)
{
    struct members members = everybody();
    mark(&members);
    return members;
}

void family_each(void (*fn)(void *arg, pid_t pid), void *arg)
{
    struct members members = our_own();
    for (size_t i = 0; i < members.count; i++) {
        if (members.list[i].ours)
            fn(arg, members.list[i].pid);
    }
    free(members.list);
}

static void send_signal(void *arg, pid_t pid)
{
    (void)kill(pid, *(const int *)arg);
}

void family_signal(int signo)
{
    family_each(send_signal, &signo);
}

static size_t count_ours(const struct members *members)
{
    size_t count = 0;
    for (size_t i = 0; i < members->count; i++)
        count += members->list[i].ours;
    return count;
}

void family_kill(void)
{
    size_t before = SIZE_MAX, count = 0;
    for (int i = 0; i < ROUNDS_MAX && count != before; i++) {
        before = count;
        struct members members = our_own();
        count = count_ours(&members);
        free(members.list);
        family_signal(SIGSTOP);
    }
    family_signal(SIGKILL);
}
