/* threads.h: the worker threads that large arrays are shared out to. Private to csrc and to the embedding program.
 *
 * One small pool, started at its first use. Workers know nothing of Python, arrays' counts or the small allocator. */
#ifndef FG_THREADS_H
#define FG_THREADS_H

#include <stdint.h>

#define FG_MAXTHREADS 64
/* Elements below which no work is shared out: waking a worker would cost more than it does. */
#define FG_GRAIN 16384

/* How many threads work on one array, the calling one included. Any number will do: it is taken to be 1 to
 * FG_MAXTHREADS. */
void fg_threads_set(int count);
int fg_threads_get(void);

typedef void (*fg_work)(void *context, intptr_t first, intptr_t last);

/* Cover [0, n) by disjoint ranges, each by one call of work(context, first, last), on as many threads as there are and
 * are worth it; cuts are multiples of `grain`, and below 2 * grain it is one call on this thread. What is called must
 * not ask for Python's lock. From within a worker, or while another thread has the workers, it is one call too. */
void fg_parallel(fg_work work, void *context, intptr_t n, intptr_t grain);

#endif
