/* What a process of somebody else costs, from /proc. */
#ifndef TESTS_LOAD_LOAD_PROC_H
#define TESTS_LOAD_LOAD_PROC_H

#include <sys/types.h>

#include "core/err.h"

/* Time on the CPU of all threads, nanoseconds; 0 when there is no such process. */
uint64_t proc_cpu_ns(pid_t pid);
/* Proportional set size, kilobytes. */
uint64_t proc_pss_kb(pid_t pid);

#endif
