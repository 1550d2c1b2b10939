/* SPDX-License-Identifier: MIT */
/*
 * back_classes: where a class of back ends is registered: the table of all that Dom0 has.
 */
#ifndef SPLITDOM_SERVICE_DOM0_BACK_CLASSES_H
#define SPLITDOM_SERVICE_DOM0_BACK_CLASSES_H

#include "service/back/back_class.h"

/* The last one is NULL. */
extern const struct back_class *const back_classes[];

#endif
