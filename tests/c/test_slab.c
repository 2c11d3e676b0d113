/* Small blocks: what lives is never mixed up, and large numbers of them lie in order however they were given back. */
#include "check.h"

#if defined(__SANITIZE_ADDRESS__)
enum { OWN = 0 }; /* the sanitizer's allocator takes the place of ours */
#else
enum { OWN = 1 };
#endif

enum { MANY = 60000 };
static unsigned char *blocks[MANY];

static void give_back_in_any_order(int count) {
    for (int left = count; left; left--) {
        const int i = random_below(left);
        fg_small_free(blocks[i]);
        blocks[i] = blocks[left - 1];
    }
}

static void what_lives_is_never_mixed_up(void) {
    static size_t sizes[MANY];
    for (int i = 0; i < MANY; i++) blocks[i] = NULL;
    for (int round = 0; round < 600000; round++) {
        const int i = random_below(MANY);
        if (blocks[i]) {
            for (size_t k = 0; k < sizes[i]; k += 7) CHECK(blocks[i][k] == (unsigned char)i);
            fg_small_free(blocks[i]);
            blocks[i] = NULL;
            if (random_below(2)) continue;
        }
        sizes[i] = (size_t)random_below(FG_SMALL) + 1;
        blocks[i] = fg_small_alloc(sizes[i]);
        CHECK(blocks[i] && (uintptr_t)blocks[i] % 16 == 0);
        memset(blocks[i], i, sizes[i]);
    }
    for (int i = 0; i < MANY; i++) fg_small_free(blocks[i]);
    fg_small_free(NULL);
}

/* Every size, more than a slab of each: the last block of a slab and the first of the next are blocks like any. */
static void slabs_are_filled_and_emptied(void) {
    for (size_t bytes = 0; bytes <= FG_SMALL; bytes += 16) {
        const int count = bytes < 96 ? MANY : (int)((5 << 20) / bytes);
        for (int round = 0; round < 2; round++) {
            for (int i = 0; i < count; i++) {
                CHECK((blocks[i] = fg_small_alloc(bytes)));
                memset(blocks[i], i, bytes);
            }
            for (int i = 0; i < count; i++) {
                if (bytes) CHECK(blocks[i][0] == (unsigned char)i && blocks[i][bytes - 1] == (unsigned char)i);
            }
            give_back_in_any_order(count);
        }
    }
}

static void a_block_given_back_is_the_next_of_its_size(void) {
    void *kept = fg_small_alloc(200), *first = fg_small_alloc(200);
    fg_small_free(first);
    void *second = fg_small_alloc(193);
    if (OWN) CHECK(second == first);
    fg_small_free(second);
    fg_small_free(kept);
}

static void order_outlives_a_disorder(void) {
    void *kept[400];
    int up = 0;
    for (int i = 0; i < 400; i++) {
        kept[i] = fg_small_alloc(256); /* in between, so that no slab is ever empty */
        for (int k = 0; k < 100; k++) blocks[100 * i + k] = fg_small_alloc(256);
    }
    give_back_in_any_order(40000);
    for (int i = 0; i < 40000; i++) {
        blocks[i] = fg_small_alloc(256);
        if (i) up += blocks[i] > blocks[i - 1] && blocks[i] <= blocks[i - 1] + 512;
    }
    if (OWN) CHECK(up > 39000);
    give_back_in_any_order(40000);
    for (int i = 0; i < 400; i++) fg_small_free(kept[i]);
}

static void a_failed_allocation_is_told(void) {
    fg_mem_fail_after(0);
    CHECK(!fg_small_alloc(100));
    void *block = fg_small_alloc(100);
    CHECK(block);
    fg_small_free(block);
}

int main(void) {
    RUN(what_lives_is_never_mixed_up);
    RUN(slabs_are_filled_and_emptied);
    RUN(a_block_given_back_is_the_next_of_its_size);
    RUN(order_outlives_a_disorder);
    RUN(a_failed_allocation_is_told);
    return 0;
}
