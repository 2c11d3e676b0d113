/* Sorting and running graphs. Cotangents are counted whole numbers: every sum is exact and every leak is seen. */
#include "check.h"

enum { MAX_OUT = 3 };

typedef struct {
    fg_node node; /* first */
    int index;
    uint64_t weights[8]; /* of each edge */
    fg_edge edges[8];
} vertex;

typedef struct {
    uint64_t number;
} cotangent;

static long live;

static cotangent *new_cotangent(uint64_t number) {
    cotangent *g = malloc(sizeof *g);
    CHECK(g);
    g->number = number;
    live++;
    return g;
}

static void drop(void *grad) {
    live--;
    free(grad);
}

typedef struct {
    vertex *vertices;
    int count;
    uint64_t *seen;  /* of each vertex: its cotangents combined when it ran */
    int *order, ran; /* vertices in the order in which they ran */
    int fail_at;     /* fail in the so-many-th apply; negative: never */
    int nest_at;     /* start another run over the same graph in the so-many-th apply; negative: never */
    int depth, polls, fail_poll;
    bool *wanted;
} context;

static fg_status apply(void *data, fg_run *run, fg_node *node, void **grads);

static fg_status merge(void *data, void **held, void *more_take) {
    (void)data;
    ((cotangent *)*held)->number += ((cotangent *)more_take)->number;
    drop(more_take);
    return FG_OK;
}

static fg_status poll(void *data) {
    context *c = data;
    return ++c->polls == c->fail_poll ? FG_RAISED : FG_OK;
}

static const fg_run_ops ops = {apply, merge, drop, poll, NULL};

static bool is_even(fg_node *node) { return ((vertex *)(void *)node)->index % 2 == 0; }

static const fg_run_ops hungry_ops = {apply, merge, drop, poll, is_even};

static uint64_t combine(const uint64_t *numbers, uint32_t nout) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < nout; i++) sum += (i + 1) * numbers[i];
    return sum;
}

/* What every vertex should see, by going through them from the newest. Leaves come first in `vertices`. */
static void expect(const vertex *vertices, int count, const uint64_t (*seeds)[MAX_OUT], uint64_t *seen) {
    uint64_t (*held)[MAX_OUT] = calloc((size_t)count, sizeof *held);
    CHECK(held);
    for (int i = 0; i < count; i++) memcpy(held[i], seeds[i], sizeof *held);
    for (int i = count - 1; i >= 0; i--) {
        const vertex *v = &vertices[i];
        seen[i] = combine(held[i], v->node.nout);
        for (uint32_t k = 0; k < v->node.nin; k++) {
            const fg_edge edge = v->edges[k];
            if (edge.node) held[((vertex *)(void *)edge.node)->index][edge.nr] += v->weights[k] * seen[i];
        }
    }
    free(held);
}

static context new_context(vertex *vertices, int count) {
    context c = {.vertices = vertices, .count = count, .fail_at = -1, .nest_at = -1};
    c.seen = calloc((size_t)count, sizeof *c.seen);
    c.order = calloc((size_t)count, sizeof *c.order);
    CHECK(c.seen && c.order);
    return c;
}

static void free_context(context *c) {
    free(c->seen);
    free(c->order);
}

static fg_status seed_all(fg_run *run, vertex *vertices, int count, const uint64_t (*seeds)[MAX_OUT]) {
    for (int i = 0; i < count; i++) {
        for (uint32_t nr = 0; nr < vertices[i].node.nout; nr++) {
            if (!seeds[i][nr]) continue;
            /* in two parts, which the run has to merge */
            fg_status status = fg_run_seed(run, &vertices[i].node, nr, new_cotangent(seeds[i][nr] - 1));
            if (!status) status = fg_run_seed(run, &vertices[i].node, nr, new_cotangent(1));
            if (status) return status;
        }
    }
    return FG_OK;
}

static fg_status run_graph(context *c, const uint64_t (*seeds)[MAX_OUT]) {
    fg_run *run = fg_run_new(&ops, c);
    if (!run) return FG_NOMEM;
    fg_status status = FG_OK;
    for (int i = 0; c->wanted && !status && i < c->count; i++) {
        if (c->wanted[i]) status = fg_run_want(run, &c->vertices[i].node);
    }
    if (!status) status = seed_all(run, c->vertices, c->count, seeds);
    if (!status) status = fg_run_go(run);
    fg_run_free(run);
    return status;
}

