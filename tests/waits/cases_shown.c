/* SPDX-License-Identifier: MIT */
/* Times that the kernel shows of things: of processes, files and datagrams. */
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#include "tests/waits/waits.h"

enum { MS = 1000000, STAMP_LAST = 0x8906, STAMP_LAST_NS = 0x8907 };

/* In /proc/self/stat, in hundredths of a second since the machine was started. */
static int64_t start_ns(void)
{
    char text[1024] = "";
    unsigned long long start = 0;
    int fd = open("/proc/self/stat", O_RDONLY);
    must(fd, "/proc/self/stat");
    must(read(fd, text, sizeof(text) - 1), "read");
    close(fd);
    const char *at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (at == NULL || sscanf(at, " %llu", &start) != 1)
        broken("/proc/self/stat");
    return (int64_t)start * 10 * MS;
}

static void start_time(void)
{
    pid_t pid = fork();
    if (pid > 0) {
        waitpid(pid, NULL, 0);
        _exit(0);
    }
    begin();
    end(clock_ns(CLOCK_BOOTTIME) - start_ns());
}

/* The kernel adds a time namespace's offset to that. */
static void make_namespace(void)
{
    static const char offsets[] = "monotonic 100000 0\nboottime 100000 0\n";
    int fd = open("/proc/self/timens_offsets", O_WRONLY);
    if (fd < 0 || unshare(0x80 /* CLONE_NEWTIME */) < 0 ||
        write(fd, offsets, sizeof(offsets) - 1) < 0)
        absent("a time namespace");
    close(fd);
}

static void start_time_in_namespace(void)
{
    make_namespace();
    start_time();
}

/* Only children are in it. */
static void start_time_beside_namespace(void)
{
    pid_t pid = fork();
    if (pid > 0) {
        waitpid(pid, NULL, 0);
        _exit(0);
    }
    make_namespace();
    begin();
    end(clock_ns(CLOCK_BOOTTIME) - start_ns());
}

/* Memory of the program's that has the name of such a file; and that file's number, the lowest. */
static void own_memory(void)
{
    char byte = 0;
    begin();
    int lowest = dup(0);
    close(lowest);
    int shown = open("/proc/uptime", O_RDONLY);
    if (lowest < 0 || shown != lowest)
        broken("the number of a descriptor");
    int fd = memfd_create("/proc/uptime", 0);
    must(fd, "memfd_create");
    must(write(fd, "!", 1), "write");
    must(lseek(fd, 0, SEEK_SET), "lseek");
    must(read(fd, &byte, 1), "read");
    end(byte == '!' ? 0 : 1000 * MS);
}

/* When the machine was started, by the wall clock. */
static void boot_time(void)
{
    char line[256];
    long long boot = 0;
    FILE *file = fopen("/proc/stat", "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL && boot == 0)
        (void)sscanf(line, "btime %lld", &boot);
    if (file != NULL)
        fclose(file);
    begin();
    end(clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME) - boot * 1000 * MS - 500 * MS);
}

/* The kernel cuts the stamp to whole seconds of its own: up to a real second too early. */
static void semaphore_time(void)
{
    struct semid_ds ds;
    struct sembuf up = {.sem_op = 1};
    int id = semget(IPC_PRIVATE, 1, 0600);
    must(id, "semget");
    begin();
    long rc = semop(id, &up, 1);
    if (rc == 0)
        rc = semctl(id, 0, IPC_STAT, &ds);
    semctl(id, 0, IPC_RMID);
    must(rc, "a semaphore");
    end((int64_t)ds.sem_otime * 1000 * MS - clock_ns(CLOCK_REALTIME) + 500 * MS);
}

static int datagrams(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(fd, (struct sockaddr *)&address, length) < 0)
        absent("no loopback network");
    must(getsockname(fd, (struct sockaddr *)&address, &length), "getsockname");
    must(connect(fd, (struct sockaddr *)&address, length), "connect");
    return fd;
}

