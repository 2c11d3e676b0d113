/* kernels.h: what the files of inner loops share. */
#ifndef FG_KERNELS_H
#define FG_KERNELS_H

#include "fg.h"

/* A loop compiled for several processors, of which the one at hand is picked when the program starts. The bits are the
 * same in each: contraction is off, and nothing is reordered. The linker does the picking, by glibc's means; sanitizers
 * are not up yet when it does. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define FG_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#define FG_TWO_CLONES __attribute__((target_clones("avx2", "default"))) /* of what waits for memory */
#else
#define FG_CLONES
#define FG_TWO_CLONES
#endif

/* Before a loop: what it writes it reads in no other iteration (it may in the same: loops work exactly in place). */
#if defined(__clang__)
#define FG_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define FG_INDEPENDENT _Pragma("GCC ivdep")
#elif defined(_MSC_VER)
#define FG_INDEPENDENT __pragma(loop(ivdep))
#else
#define FG_INDEPENDENT
#endif

#if defined(_MSC_VER) && !defined(__clang__)
#define FG_INLINE __forceinline
#else
#define FG_INLINE inline __attribute__((always_inline))
#endif

/* Of a function whose code is larger than what a call costs is worth. */
#if defined(_MSC_VER) && !defined(__clang__)
#define FG_APART __declspec(noinline)
#else
#define FG_APART __attribute__((noinline))
#endif

/* The loop of curves.c with that name; {NULL} if there is none. */
fg_loop fg_curve_find(const char *name, int dtype);

#endif
