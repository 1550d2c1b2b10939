/* SPDX-License-Identifier: MIT */
/*
 * ipc_times: the times, in seconds, in what the kernel tells of System V queues, semaphores and
 * memory.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "run/shim/call/calls.h"
#include "run/shim/core/stamp.h"

/* What anybody may ask for, too: linux/msg.h, sem.h, shm.h. */
enum { MSG_STAT_OF_ANY = 13, SEM_STAT_OF_ANY = 20, SHM_STAT_OF_ANY = 15 };

static void show(time_t *seconds)
{
    struct timespec ts = {.tv_sec = *seconds};

    if (*seconds == 0) /* never yet */
        return;
    stamp_show(&ts);
    *seconds = ts.tv_sec;
}

static bool is_stat(int command, int by_index, int of_any)
{
    return command == IPC_STAT || command == by_index || command == of_any;
}

/* msgctl, semctl, shmctl. The kernel has just written there, so we may. */
long call_ipc_control(struct trap *trap)
{
    const int command = (int)trap->args[trap->nr == SYS_semctl ? 2 : 1];
    const long address = trap->args[trap->nr == SYS_semctl ? 3 : 2];
    long rc = trap_pass(trap);

    if (rc < 0)
        return rc;
    if (trap->nr == SYS_msgctl && is_stat(command, MSG_STAT, MSG_STAT_OF_ANY)) {
        struct msqid_ds *queue = (struct msqid_ds *)address;
        show(&queue->msg_stime);
        show(&queue->msg_rtime);
        show(&queue->msg_ctime);
    } else if (trap->nr == SYS_semctl && is_stat(command, SEM_STAT, SEM_STAT_OF_ANY)) {
        struct semid_ds *semaphores = (struct semid_ds *)address;
        show(&semaphores->sem_otime);
        show(&semaphores->sem_ctime);
    } else if (trap->nr == SYS_shmctl && is_stat(command, SHM_STAT, SHM_STAT_OF_ANY)) {
        struct shmid_ds *memory = (struct shmid_ds *)address;
        show(&memory->shm_atime);
        show(&memory->shm_dtime);
        show(&memory->shm_ctime);
    }
    return rc;
}
