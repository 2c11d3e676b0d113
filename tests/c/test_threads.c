/* The pool of threads: every element once, whatever the counts; nested calls; forks. */
#include "check.h"
#include "threads.h"

#include <stdatomic.h>
#if !defined(_WIN32)
#include <sys/wait.h>
#include <unistd.h>
#endif

static unsigned char touched[70000];
static atomic_int calls;

static void touch(void *context, intptr_t first, intptr_t last) {
    (void)context;
    calls++;
    for (intptr_t i = first; i < last; i++) touched[i]++;
}

static bool once_each(intptr_t n) {
    for (intptr_t i = 0; i < n; i++) {
        if (touched[i] != 1) return false;
        touched[i] = 0;
    }
    return touched[n] == 0;
}

static void every_element_is_worked_on_once(void) {
    for (int threads = 1; threads < 7; threads++) {
        fg_threads_set(threads);
        for (int round = 0; round < 2000; round++) {
            const intptr_t n = random_below(round % 50 ? 500 : 60000), grain = 1 + random_below(40);
            calls = 0;
            fg_parallel(touch, NULL, n, grain);
            CHECK(once_each(n));
            CHECK(calls >= (n > 0) && calls <= 1 + n / grain);
            if (threads == 1 || n < 2 * grain) CHECK(calls == (n > 0));
        }
    }
}

static void cuts(void *context, intptr_t first, intptr_t last) {
    const intptr_t *wanted = context; /* grain, n */
    CHECK(first % wanted[0] == 0 && (last % wanted[0] == 0 || last == wanted[1]));
}

static void cuts_are_multiples_of_the_grain(void) {
    fg_threads_set(3);
    for (int round = 0; round < 500; round++) {
        intptr_t wanted[2] = {1 + random_below(300), random_below(50000)};
        fg_parallel(cuts, wanted, wanted[1], wanted[0]);
    }
}

static void nest(void *context, intptr_t first, intptr_t last) {
    (void)context;
    for (intptr_t i = first; i < last; i++) {
        intptr_t part = i * 100;
        intptr_t wanted[2] = {7, 100};
        fg_parallel(cuts, wanted, 100, 7);
        touch(NULL, part, part + 100);
    }
}

static void a_worker_may_ask_for_workers(void) {
    fg_threads_set(4);
    fg_parallel(nest, NULL, 300, 1);
    CHECK(once_each(30000));
}

static void any_count_is_taken(void) {
    fg_threads_set(-3);
    CHECK(fg_threads_get() == 1);
    fg_threads_set(1000);
    CHECK(fg_threads_get() == FG_MAXTHREADS);
    fg_threads_set(2);
    CHECK(fg_threads_get() == 2);
}

static void the_child_of_a_fork_starts_its_own(void) {
#if !defined(_WIN32)
    fg_threads_set(3);
    for (int i = 0; i < 10; i++) {
        fg_parallel(touch, NULL, 60000, 10);
        CHECK(once_each(60000));
        fflush(stdout);
        const pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            for (int k = 0; k < 50; k++) {
                fg_parallel(touch, NULL, 60000, 10);
                if (!once_each(60000)) _exit(1);
            }
            _exit(0);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    }
#endif
}

int main(void) {
    RUN(every_element_is_worked_on_once);
    RUN(cuts_are_multiples_of_the_grain);
    RUN(a_worker_may_ask_for_workers);
    RUN(any_count_is_taken);
    RUN(the_child_of_a_fork_starts_its_own);
    return 0;
}