static void check_untouched(const vertex *vertices, int count) {
    CHECK(live == 0);
    for (int i = 0; i < count; i++) CHECK(vertices[i].node.run == NULL);
}

/* A whole run over what is also being run further up the stack. */
static void run_nested(context *c) {
    context inner = new_context(c->vertices, c->count);
    uint64_t (*seeds)[MAX_OUT] = calloc((size_t)c->count, sizeof *seeds),
             *seen = calloc((size_t)c->count, sizeof *seen);
    CHECK(seeds && seen);
    for (int i = 0; i < 3; i++) seeds[random_below(c->count)][0] = 1 + random_bits() % 100;
    inner.depth = c->depth + 1;
    inner.nest_at = inner.depth < 3 ? random_below(c->count) : -1;
    expect(c->vertices, c->count, (const uint64_t (*)[MAX_OUT])seeds, seen);
    CHECK(run_graph(&inner, (const uint64_t (*)[MAX_OUT])seeds) == FG_OK);
    for (int i = 0; i < c->count; i++) CHECK(inner.seen[i] == seen[i]);
    free(seeds);
    free(seen);
    free_context(&inner);
}

static fg_status apply(void *data, fg_run *run, fg_node *node, void **grads) {
    context *c = data;
    vertex *v = (vertex *)(void *)node;
    uint64_t numbers[MAX_OUT] = {0};
    for (uint32_t i = 0; i < node->nout; i++) {
        if (!grads[i]) continue;
        numbers[i] = ((cotangent *)grads[i])->number;
        drop(grads[i]);
    }
    CHECK(c->ran < c->count);
    const int step = c->ran++;
    c->order[step] = v->index;
    c->seen[v->index] = combine(numbers, node->nout);
    if (step == c->fail_at) return FG_RAISED;
    if (step == c->nest_at) run_nested(c);
    CHECK(fg_run_wanted(run, node) == (c->wanted && c->wanted[v->index]));
    for (uint32_t k = 0; k < node->nin; k++) {
        const fg_edge edge = v->edges[k];
        const uint64_t number = v->weights[k] * c->seen[v->index];
        void **held = k % 3 == 0 ? fg_run_peek(run, edge) : NULL;
        fg_status status;
        if (held && *held) { /* added in place */
            ((cotangent *)*held)->number += number;
            status = fg_run_send(run, edge, NULL);
        } else if (fg_run_needs(run, edge) || k % 2) {
            status = fg_run_send(run, edge, new_cotangent(number));
        } else {
            status = FG_OK;
        }
        if (status) return status;
    }
    return FG_OK;
}

/* `leaves` leaves, then operations on older vertices. */
static vertex *random_graph(int count, int leaves) {
    vertex *vertices = calloc((size_t)count, sizeof *vertices);
    CHECK(vertices);
    for (int i = 0; i < count; i++) {
        vertex *v = &vertices[i];
        v->index = i;
        v->node.edges = v->edges;
        v->node.nout = i < leaves ? 1 : (uint32_t)(1 + (random_below(4) == 0) * random_below(MAX_OUT));
        v->node.nin = i < leaves ? 0 : (uint32_t)random_below(5);
        v->node.seq = i < leaves ? FG_SEQ_LEAF : (uint64_t)i;
        for (uint32_t k = 0; k < v->node.nin; k++) {
            if (random_below(6) == 0) continue;
            const int reach = random_below(2) ? i : (i < 6 ? i : 6);
            vertex *target = &vertices[i - 1 - random_below(reach)];
            v->edges[k] = (fg_edge){&target->node, (uint32_t)random_below((int)target->node.nout)};
            v->weights[k] = (uint64_t)random_below(5) + 1;
        }
    }
    return vertices;
}

/* Seeds as numbers of at least 2; 0: none. */
static void random_seeds(uint64_t (*seeds)[MAX_OUT], const vertex *vertices, int count) {
    memset(seeds, 0, (size_t)count * sizeof *seeds);
    for (int i = 0; i < 3; i++) {
        const int at = i ? random_below(count) : count - 1;
        seeds[at][random_below((int)vertices[at].node.nout)] = 2 + random_bits() % 100;
    }
}

