/* SPDX-License-Identifier: MIT */
/*
 * failed_exit: linked into the helper programs of the tests. One that fails (exit 1), is called
 * wrongly (2) or cannot run here (77) has said so, and whoever runs it looks at its status: what it
 * still holds, and the threads it still has, are no findings, and a sanitizer's report of them must
 * not take the place of the status. Any other way out is searched for leaks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Runs before the sanitizer's own handler, which was there before any constructor. */
static void leave(int status, void *unused)
{
    (void)unused;
    if (status != 1 && status != 2 && status != 77)
        return;
    fflush(NULL);
    _exit(status);
}

__attribute__((constructor)) static void be_last_to_leave(void)
{
    (void)on_exit(leave, NULL);
}
