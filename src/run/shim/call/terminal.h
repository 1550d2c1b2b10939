/* SPDX-License-Identifier: MIT */
/* terminal: which programs have their reads caught, for VTIME (terminal.c). */
#ifndef SPLITDOM_RUN_SHIM_CALL_TERMINAL_H
#define SPLITDOM_RUN_SHIM_CALL_TERMINAL_H

/* A terminal's settings were changed by this process. */
void terminal_was_set(long fd);

/* From the moment on at which a program of the domain has set a VTIME, all of them have. */
void terminal_catch(void);

#endif
