/* SPDX-License-Identifier: MIT */
#include "run/shim/core/process.h"

struct process process;
