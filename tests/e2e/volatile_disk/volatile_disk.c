/* SPDX-License-Identifier: MIT */
/*
 * volatile_disk: loaded into Dom0 (LD_PRELOAD), gives the image named by VOLATILE_DISK a volatile
 * write cache, in memory: kill -9 of Dom0 is a loss of power then. A flush writes out all of it;
 * half of the writes are on the disk at once, as a disk is free to do. Works with the engine
 * threads, which reads and writes by these calls.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SECTOR_BYTES = 512 };

static struct {
    pthread_mutex_t mutex;
    int fd; /* the image's, without O_DIRECT */
    struct stat st;
    uint8_t *contents; /* NULL: not opened yet */
    bool *dirty;       /* of each sector: not on the disk yet */
    uint64_t writes;
} volatile_disk = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static void load(void)
{
    const char *path = getenv("VOLATILE_DISK");
    if (path == NULL || (volatile_disk.fd = open(path, O_RDWR | O_CLOEXEC)) < 0 ||
        fstat(volatile_disk.fd, &volatile_disk.st) != 0)
        abort();
    size_t bytes = (size_t)volatile_disk.st.st_size;
    volatile_disk.contents = malloc(bytes);
    volatile_disk.dirty = calloc(bytes / SECTOR_BYTES, sizeof(bool));
    ssize_t (*read_at)(int, void *, size_t, off_t) = real("pread");
    if (volatile_disk.contents == NULL || volatile_disk.dirty == NULL ||
        read_at(volatile_disk.fd, volatile_disk.contents, bytes, 0) != (ssize_t)bytes)
        abort();
}

/* Whether fd is the image. If so, the disk is locked. */
static bool lock(int fd)
{
    struct stat st;
    pthread_mutex_lock(&volatile_disk.mutex);
    if (volatile_disk.contents == NULL)
        load();
    if (fstat(fd, &st) == 0 && st.st_ino == volatile_disk.st.st_ino &&
        st.st_dev == volatile_disk.st.st_dev)
        return true;
    pthread_mutex_unlock(&volatile_disk.mutex);
    return false;
}

static void write_out(uint64_t sector, uint64_t count)
{
    ssize_t (*write_at)(int, const void *, size_t, off_t) = real("pwrite");
    uint64_t offset = sector * SECTOR_BYTES, bytes = count * SECTOR_BYTES;
    if (write_at(volatile_disk.fd, volatile_disk.contents + offset, bytes, (off_t)offset) !=
        (ssize_t)bytes)
        abort();
    memset(&volatile_disk.dirty[sector], 0, count);
}

static void copy_in(const void *data, size_t bytes, off_t offset)
{
    uint64_t sector = (uint64_t)offset / SECTOR_BYTES, count = bytes / SECTOR_BYTES;
    memcpy(volatile_disk.contents + offset, data, bytes);
    memset(&volatile_disk.dirty[sector], 1, count);
    if (volatile_disk.writes++ * 0x9e3779b97f4a7c15u >> 63 != 0)
        write_out(sector, count);
}

ssize_t pread(int fd, void *data, size_t bytes, off_t offset)
{
    ssize_t (*next)(int, void *, size_t, off_t) = real("pread");
    if (!lock(fd))
        return next(fd, data, bytes, offset);
    memcpy(data, volatile_disk.contents + offset, bytes);
    pthread_mutex_unlock(&volatile_disk.mutex);
    return (ssize_t)bytes;
}

ssize_t preadv(int fd, const struct iovec *iov, int count, off_t offset)
{
    ssize_t sum = 0;
    for (int i = 0; i < count; i++)
        sum += pread(fd, iov[i].iov_base, iov[i].iov_len, offset + sum);
    return sum;
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    ssize_t (*next)(int, const void *, size_t, off_t) = real("pwrite");
    if (!lock(fd))
        return next(fd, data, bytes, offset);
    copy_in(data, bytes, offset);
    pthread_mutex_unlock(&volatile_disk.mutex);
    return (ssize_t)bytes;
}

/* Pieces may be smaller than a sector: what they are together is not. */
ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
    ssize_t (*next)(int, const struct iovec *, int, off_t) = real("pwritev");
    if (!lock(fd))
        return next(fd, iov, count, offset);
    size_t bytes = 0, filled = 0;
    for (int i = 0; i < count; i++)
        bytes += iov[i].iov_len;
    uint8_t *all = malloc(bytes);
    if (all == NULL)
        abort();
    for (int i = 0; i < count; i++) {
        memcpy(all + filled, iov[i].iov_base, iov[i].iov_len);
        filled += iov[i].iov_len;
    }
    copy_in(all, bytes, offset);
    free(all);
    pthread_mutex_unlock(&volatile_disk.mutex);
    return (ssize_t)bytes;
}

int fdatasync(int fd)
{
    int (*next)(int) = real("fdatasync");
    if (!lock(fd))
        return next(fd);
    uint64_t sectors = (uint64_t)volatile_disk.st.st_size / SECTOR_BYTES;
    for (uint64_t sector = 0; sector < sectors; sector++) {
        if (volatile_disk.dirty[sector])
            write_out(sector, 1);
    }
    pthread_mutex_unlock(&volatile_disk.mutex);
    return 0;
}
