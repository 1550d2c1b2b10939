/* SPDX-License-Identifier: MIT */
#include "service/cli/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A process that only asks holds the directory's lock for an instant, and one that was killed until
 * its last thread has ended. So taking the lock is tried this many times, with this pause. Between
 * the signal and the end nothing is to be seen of either for an instant: who seems to live is asked
 * a few times, too. */
enum { TRIES = 100, TRIES_OF_THE_LIVING = 3, PAUSE_NS = 10 * 1000 * 1000 };
enum { STAT_EXITING = 0x4 }; /* of the flags in /proc/PID/stat: Linux's PF_EXITING */

static struct flock whole_file(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

static int open_directory(const char *path)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int length = slash == NULL ? -1 : (int)(slash - path);
    if (length < 0 || length >= PATH_MAX)
        return -EINVAL;
    snprintf(directory, sizeof(directory), "%.*s", length, path);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* The process that holds the record lock on fd; 0: nobody. */
static int ask(int fd, pid_t *holder)
{
    struct flock lock = whole_file();
    if (fcntl(fd, F_GETLK, &lock) != 0)
        return -errno;
    *holder = lock.l_type == F_UNLCK ? 0 : lock.l_pid > 0 ? lock.l_pid : LOCK_HOLDER_UNKNOWN;
    return 0;
}

/* The holder of the file's record lock; 0: nobody, or there is no file. */
static int ask_file(const char *path, pid_t *holder)
{
    *holder = 0;
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    int rc = ask(fd, holder);
    close(fd);
    return rc;
}

/* Does a line "NAME: mask" of /proc/PID/status have SIGKILL? */
static bool has_sigkill(FILE *status, const char *name)
{
    char line[256];
    while (fgets(line, sizeof(line), status) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0)
            return (strtoull(line + strlen(name), NULL, 16) & (1ull << (SIGKILL - 1))) != 0;
    }
    return false;
}

/* Has it been killed, and does not know yet? */
static bool is_to_end(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *status = fopen(path, "re");
    if (status == NULL)
        return errno == ENOENT;
    bool killed = has_sigkill(status, "SigPnd:") || has_sigkill(status, "ShdPnd:");
    fclose(status);
    return killed;
}

/* Has the process been killed, and some of its threads have not ended yet? It holds what it had
 * until they have. */
static bool is_ending(pid_t pid)
{
    char path[64], line[256], letter;
    unsigned flags;
    bool ending = false;
    if (pid <= 0)
        return false;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return errno == ENOENT;
    if (fgets(line, sizeof(line), file) != NULL) {
        const char *state = strrchr(line, ')'); /* the name before it may contain anything */
        ending = state != NULL &&
                 sscanf(state, ") %c %*d %*d %*d %*d %*d %u", &letter, &flags) == 2 &&
                 (letter == 'Z' || letter == 'X' || (flags & STAT_EXITING) != 0);
    }
    fclose(file);
    return ending || is_to_end(pid);
}

/* Opens the file and takes its record lock. The caller holds the directory's lock, so nobody else
 * creates the file meanwhile. */
static int make_file(struct lock *lock)
{
    struct flock record = whole_file();
    int fd = open(lock->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int rc = fcntl(fd, F_SETLK, &record) != 0 ? -errno : owned_path_note(&lock->file, lock->path);
    if (rc < 0) {
        close(fd);
        return rc == -EACCES ? -EAGAIN : rc;
    }
    lock->file_fd = fd;
    return 0;
}

/* Waits while another process only asks. -EAGAIN: the lock is held. On a file system without flock
 * on directories (some network file systems) only the file's lock is used. */
static int lock_directory(const char *path, int directory_fd, pid_t *holder)
{
    for (int i = 0; flock(directory_fd, LOCK_EX | LOCK_NB) != 0; i++) {
        struct timespec pause = {.tv_nsec = PAUSE_NS};
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return 0;
        int rc = ask_file(path, holder);
        if (rc < 0)
            return rc;
        if (*holder == 0 && i == TRIES)
            *holder = LOCK_HOLDER_UNKNOWN;
        if (*holder != 0 && (i == TRIES || (i >= TRIES_OF_THE_LIVING && !is_ending(*holder))))
            return -EAGAIN;
        *holder = 0;
        (void)nanosleep(&pause, NULL);
    }
    return 0;
}

int lock_acquire(const char *path, struct lock *lock, pid_t *holder)
{
    *holder = 0;
    *lock = (struct lock){.path = path, .directory_fd = -1, .file_fd = -1};
    int directory_fd = open_directory(path);
    if (directory_fd < 0)
        return directory_fd;
    lock->directory_fd = directory_fd;
    int rc = lock_directory(path, directory_fd, holder);
    if (rc == 0)
        rc = make_file(lock);
    if (rc < 0) {
        if (rc == -EAGAIN && *holder == 0)
            *holder = LOCK_HOLDER_UNKNOWN;
        close(directory_fd);
        lock->directory_fd = -1;
    }
    return rc;
}

/* Does the path still lead into the directory that is locked? */
static bool is_current(const struct lock *lock)
{
    struct stat locked, named;
    int named_fd = open_directory(lock->path);
    if (named_fd < 0)
        return false;
    bool same = fstat(named_fd, &named) == 0 && fstat(lock->directory_fd, &locked) == 0 &&
                named.st_dev == locked.st_dev && named.st_ino == locked.st_ino;
    close(named_fd);
    return same;
}

int lock_restore(struct lock *lock)
{
    if (!is_current(lock))
        return -ESTALE;
    if (owned_path_is_there(&lock->file, lock->path))
        return 0;
    if (lock->file_fd >= 0)
        close(lock->file_fd);
    lock->file_fd = -1;
    return make_file(lock);
}

void lock_release(struct lock *lock)
{
    owned_path_remove(&lock->file, lock->path); /* while the lock says that the name is ours */
    if (lock->file_fd >= 0)
        close(lock->file_fd);
    if (lock->directory_fd >= 0)
        close(lock->directory_fd);
    lock->file_fd = lock->directory_fd = -1;
}

int lock_holder(const char *path, pid_t *holder)
{
    int rc = ask_file(path, holder);
    if (rc < 0 || *holder != 0)
        return rc;
    int directory_fd = open_directory(path);
    if (directory_fd < 0)
        return directory_fd == -ENOENT ? 0 : directory_fd;
    if (flock(directory_fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        *holder = LOCK_HOLDER_UNKNOWN;
    close(directory_fd);
    return 0;
}
