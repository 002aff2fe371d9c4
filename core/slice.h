/*
 * Short slices of CPU time (Linux 6.12 and later; nothing happens on others). A thread that wakes up waits until the
 * slice of the one that is running has ended, milliseconds, even where its own priority is much higher; unless its own
 * slices are shorter: then it has the processor at once. It costs nothing where nobody else wants the processor, and
 * takes no right to it that others would not have.
 */
#ifndef CORE_SLICE_H
#define CORE_SLICE_H

#include <stdbool.h>

/* For the calling thread, and those that it makes later. False: not to be had. */
bool slice_short(void);

#endif
