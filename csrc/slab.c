/* slab: small blocks, many and short-lived: array headers with their data, and what the embedding program adds.
 *
 * A slab is one aligned stretch of memory cut into blocks of one size, so that a block's slab is found by masking its
 * address. A slab without live blocks is its size's last, or becomes a spare one for any size, or goes back to the
 * system where there are spares enough. From a size's second slab on huge pages are asked for: a graph of a million
 * nodes would otherwise spend more time on page faults than on being recorded.
 *
 * Note [Runs of blocks]
 * A graph is walked about as it was recorded, and memory answers fastest in the order of addresses. A list of the
 * blocks that were given back, newest first, would keep a small loop in the first-level cache, but it mixes the order
 * of large graphs a little more at every step. So the list is one of runs, 64 blocks each, and within a run the lowest
 * free block comes first.
 */
#if defined(__linux__) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, madvise */
#endif
#include "walk.h"

#include <stdlib.h>
#if defined(_MSC_VER)
#include <intrin.h>
#endif
#if defined(_WIN32)
#include <malloc.h>
#else
#include <sys/mman.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define PASS_THROUGH 1 /* the sanitizer sees every block */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PASS_THROUGH 1
#endif
#endif

#ifdef PASS_THROUGH

void *fg_small_alloc(size_t bytes) { return fg_mem_alloc(bytes); }
void fg_small_free(void *block) { fg_mem_free(block); }

#else

enum { GRAIN = 16, SIZES = FG_SMALL / GRAIN };
#define SLAB_BYTES ((size_t)1 << 21) /* a huge page of x86-64 and of most arm64 systems */

enum { RUN = 64 };

typedef struct run {
    uint64_t free; /* bit k: block k */
    char *blocks;
    struct run *next; /* among the slab's runs with free blocks, while this has any */
} run;

typedef struct slab {
    struct slab *next, *previous; /* among the slabs of this size that have room */
    char *blocks, *end;
    run *with_room, *fresh; /* `fresh`: the first run that was never used */
    uint32_t live;
    uint32_t size;       /* index: blocks have (size + 1) * GRAIN bytes */
    uint32_t reciprocal; /* 2^32 over the bytes of a block, rounded up: times an offset, 2^32 times a block's number */
    bool listed;
    run runs[];
} slab;

enum { MOST_SPARES = 16 }; /* 32 MB: what a loop that makes a graph and drops it would fault in again each time */
static slab *spares[MOST_SPARES];
static int spare_count;
static slab *with_room[SIZES];
static uint32_t slabs[SIZES]; /* how many there are of each size */

static unsigned lowest(uint64_t bits) {
#if defined(_MSC_VER) && !defined(__clang__)
    unsigned long place;
    _BitScanForward64(&place, bits);
    return place;
#else
    return (unsigned)__builtin_ctzll(bits);
#endif
}

static void *map_slab(bool huge) {
#if defined(_WIN32)
    (void)huge;
    return _aligned_malloc(SLAB_BYTES, SLAB_BYTES);
#else
    char *area = mmap(NULL, 2 * SLAB_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) return NULL;
    const size_t before = -(uintptr_t)area & (SLAB_BYTES - 1), after = SLAB_BYTES - before;
    if (before) munmap(area, before);
    if (after) munmap(area + before + SLAB_BYTES, after);
#if defined(MADV_HUGEPAGE)
    if (huge) (void)madvise(area + before, SLAB_BYTES, MADV_HUGEPAGE); /* only advice */
#else
    (void)huge;
#endif
    return area + before;
#endif
}

static void unmap_slab(slab *s) {
#if defined(_WIN32)
    _aligned_free(s);
#else
    munmap(s, SLAB_BYTES);
#endif
}

static void enlist(slab *s) {
    s->previous = NULL;
    s->next = with_room[s->size];
    if (s->next) s->next->previous = s;
    with_room[s->size] = s;
    s->listed = true;
}

static void delist(slab *s) {
    if (s->previous) {
        s->previous->next = s->next;
    } else {
        with_room[s->size] = s->next;
    }
    if (s->next) s->next->previous = s->previous;
    s->listed = false;
}

/* The blocks that there is room for before `end` in the next run, or none. */
static bool open_run(slab *s) {
    const size_t step = ((size_t)s->size + 1) * GRAIN, room = (size_t)(s->end - s->blocks) / step;
    const size_t used = (size_t)(s->fresh - s->runs) * RUN;
    if (used >= room) return false;
    run *r = s->with_room = s->fresh++;
    r->free = room - used < RUN ? ((uint64_t)1 << (room - used)) - 1 : ~(uint64_t)0;
    r->blocks = s->blocks + used * step;
    r->next = NULL;
    return true;
}

static slab *new_slab(uint32_t size) {
    slab *s = spare_count ? spares[--spare_count] : map_slab(slabs[size] > 0);
    if (!s) return NULL;
    const size_t step = ((size_t)size + 1) * GRAIN, runs = SLAB_BYTES / (step * RUN) + 1;
    s->blocks = (char *)s + ((sizeof *s + runs * sizeof(run) + FG_LINE - 1) & ~(size_t)(FG_LINE - 1));
    s->end = (char *)s + SLAB_BYTES;
    s->fresh = s->runs;
    s->live = 0;
    s->size = size;
    s->reciprocal = (uint32_t)(((uint64_t)1 << 32) / step + 1);
    slabs[size]++;
    open_run(s);
    enlist(s);
    return s;
}

void *fg_small_alloc(size_t bytes) {
    if (fg_mem_fails()) return NULL;
    const uint32_t size = bytes ? (uint32_t)((bytes - 1) / GRAIN) : 0;
    const size_t step = ((size_t)size + 1) * GRAIN;
    slab *s = with_room[size];
    if (!s && !(s = new_slab(size))) return NULL;
    run *r = s->with_room;
    char *block = r->blocks + (size_t)lowest(r->free) * step;
    s->live++;
    r->free &= r->free - 1;
    if (!r->free) {
        s->with_room = r->next;
        if (!s->with_room && !open_run(s)) delist(s);
    }
    for (size_t at = 0; at < step; at += FG_LINE) fg_prefetch(block + step + at);
    return block;
}

void fg_small_free(void *block) {
    if (!block) return;
    slab *s = (slab *)((uintptr_t)block & ~(uintptr_t)(SLAB_BYTES - 1));
    const uint32_t number = (uint32_t)((uint64_t)((char *)block - s->blocks) * s->reciprocal >> 32);
    run *r = &s->runs[number / RUN];
    if (!r->free) {
        r->next = s->with_room;
        s->with_room = r;
        if (!s->listed) enlist(s);
    }
    r->free |= (uint64_t)1 << number % RUN;
    if (--s->live == 0 && slabs[s->size] > 1) {
        delist(s);
        slabs[s->size]--;
        if (spare_count < MOST_SPARES)
            spares[spare_count++] = s;
        else
            unmap_slab(s);
    }
}

#endif
