/* Large blocks: room, alignment, reuse, and how much is kept. */
#include "check.h"

#if defined(__SANITIZE_ADDRESS__)
enum { KEEPS = 0 };
#else
enum { KEEPS = 1 };
#endif

static void blocks_have_room_and_begin_at_a_line(void) {
    for (int round = 0; round < 3000; round++) {
        const size_t bytes = (size_t)random_below(round % 10 ? 200000 : 5000000);
        char *block = fg_block_alloc(bytes);
        CHECK(block && (uintptr_t)block % 64 == 0);
        CHECK(fg_block_bytes(block) >= bytes && (bytes < FG_LARGE || fg_block_bytes(block) <= bytes + bytes / 8));
        memset(block, round, bytes);
        fg_block_free(block);
    }
    fg_block_free(NULL);
}

static void a_block_given_back_is_the_next_of_its_size(void) {
    char *first = fg_block_alloc(100000), *second = fg_block_alloc(100000);
    CHECK(first != second);
    fg_block_free(first);
    char *third = fg_block_alloc(99000);
    if (KEEPS) CHECK(third == first);
    fg_block_free(second);
    fg_block_free(third);
    fg_blocks_release();
}

static void what_lives_is_never_mixed_up(void) {
    enum { COUNT = 60 };
    unsigned char *blocks[COUNT] = {NULL};
    size_t sizes[COUNT];
    for (int round = 0; round < 4000; round++) {
        const int i = random_below(COUNT);
        if (blocks[i]) {
            for (size_t k = 0; k < sizes[i]; k += 997) CHECK(blocks[i][k] == (unsigned char)i);
            fg_block_free(blocks[i]);
        }
        sizes[i] = (size_t)random_below(300000) + 1;
        blocks[i] = fg_block_alloc(sizes[i]);
        CHECK(blocks[i]);
        memset(blocks[i], i, sizes[i]);
    }
    for (int i = 0; i < COUNT; i++) fg_block_free(blocks[i]);
    fg_blocks_release();
}

static void failures_are_told(void) {
    CHECK(fg_block_alloc(SIZE_MAX) == NULL);
    CHECK(fg_block_alloc((size_t)INTPTR_MAX) == NULL);
    fg_mem_fail_after(0);
    CHECK(fg_block_alloc(100000) == NULL);
    char *block = fg_block_alloc(100000);
    CHECK(block);
    fg_block_free(block);
}

int main(void) {
    RUN(blocks_have_room_and_begin_at_a_line);
    RUN(a_block_given_back_is_the_next_of_its_size);
    RUN(what_lives_is_never_mixed_up);
    RUN(failures_are_told);
    return 0;
}
