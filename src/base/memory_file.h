/* SPDX-License-Identifier: MIT */
/*
 * memory_file: a file in memory that has no name and nobody can execute (memfd_create(2)).
 *
 * A seal is a guarantee of the kernel to all who hold the descriptor. A file that can neither grow
 * nor shrink (F_SEAL_GROW, F_SEAL_SHRINK) never loses a page that is mapped: so a peer that shares
 * the file cannot cause a SIGBUS.
 */
#ifndef SPLITDOM_BASE_MEMORY_FILE_H
#define SPLITDOM_BASE_MEMORY_FILE_H

/*
 * Makes an empty file that can be sealed; for its owner alone (mode 0600), closed on exec. name is
 * for people who look into /proc. Returns the descriptor. Errors: -ENOSYS, -EPERM the system has no
 * memfd_create or forbids it; -EMFILE, -ENFILE, -ENOMEM.
 */
int memory_file_create(const char *name);

/* Adds seals (F_SEAL_*). Errors: -EPERM the file has F_SEAL_SEAL; -EBUSY; -EINVAL the system
 * does not know a seal, or fd is no such file; -EBADF. */
int memory_file_seal(int fd, int seals);

/*
 * Is fd a file in memory of ordinary pages that has all of these seals? Uses fd for nothing else,
 * so it is safe on a descriptor that a peer sent. Returns 0; -EBADFD it is not; -EBADF.
 */
int memory_file_check(int fd, int seals);

#endif
