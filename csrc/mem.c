/* mem: where all memory of the core comes from. */
#include "fg.h"

#include <stdlib.h>

static long allocations_left = -1; /* before the injected failure; negative: there is none */

bool fg_mem_fails(void) { return allocations_left >= 0 && allocations_left-- == 0; }

void *fg_mem_alloc(size_t bytes) {
    if (fg_mem_fails()) return NULL;
    return malloc(bytes ? bytes : 1);
}

void fg_mem_free(void *block) { free(block); }

void fg_mem_fail_after(long n) { allocations_left = n; }