static void stamp_of_many(void)
{
    char byte, control[256];
    struct iovec part = {&byte, 1};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
    struct timespec ts;
    int on = 1, fd = datagrams();
    must(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)), "SO_TIMESTAMPNS");
    begin();
    must(send(fd, "x", 1, 0), "send");
    message.msg_hdr.msg_control = control;
    message.msg_hdr.msg_controllen = sizeof(control);
    must(recvmmsg(fd, &message, 1, 0, NULL), "recvmmsg");
    struct cmsghdr *head = CMSG_FIRSTHDR(&message.msg_hdr);
    if (head == NULL)
        broken("no stamp");
    memcpy(&ts, CMSG_DATA(head), sizeof(ts));
    end(timespec_ns(ts) - clock_ns(CLOCK_REALTIME));
}

/* The first asking makes the kernel take stamps. */
static void stamp_of_last(void)
{
    char byte;
    struct timespec ts = {0};
    int fd = datagrams();
    (void)ioctl(fd, STAMP_LAST_NS, &ts);
    begin();
    for (int i = 0; i < 1000; i++) {
        must(send(fd, "x", 1, 0), "send");
        must(recv(fd, &byte, 1, 0), "recv");
        must(ioctl(fd, STAMP_LAST_NS, &ts), "SIOCGSTAMPNS");
        if (clock_ns(CLOCK_REALTIME) - timespec_ns(ts) < 1000 * MS)
            break;
    }
    end(timespec_ns(ts) - clock_ns(CLOCK_REALTIME));
}

static void stamp_of_last_us(void)
{
    char byte;
    struct timeval tv = {0};
    int fd = datagrams();
    begin();
    must(send(fd, "x", 1, 0), "send");
    must(recv(fd, &byte, 1, 0), "recv");
    must(ioctl(fd, STAMP_LAST, &tv), "SIOCGSTAMP");
    end((int64_t)tv.tv_sec * 1000 * MS + tv.tv_usec * 1000 - clock_ns(CLOCK_REALTIME));
}

/* By names, with the oldest of calls; and the time of the change of its state is now. */
static void file_by_name(void)
{
    char name[] = "/tmp/waits.XXXXXX";
    struct stat stat;
    int fd = mkstemp(name);
    must(fd, "mkstemp");
    struct utimbuf set = {.actime = time(NULL) + 100, .modtime = time(NULL) + 200};
    long rc = utime(name, &set);
    if (rc == 0)
        rc = lstat(name, &stat);
    unlink(name);
    must(rc, "utime");
    if (stat.st_atime != set.actime || stat.st_mtime != set.modtime)
        broken("the file has other times than were set");
    begin();
    end(timespec_ns(stat.st_ctim) - clock_ns(CLOCK_REALTIME));
}

const struct wait_case cases_shown[] = {
    {"/proc/self/stat start time", KIND_EQUAL, start_time, 520 * MS, 0, 0, 0, 0},
    {"start time in a time namespace", KIND_EQUAL, start_time_in_namespace, 520 * MS, 0, 0, 0, 0},
    {"start time beside a time namespace", KIND_EQUAL, start_time_beside_namespace, 520 * MS, 0, 0,
     0, 0},
    {"memory named /proc/uptime", KIND_EQUAL, own_memory, 0, 0, 0, 0, 0},
    {"/proc/stat btime", KIND_EQUAL, boot_time, 1020 * MS, 0, 0, 0, 0},
    {"sem_otime and CLOCK_REALTIME", KIND_EQUAL, semaphore_time, 520 * MS, 1012 * MS, 0, 0, 0},
    {"recvmmsg's stamp", KIND_EQUAL, stamp_of_many, 0, 8 * MS, 0, 0, 0},
    {"SIOCGSTAMPNS", KIND_EQUAL, stamp_of_last, 0, 8 * MS, 0, 0, 0},
    {"SIOCGSTAMP", KIND_EQUAL, stamp_of_last_us, 0, 8 * MS, 0, 0, 0},
    {"utime and st_ctime", KIND_EQUAL, file_by_name, 0, 12 * MS, 0, 0, 0},
    {.name = NULL},
};
