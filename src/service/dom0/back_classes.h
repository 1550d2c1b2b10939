/* SPDX-License-Identifier: MIT */
/*
 * back_classes: the classes of devices that Dom0 has back ends for. A new class is registered here,
 * and nowhere else.
 */
#ifndef SPLITDOM_SERVICE_DOM0_BACK_CLASSES_H
#define SPLITDOM_SERVICE_DOM0_BACK_CLASSES_H

#include "service/back/back_class.h"

/* The last one is NULL. */
extern const struct back_class *const back_classes[];

#endif
