/* threads: a pool of workers that wait for a range to share out, spinning for a moment before they sleep.
 *
 * Note [Tickets]
 * A job's ranges are handed out by one 64-bit ticket: the job's number above, how many ranges are left below. A worker
 * takes a range by counting the ticket down, which fails where the job is another by now: a worker that wakes too late
 * finds nothing to take and never looks at the job. The caller returns when every range is done.
 *
 * Note [Apart]
 * Linux may wake a worker on the very core of the thread that wakes it though another one is idle: in a virtual machine
 * an idle core looks as if the host had taken it. The two would take turns there for many milliseconds, and nothing
 * would be gained by threads. So a worker that meets the caller on its core leaves it, and does not come back until it
 * has met the caller elsewhere. It stays within the cores that the process's first thread may use.
 */
#if !defined(_WIN32) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* pthread_sigmask, sched_yield, sched_getcpu */
#endif
#include "threads.h"

#include <stdatomic.h>
#include <stdbool.h>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <process.h>
#include <windows.h>
#else
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>
#endif

enum {
    PAUSES = 64,     /* between two offers of the core to whoever else wants it */
    SPINS = 100,     /* so many rounds a worker waits before it sleeps, some 150 us: waking one takes 20 to 40 */
    RANGES_EACH = 4, /* ranges for each thread: who is slowed down takes fewer */
};

/* ---------------------------------------------------------------- the system's -- */

#if defined(_WIN32)
static SRWLOCK lock = SRWLOCK_INIT;
static CONDITION_VARIABLE wake = CONDITION_VARIABLE_INIT;
static void acquire(void) { AcquireSRWLockExclusive(&lock); }
static void release(void) { ReleaseSRWLockExclusive(&lock); }
static void wait_for_wake(void) { SleepConditionVariableSRW(&wake, &lock, INFINITE, 0); }
static void wake_all(void) { WakeAllConditionVariable(&wake); }
static void give_way(void) { SwitchToThread(); }
#else
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static void acquire(void) { pthread_mutex_lock(&lock); }
static void release(void) { pthread_mutex_unlock(&lock); }
static void wait_for_wake(void) { pthread_cond_wait(&wake, &lock); }
static void wake_all(void) { pthread_cond_broadcast(&wake); }
static void give_way(void) { sched_yield(); }
#endif

static inline void pause_briefly(void) {
#if defined(_MSC_VER)
    YieldProcessor();
#elif defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* See Note [Apart]: the core on which a thread runs, and a worker's flight from one. */
#if defined(__linux__)
static int own_core(void) { return sched_getcpu(); }

static void leave(int core) {
    cpu_set_t others;
    if (core < 0 || core >= CPU_SETSIZE || sched_getaffinity(getpid(), sizeof others, &others)) return;
    CPU_CLR(core, &others);
    if (CPU_COUNT(&others)) sched_setaffinity(0, sizeof others, &others);
}
#else
static int own_core(void) { return -1; }
static void leave(int core) { (void)core; }
#endif

/* ---------------------------------------------------------------- the pool -- */

typedef struct job {
    fg_work work;
    void *context;
    intptr_t n, range; /* elements in all, and of one range */
    uint32_t count;    /* ranges */
} job;

static job current;
static _Atomic uint64_t ticket;              /* see Note [Tickets] */
static _Atomic uint32_t undone;              /* ranges not finished yet */
static _Atomic int sleeping;                 /* workers that want a wake_all */
static _Atomic int callers_core = -1;        /* where the thread runs whose job is current; -1: unknown */
static _Atomic int wanted = 1;               /* threads to use */
static int started = 0;                      /* workers there are */
static atomic_flag taken = ATOMIC_FLAG_INIT; /* by the thread whose job is current */

int fg_threads_get(void) { return wanted; }

void fg_threads_set(int count) { wanted = count < 1 ? 1 : count > FG_MAXTHREADS ? FG_MAXTHREADS : count; }

static uint32_t number_of(uint64_t a_ticket) { return (uint32_t)(a_ticket >> 32); }

/* Do ranges of job `number` until there is none left. */
static void take_ranges(uint32_t number) {
    uint64_t seen = atomic_load(&ticket);
    while (number_of(seen) == number && (uint32_t)seen) {
        if (!atomic_compare_exchange_weak(&ticket, &seen, seen - 1)) continue;
        const intptr_t first = (intptr_t)(current.count - (uint32_t)seen) * current.range, rest = current.n - first;
        current.work(current.context, first, first + (rest < current.range ? rest : current.range));
        atomic_fetch_sub(&undone, 1);
        seen = atomic_load(&ticket);
    }
}

/* The number of the next job after job `done`. */
static uint32_t next_job(uint32_t done) {
    uint32_t number;
    for (int i = 0; i < SPINS; i++) {
        for (int k = 0; k < PAUSES; k++) {
            if ((number = number_of(atomic_load(&ticket))) != done) return number;
            pause_briefly();
        }
        give_way();
    }
    acquire();
    atomic_fetch_add(&sleeping, 1);
    while ((number = number_of(atomic_load(&ticket))) == done) wait_for_wake();
    atomic_fetch_sub(&sleeping, 1);
    release();
    return number;
}

/* Worker `index` does its share for ever, where that many threads are wanted. */
static void work_forever(int index) {
    uint32_t number = number_of(atomic_load(&ticket)) - 1; /* it was started for the job that is under way */
    for (;;) {
        number = next_job(number);
        if (index >= wanted - 1) continue;
        const int core = own_core();
        if (core >= 0 && core == atomic_load(&callers_core)) leave(core);
        take_ranges(number);
    }
}

#if defined(_WIN32)
static unsigned __stdcall worker(void *index) {
    work_forever((int)(intptr_t)index);
    return 0;
}

static bool start_worker(int index) {
    const uintptr_t thread = _beginthreadex(NULL, 0, worker, (void *)(intptr_t)index, 0, NULL);
    if (thread) CloseHandle((HANDLE)thread);
    return thread != 0;
}

static void survive_forks(void) {}
#else
static void *worker(void *index) {
    work_forever((int)(intptr_t)index);
    return NULL;
}

/* Signals stay with the threads that know what to do about them. */
static bool start_worker(int index) {
    sigset_t all, before;
    pthread_t thread;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before)) return false;
    const bool ok = pthread_create(&thread, NULL, worker, (void *)(intptr_t)index) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (ok) pthread_detach(thread);
    return ok;
}