/* ---------------------------------------------------------------- properties -- */

static void every_vertex_sees_the_sum_of_all_paths(void) {
    for (int round = 0; round < 400; round++) {
        const int count = 2 + random_below(round < 300 ? 40 : 600);
        vertex *vertices = random_graph(count, 1 + random_below(count / 2));
        uint64_t (*seeds)[MAX_OUT] = calloc((size_t)count, sizeof *seeds), *seen = calloc((size_t)count, sizeof *seen);
        context c = new_context(vertices, count);
        random_seeds(seeds, vertices, count);
        expect(vertices, count, (const uint64_t (*)[MAX_OUT])seeds, seen);
        if (round % 2) c.nest_at = random_below(count);
        CHECK(run_graph(&c, (const uint64_t (*)[MAX_OUT])seeds) == FG_OK);
        for (int i = 0; i < count; i++) CHECK(c.seen[i] == seen[i]);
        check_untouched(vertices, count);
        free_context(&c);
        free(seen);
        free(seeds);
        free(vertices);
    }
}

/* Which vertices the seeds reach. */
static bool *reached_from(const vertex *vertices, int count, const uint64_t (*seeds)[MAX_OUT]) {
    bool *reached = calloc((size_t)count, sizeof *reached);
    CHECK(reached);
    for (int i = count - 1; i >= 0; i--) {
        for (int nr = 0; nr < MAX_OUT; nr++) reached[i] |= seeds[i][nr] != 0;
        for (uint32_t k = 0; reached[i] && k < vertices[i].node.nin; k++) {
            if (vertices[i].edges[k].node) reached[((vertex *)(void *)vertices[i].edges[k].node)->index] = true;
        }
    }
    return reached;
}

static void the_newest_ready_vertex_runs_first(void) {
    for (int round = 0; round < 200; round++) {
        const int count = 2 + random_below(60);
        vertex *vertices = random_graph(count, 1 + random_below(count / 2));
        uint64_t (*seeds)[MAX_OUT] = calloc((size_t)count, sizeof *seeds);
        int *deps = calloc((size_t)count, sizeof *deps);
        context c = new_context(vertices, count);
        random_seeds(seeds, vertices, count);
        bool *reached = reached_from(vertices, count, (const uint64_t (*)[MAX_OUT])seeds);
        for (int i = 0; i < count; i++) {
            for (uint32_t k = 0; reached[i] && k < vertices[i].node.nin; k++) {
                if (vertices[i].edges[k].node) deps[((vertex *)(void *)vertices[i].edges[k].node)->index]++;
            }
        }
        CHECK(run_graph(&c, (const uint64_t (*)[MAX_OUT])seeds) == FG_OK);
        for (int step = 0; step < c.ran; step++) {
            const int ran = c.order[step];
            CHECK(reached[ran] && deps[ran] == 0);
            for (int i = 0; i < count; i++) {
                if (reached[i] && deps[i] == 0) CHECK(vertices[i].node.seq <= vertices[ran].node.seq);
            }
            reached[ran] = false;
            for (uint32_t k = 0; k < vertices[ran].node.nin; k++) {
                if (vertices[ran].edges[k].node) deps[((vertex *)(void *)vertices[ran].edges[k].node)->index]--;
            }
        }
        for (int i = 0; i < count; i++) CHECK(!reached[i]);
        free(reached);
        free_context(&c);
        free(deps);
        free(seeds);
        free(vertices);
    }
}

