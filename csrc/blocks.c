/* blocks: large blocks, kept for a while when they are given back.
 *
 * The system hands out fresh pages, and the first touch of each costs more than an addition of what it holds. So a
 * block that is given back stays with us for the next array of its size; what is kept never takes the whole beyond
 * what was in use at once before, and is at most KEPT_BYTES.
 */
#if defined(__linux__) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE /* madvise */
#endif
#include "fg.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif
#if !defined(_WIN32)
#include <pthread.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define KEPT_BYTES 0 /* the sanitizer sees every block */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEPT_BYTES 0
#endif
#endif
#ifndef KEPT_BYTES
#define KEPT_BYTES ((size_t)256 << 20)
#endif
static const size_t keeps = KEPT_BYTES;

enum {
    LINE = 64,
    STEPS = 8,                 /* block sizes between one power of two and the next */
    FIRST_POWER = 15,          /* the smallest blocks have 2^15 bytes */
    CLASSES = 40 * STEPS,      /* up to 2^55 bytes */
    HUGE_PAGE_BYTES = 1 << 22, /* where NumPy asks for huge pages */
};

/* Lies before a block's data, which starts at the next line. */
typedef struct block {
    struct block *next, *previous; /* of its size, among those that are kept: the newest first */
    struct block *younger, *elder; /* among all that are kept */
    void *area;                    /* what malloc gave */
    size_t bytes;                  /* of data */
    uint32_t class;
} block;

static block *kept[CLASSES], *youngest, *eldest;
static size_t kept_bytes, live_bytes, most_bytes; /* most: live at once, ever */
static atomic_flag busy = ATOMIC_FLAG_INIT;

static void lock(void) {
    while (atomic_flag_test_and_set_explicit(&busy, memory_order_acquire)) {
    }
}
static void unlock(void) { atomic_flag_clear_explicit(&busy, memory_order_release); }

/* With the lock: a fork waits for it, so that the child does not find it held by a thread that it does not have. */
static void survive_forks(void) {
#if !defined(_WIN32)
    static bool told = false;
    if (!told) told = pthread_atfork(lock, unlock, unlock) == 0;
#endif
}

/* The size class of `bytes`, and the bytes its blocks have. */
static uint32_t class_of(size_t bytes, size_t *rounded) {
    int power = FIRST_POWER;
    if (bytes < (size_t)1 << FIRST_POWER) bytes = (size_t)1 << FIRST_POWER;
    while (bytes >> (power + 1)) power++;
    const size_t step = (size_t)1 << (power - 3), over = bytes - ((size_t)1 << power);
    const size_t steps = (over + step - 1) / step;
    *rounded = ((size_t)1 << power) + steps * step;
    return (uint32_t)((size_t)(power - FIRST_POWER) * STEPS + steps);
}

static void enlist(block *b) {
    b->previous = NULL;
    b->next = kept[b->class];
    if (b->next) b->next->previous = b;
    kept[b->class] = b;
    b->elder = youngest;
    b->younger = NULL;
    *(youngest ? &youngest->younger : &eldest) = b;
    youngest = b;
    kept_bytes += b->bytes;
}

static void delist(block *b) {
    *(b->previous ? &b->previous->next : &kept[b->class]) = b->next;
    if (b->next) b->next->previous = b->previous;
    *(b->younger ? &b->younger->elder : &youngest) = b->elder;
    *(b->elder ? &b->elder->younger : &eldest) = b->younger;
    kept_bytes -= b->bytes;
}

/* Take the eldest out until no more than `allowed` bytes are kept. The caller frees them, linked by `next`. */
static block *retire(size_t allowed) {
    block *retired = NULL;
    while (kept_bytes > allowed) {
        block *b = eldest;
        delist(b);
        b->next = retired;
        retired = b;
    }
    return retired;
}

static void free_all(block *b) {
    while (b) {
        block *next = b->next;
        free(b->area);
        b = next;
    }
}

static void advise_huge_pages(char *data, size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (bytes >= HUGE_PAGE_BYTES) {
        const size_t skip = 4096 - (uintptr_t)data % 4096;
        (void)madvise(data + skip, bytes - skip, MADV_HUGEPAGE); /* only advice: older kernels refuse it */
    }
#else
    (void)data, (void)bytes;
#endif
}

static block *new_block(size_t bytes, uint32_t class) {
    char *area = malloc(bytes + 3 * LINE);
    if (!area) return NULL;
    char *data = area + 2 * LINE;
    data += -(uintptr_t)data & (LINE - 1);
    block *b = (block *)(void *)(data - 2 * LINE);
    b->area = area;
    b->bytes = bytes;
    b->class = class;
    advise_huge_pages(data, bytes);
    return b;
}

static block *block_of(void *data) { return (block *)(void *)((char *)data - 2 * LINE); }

void *fg_block_alloc(size_t bytes) {
    size_t rounded;
    if (fg_mem_fails() || bytes > (size_t)INTPTR_MAX / 2) return NULL;
    const uint32_t class = class_of(bytes, &rounded);
    block *retired = NULL;
    lock();
    survive_forks();
    block *b = kept[class];
    live_bytes += rounded;
    if (live_bytes > most_bytes) most_bytes = live_bytes;
    if (b) {
        delist(b);
    } else {
        retired = retire(most_bytes - live_bytes);
    }
    unlock();
    free_all(retired);
    if (!b && !(b = new_block(rounded, class))) {
        fg_blocks_release();
        b = new_block(rounded, class);
    }
    if (b) return (char *)b + 2 * LINE;
    lock();
    live_bytes -= rounded;
    unlock();
    return NULL;
}

void fg_block_free(void *data) {
    if (!data) return;
    block *b = block_of(data);
    lock();
    live_bytes -= b->bytes;
    block *retired = retire(keeps > b->bytes ? keeps - b->bytes : kept_bytes);
    if (b->bytes > keeps) {
        b->next = retired;
        retired = b;
    } else {
        enlist(b);
    }
    unlock();
    free_all(retired);
}

size_t fg_block_bytes(void *data) { return block_of(data)->bytes; }

void fg_blocks_release(void) {
    lock();
    block *retired = retire(0);
    unlock();
    free_all(retired);
}