/* The child of a fork has no workers, whatever they were doing, and no job that another thread waited for. */
static void forget_workers(void) {
    static const pthread_mutex_t new_lock = PTHREAD_MUTEX_INITIALIZER;
    static const pthread_cond_t new_wake = PTHREAD_COND_INITIALIZER;
    lock = new_lock;
    wake = new_wake;
    started = 0;
    atomic_store(&ticket, (uint64_t)number_of(atomic_load(&ticket)) << 32);
    atomic_store(&sleeping, 0);
    atomic_store(&undone, 0);
    atomic_flag_clear(&taken);
}

static void survive_forks(void) {
    static bool told = false;
    if (!told) told = pthread_atfork(NULL, NULL, forget_workers) == 0;
}
#endif

/* Have at least the workers that are wanted, as far as the system gives them. */
static void start_workers(void) {
    if (started >= wanted - 1) return;
    survive_forks();
    while (started < wanted - 1 && start_worker(started)) started++;
}

static void run_job(fg_work work, void *context, intptr_t n, intptr_t range) {
    const uint32_t number = number_of(atomic_load(&ticket)) + 1, count = (uint32_t)((n + range - 1) / range);
    current = (job){work, context, n, range, count};
    atomic_store(&undone, count);
    atomic_store_explicit(&callers_core, own_core(), memory_order_relaxed);
    atomic_store(&ticket, (uint64_t)number << 32 | count);
    if (atomic_load(&sleeping)) {
        acquire();
        wake_all();
        release();
    }
    take_ranges(number);
    for (int i = 1; atomic_load_explicit(&undone, memory_order_acquire); i++) {
        if (i % (16 * PAUSES)) {
            pause_briefly();
        } else {
            give_way();
        }
    }
}

void fg_parallel(fg_work work, void *context, intptr_t n, intptr_t grain) {
    const int threads = wanted;
    if (n < 2 * grain || threads < 2 || atomic_flag_test_and_set(&taken)) {
        if (n > 0) work(context, 0, n);
        return;
    }
    start_workers();
    intptr_t range = n / (RANGES_EACH * (intptr_t)threads);
    if (range < grain) range = grain;
    range -= range % grain;
    if (n / range > UINT32_MAX - 1) range = n; /* cannot be counted */
    run_job(work, context, n, range);
    atomic_flag_clear(&taken);
}