static void a_restricted_run_takes_only_the_paths_to_what_is_wanted(void) {
    for (int round = 0; round < 400; round++) {
        const int count = 2 + random_below(60);
        vertex *vertices = random_graph(count, 1 + random_below(count / 2));
        uint64_t (*seeds)[MAX_OUT] = calloc((size_t)count, sizeof *seeds), *seen = calloc((size_t)count, sizeof *seen);
        bool *needed = calloc((size_t)count, sizeof *needed), *wanted = calloc((size_t)count, sizeof *wanted);
        context c = new_context(vertices, count);
        random_seeds(seeds, vertices, count);
        expect(vertices, count, (const uint64_t (*)[MAX_OUT])seeds, seen);
        bool *reached = reached_from(vertices, count, (const uint64_t (*)[MAX_OUT])seeds);
        for (int i = 0; i < 1 + round % 3; i++) wanted[random_below(count)] = true;
        for (int i = 0; i < count; i++) { /* targets come before those that lead to them */
            needed[i] = wanted[i];
            for (uint32_t k = 0; k < vertices[i].node.nin; k++) {
                if (vertices[i].edges[k].node)
                    needed[i] |= needed[((vertex *)(void *)vertices[i].edges[k].node)->index];
            }
        }
        c.wanted = wanted;
        if (round % 2) c.nest_at = random_below(count);
        CHECK(run_graph(&c, (const uint64_t (*)[MAX_OUT])seeds) == FG_OK);
        for (int i = 0; i < count; i++) { /* where it starts a run goes in any case, with what it was given there */
            if (!needed[i]) seen[i] = combine(seeds[i], vertices[i].node.nout);
        }
        for (int step = 0; step < c.ran; step++) {
            const int i = c.order[step];
            CHECK(reached[i] && (needed[i] || seen[i]));
        }
        for (int i = 0; i < count; i++) CHECK(c.seen[i] == seen[i]);
        check_untouched(vertices, count);
        free(reached);
        free_context(&c);
        free(wanted);
        free(needed);
        free(seen);
        free(seeds);
        free(vertices);
    }
}

static void a_failure_anywhere_leaves_the_graph_as_it_was(void) {
    for (int round = 0; round < 40; round++) {
        const int count = 20 + random_below(round < 30 ? 30 : 400);
        vertex *vertices = random_graph(count, 5);
        uint64_t (*seeds)[MAX_OUT] = calloc((size_t)count, sizeof *seeds), *seen = calloc((size_t)count, sizeof *seen);
        bool *wanted = round % 3 ? NULL : calloc((size_t)count, sizeof *wanted);
        random_seeds(seeds, vertices, count);
        expect(vertices, count, (const uint64_t (*)[MAX_OUT])seeds, seen);
        if (wanted) wanted[0] = wanted[1] = true;
        fg_status status = FG_RAISED;
        for (int fail_at = 0; status; fail_at++) { /* a callback that fails */
            context c = new_context(vertices, count);
            c.wanted = wanted;
            c.fail_at = fail_at;
            status = run_graph(&c, (const uint64_t (*)[MAX_OUT])seeds);
            CHECK(status == FG_RAISED || c.ran <= fail_at);
            check_untouched(vertices, count);
            free_context(&c);
        }
        status = FG_NOMEM;
        for (long left = 0; status; left++) { /* an allocation that fails */
            context c = new_context(vertices, count);
            c.wanted = wanted;
            fg_mem_fail_after(left);
            status = run_graph(&c, (const uint64_t (*)[MAX_OUT])seeds);
            fg_mem_fail_after(-1);
            CHECK(status == FG_NOMEM || status == FG_OK);
            for (int i = 0; !status && !wanted && i < count; i++) CHECK(c.seen[i] == seen[i]);
            check_untouched(vertices, count);
            free_context(&c);
        }
        free(wanted);
        free(seen);
        free(seeds);
        free(vertices);
    }
}

static void a_failure_inside_a_nested_run_leaves_both_as_they_were(void) {
    const int count = 60;
    vertex *vertices = random_graph(count, 5);
    uint64_t seeds[60][MAX_OUT] = {{0}};
    seeds[count - 1][0] = 7;
    for (long left = 0; left < 40; left++) {
        context outer = new_context(vertices, count), inner = new_context(vertices, count);
        fg_run *first = fg_run_new(&ops, &outer);
        CHECK(first && fg_run_seed(first, &vertices[count - 1].node, 0, new_cotangent(7)) == FG_OK);
        /* the nodes of `first` are claimed as far as it was seeded; the second run finds some of them taken */
        fg_mem_fail_after(left);
        const fg_status status = run_graph(&inner, (const uint64_t (*)[MAX_OUT])seeds);
        fg_mem_fail_after(-1);
        CHECK(live == 1);
        CHECK(fg_run_go(first) == FG_OK);
        fg_run_free(first);
        if (!status) CHECK(memcmp(outer.seen, inner.seen, (size_t)count * sizeof *inner.seen) == 0);
        check_untouched(vertices, count);
        free_context(&outer);
        free_context(&inner);
    }
    free(vertices);
}

static void a_poll_that_fails_ends_the_run(void) {
    const int count = 4 * FG_POLL_NODES;
    vertex *vertices = calloc((size_t)count, sizeof *vertices);
    uint64_t (*seeds)[MAX_OUT] = calloc((size_t)count, sizeof *seeds);
    CHECK(vertices && seeds);
    for (int i = 0; i < count; i++) {
        vertices[i] = (vertex){.index = i, .weights = {1}};
        vertices[i].node = (fg_node){.seq = (uint64_t)i, .edges = vertices[i].edges, .nin = i > 0, .nout = 1};
        if (i) vertices[i].edges[0] = (fg_edge){&vertices[i - 1].node, 0};
    }
    seeds[count - 1][0] = 5;
    context c = new_context(vertices, count);
    c.fail_poll = 2;
    CHECK(run_graph(&c, (const uint64_t (*)[MAX_OUT])seeds) == FG_RAISED);
    CHECK(c.polls == 2 && c.ran == 2 * FG_POLL_NODES);
    check_untouched(vertices, count);
    free_context(&c);
    free(seeds);
    free(vertices);
}

static void nothing_recurses(void) {
    const int count = 1000000;
    vertex *vertices = calloc((size_t)count, sizeof *vertices);
    CHECK(vertices);
    for (int i = 0; i < count; i++) { /* a chain of diamonds */
        vertices[i] = (vertex){.index = i, .weights = {1, 2}};
        vertices[i].node = (fg_node){.seq = (uint64_t)i, .edges = vertices[i].edges, .nin = i ? 2 : 0, .nout = 1};
        if (i) vertices[i].edges[0] = vertices[i].edges[1] = (fg_edge){&vertices[i - 1].node, 0};
    }
    for (int restricted = 0; restricted < 2; restricted++) {
        context c = new_context(vertices, count);
        fg_run *run = fg_run_new(&ops, &c);
        bool *wanted = calloc((size_t)count, sizeof *wanted);
        CHECK(run && wanted);
        if (restricted) {
            c.wanted = wanted;
            wanted[0] = true;
            CHECK(fg_run_want(run, &vertices[0].node) == FG_OK);
        }
        CHECK(fg_run_seed(run, &vertices[count - 1].node, 0, new_cotangent(1)) == FG_OK);
        CHECK(fg_run_go(run) == FG_OK);
        fg_run_free(run);
        uint64_t expected = 1;
        for (int i = 1; i < count; i++) expected *= 3;
        CHECK(c.ran == count && c.seen[0] == expected);
        check_untouched(vertices, count);
        free(wanted);
        free_context(&c);
    }
    free(vertices);
}

static void a_wide_graph_runs(void) {
    const int leaves = 200000;
    vertex *vertices = calloc((size_t)leaves + 1, sizeof *vertices);
    fg_edge *edges = calloc((size_t)leaves, sizeof *edges);
    CHECK(vertices && edges);
    for (int i = 0; i < leaves; i++) {
        vertices[i] = (vertex){.index = i};
        vertices[i].node = (fg_node){.seq = i % 2 ? FG_SEQ_LEAF : (uint64_t)i, .edges = vertices[i].edges, .nout = 1};
        edges[i] = (fg_edge){&vertices[i].node, 0};
    }
    /* nothing reaches the top, so that it is passed over and all it leads to becomes ready at once */
    fg_node *top = &vertices[leaves].node;
    *top = (fg_node){.seq = (uint64_t)leaves, .edges = edges, .nin = (uint32_t)leaves, .nout = 2};
    context c = new_context(vertices, leaves + 1);
    fg_run *run = fg_run_new(&ops, &c);
    CHECK(run && fg_run_seed(run, top, 1, NULL) == FG_OK);
    for (int i = 0; i < leaves; i++) CHECK(fg_run_seed(run, &vertices[i].node, 0, new_cotangent(3)) == FG_OK);
    CHECK(fg_run_go(run) == FG_OK);
    fg_run_free(run);
    CHECK(c.ran == leaves);
    for (int i = 0; i < leaves; i++) CHECK(c.seen[i] == 3);
    for (int i = leaves / 2 + 1; i < leaves; i++) { /* odd ones are leaves and ran before the others, newest first */
        CHECK(vertices[c.order[i]].node.seq < vertices[c.order[i - 1]].node.seq);
    }
    check_untouched(vertices, leaves + 1);
    free_context(&c);
    free(edges);
    free(vertices);
}

static void a_run_that_never_starts_gives_everything_back(void) {
    vertex *vertices = random_graph(10, 2);
    context c = new_context(vertices, 10);
    fg_run *run = fg_run_new(&ops, &c);
    CHECK(run && fg_run_seed(run, &vertices[9].node, 0, new_cotangent(1)) == FG_OK);
    CHECK(fg_run_want(run, &vertices[0].node) == FG_OK);
    fg_run_free(run);
    check_untouched(vertices, 10);
    run = fg_run_new(&ops, &c);
    CHECK(run && fg_run_go(run) == FG_OK && c.ran == 0);
    fg_run_free(run);
    free_context(&c);
    free(vertices);
}

/* A chain of `count` vertices, the first of which is a leaf. */
static vertex *new_chain(int count, uint32_t nout) {
    vertex *vertices = calloc((size_t)count, sizeof *vertices);
    CHECK(vertices);
    for (int i = 0; i < count; i++) {
        vertices[i].index = i;
        vertices[i].node = (fg_node){.seq = (uint64_t)i, .edges = vertices[i].edges, .nin = i > 0, .nout = nout};
        vertices[i].weights[0] = 1;
        if (i) vertices[i].edges[0] = (fg_edge){&vertices[i - 1].node, 0};
    }
    vertices[0].node.seq = FG_SEQ_LEAF;
    return vertices;
}

static void only_hungry_vertices_are_applied_without_a_cotangent(void) {
    for (uint32_t nout = 1; nout <= 2; nout++) {
        vertex *vertices = new_chain(10, nout);
        context c = new_context(vertices, 10);
        fg_run *run = fg_run_new(&hungry_ops, &c);
        CHECK(run && fg_run_seed(run, &vertices[9].node, 0, NULL) == FG_OK);
        CHECK(fg_run_go(run) == FG_OK);
        fg_run_free(run);
        CHECK(c.ran == 9 && c.order[0] == 8); /* 9 was passed over; what 8 sent on ran the rest */
        check_untouched(vertices, 10);
        free_context(&c);
        free(vertices);
    }
}

static bool beyond(vertex *vertices, int from, const fg_edge *ends, size_t count) {
    context c = new_context(vertices, 10);
    fg_run *run = fg_run_new(&ops, &c);
    bool found = false;
    CHECK(run && fg_run_seed(run, &vertices[from].node, 0, NULL) == FG_OK);
    CHECK(fg_run_beyond(run, ends, count, &found) == FG_OK);
    fg_run_free(run);
    CHECK(c.ran == 0);
    check_untouched(vertices, 10);
    free_context(&c);
    return found;
}

static void a_run_can_tell_whether_it_leads_past_its_ends(void) {
    vertex *vertices = new_chain(10, 2);
    const fg_edge ends[] = {{&vertices[0].node, 0}, {&vertices[4].node, 1}, {&vertices[4].node, 0}};
    CHECK(beyond(vertices, 9, NULL, 0));
    CHECK(!beyond(vertices, 9, ends, 1));    /* it ends at the leaf itself */
    CHECK(beyond(vertices, 9, ends + 1, 1)); /* at another result of a vertex on the way */
    CHECK(!beyond(vertices, 9, ends + 2, 1));
    CHECK(beyond(vertices, 3, ends + 2, 1)); /* it starts below that */
    free(vertices);
}

int main(void) {
    RUN(every_vertex_sees_the_sum_of_all_paths);
    RUN(the_newest_ready_vertex_runs_first);
    RUN(a_restricted_run_takes_only_the_paths_to_what_is_wanted);
    RUN(a_failure_anywhere_leaves_the_graph_as_it_was);
    RUN(a_failure_inside_a_nested_run_leaves_both_as_they_were);
    RUN(a_poll_that_fails_ends_the_run);
    RUN(nothing_recurses);
    RUN(a_wide_graph_runs);
    RUN(a_run_that_never_starts_gives_everything_back);
    RUN(only_hungry_vertices_are_applied_without_a_cotangent);
    RUN(a_run_can_tell_whether_it_leads_past_its_ends);
    return 0;
}
