/* graph: count the dependencies of what is seeded, then run it newest first.
 *
 * Note [Claims]
 * A run keeps what it knows of a node in the node itself, which it claims by `node->run`. A node that another
 * live run has claimed (a backward inside a callback, or another thread between callbacks) gets a twin instead: a
 * copy with fields of its own, found through a hash table. All code below works on such slots, which are the
 * node or its twin. A slot is given back as soon as it has run, so that what is left in the list of
 * slots matters only when a run ends early. */
#include "fg.h"

#include <string.h>

enum {
    FIRST_CHUNK = 60,
    LARGEST_CHUNK = 8192,
    FIRST_HEAP = 24,
    FIRST_TABLE = 64, /* a power of two */
    AHEAD = 6,        /* how many slots further on, and of how many edges, targets are fetched into the cache */
    START_ONLY = 2, /* `wanted` of a slot where the run starts but which leads to nothing that is wanted: it is applied
                         for the sake of its hooks, and takes nothing from others */
};

typedef struct twin {
    fg_node slot; /* first: a slot that is a twin is found by its address */
    fg_node *node;
} twin;

/* Slots in order of visit: 8 bytes each, and the worklist of every pass. */
typedef struct chunk {
    struct chunk *next, *prev;
    size_t count, room;
    fg_node **slots;
} chunk;

struct fg_run {
    const fg_run_ops *ops;
    void *context;
    chunk *last;
    size_t visited, returned; /* slots claimed, and given back since */
    fg_node *best;            /* a ready slot kept out of the heap, so that a chain never touches it */
    fg_node **heap;           /* the other ready slots, newest on top */
    size_t heap_count, heap_room;
    fg_node **wants;
    size_t wants_count, wants_room;
    twin **twins; /* open addressing; NULL: free */
    size_t twins_count, twins_room;
    chunk first; /* here, so that a small graph takes one allocation */
    fg_node *first_slots[FIRST_CHUNK], *first_heap[FIRST_HEAP];
};

/* ---------------------------------------------------------------- growing arrays -- */

/* Room for one more pointer in `*items`, which came from fg_mem_alloc unless it is `fixed`. */
static fg_status grow(fg_node ***items, size_t count, size_t *room, fg_node **fixed) {
    if (count < *room) return FG_OK;
    const size_t larger = *room ? 2 * *room : 16;
    fg_node **moved = fg_mem_alloc(larger * sizeof *moved);
    if (!moved) return FG_NOMEM;
    if (count) memcpy(moved, *items, count * sizeof *moved);
    if (*items != fixed) fg_mem_free(*items);
    *items = moved;
    *room = larger;
    return FG_OK;
}

static fg_status slots_append(fg_run *run, fg_node *slot) {
    chunk *last = run->last;
    if (last->count == last->room) {
        const size_t room = last->room < LARGEST_CHUNK ? 2 * last->room : LARGEST_CHUNK;
        chunk *fresh = fg_mem_alloc(sizeof *fresh + room * sizeof(fg_node *));
        if (!fresh) return FG_NOMEM;
        *fresh = (chunk){NULL, last, 0, room, (fg_node **)(fresh + 1)};
        last = run->last = last->next = fresh;
    }
    last->slots[last->count++] = slot;
    return FG_OK;
}

/* A place in the list of slots. */
typedef struct cursor {
    chunk *chunk;
    size_t index;
} cursor;

static fg_node **cursor_next(cursor *c) {
    if (c->index == c->chunk->count) {
        if (!c->chunk->next) return NULL;
        c->chunk = c->chunk->next;
        c->index = 0;
    }
    return &c->chunk->slots[c->index++];
}

static fg_node *cursor_previous(cursor *c) {
    while (c->index == 0) {
        if (!c->chunk->prev) return NULL;
        c->chunk = c->chunk->prev;
        c->index = c->chunk->count;
    }
    return c->chunk->slots[--c->index];
}

/* ---------------------------------------------------------------- claims -- */

static size_t hash(const fg_node *node, size_t room) {
    const uint64_t mixed = ((uint64_t)(uintptr_t)node >> 4) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(mixed >> 32) & (room - 1);
}

/* Where `node`'s twin is or would be put. */
static twin **twin_place(twin **twins, size_t room, const fg_node *node) {
    size_t i = hash(node, room);
    while (twins[i] && twins[i]->node != node) i = (i + 1) & (room - 1);
    return &twins[i];
}

static fg_status twins_grow(fg_run *run) {
    const size_t room = run->twins_room ? 2 * run->twins_room : FIRST_TABLE;
    twin **larger = fg_mem_alloc(room * sizeof *larger);
    if (!larger) return FG_NOMEM;
    for (size_t i = 0; i < room; i++) larger[i] = NULL;
    for (size_t i = 0; i < run->twins_room; i++) {
        if (run->twins[i]) *twin_place(larger, room, run->twins[i]->node) = run->twins[i];
    }
    fg_mem_free(run->twins);
    run->twins = larger;
    run->twins_room = room;
    return FG_OK;
}

static fg_node *find_twin(const fg_run *run, const fg_node *node) {
    if (!run->twins_count) return NULL;
    twin *found = *twin_place(run->twins, run->twins_room, node);
    return found && found->slot.run == run ? &found->slot : NULL;
}

/* The slot of `node` in this run; NULL if it has none, or has run. */
static inline fg_node *find_slot(const fg_run *run, fg_node *node) {
    return node->run == run ? node : find_twin(run, node);
}

static bool is_twin(const fg_run *run, const fg_node *slot) { return run->twins_count && slot->is_twin; }

static fg_node *real_node(const fg_run *run, fg_node *slot) { return is_twin(run, slot) ? ((twin *)slot)->node : slot; }

static void claim(fg_run *run, fg_node *slot, bool as_twin) {
    slot->run = run;
    slot->grads = slot->nout == 1 ? &slot->grad : NULL;
    slot->grad = NULL;
    slot->deps = 0;
    slot->wanted = 0;
    slot->is_twin = as_twin;
    run->visited++;
}

static fg_status claim_twin(fg_run *run, fg_node *node, fg_node **slot) {
    if (2 * run->twins_count >= run->twins_room && twins_grow(run)) return FG_NOMEM;
    twin *fresh = fg_mem_alloc(sizeof *fresh);
    if (!fresh) return FG_NOMEM;
    fresh->slot = *node;
    fresh->node = node;
    if (slots_append(run, &fresh->slot)) {
        fg_mem_free(fresh);
        return FG_NOMEM;
    }
    *twin_place(run->twins, run->twins_room, node) = fresh;
    run->twins_count++;
    claim(run, &fresh->slot, true);
    *slot = &fresh->slot;
    return FG_OK;
}

/* The slot of `node`, claimed if this is the first visit. */
static fg_status visit(fg_run *run, fg_node *node, fg_node **slot) {
    *slot = find_slot(run, node);
    if (*slot) return FG_OK;
    if (node->run) return claim_twin(run, node, slot);
    if (slots_append(run, node)) return FG_NOMEM;
    claim(run, node, false);
    *slot = node;
    return FG_OK;
}

/* Give a slot back and drop what it holds. Dropping may run foreign code: the slot is let go of first. */
static void give_back(fg_run *run, fg_node *slot) {
    void **grads = slot->grads, *single = slot->grad;
    const uint32_t count = slot->nout;
    const bool inside = grads == &slot->grad;
    slot->run = NULL;
    slot->grads = NULL;
    slot->grad = NULL;
    slot->wanted = 0;
    run->returned++;
    if (inside) {
        if (single) run->ops->drop(single);
    } else if (grads) {
        for (uint32_t i = 0; i < count; i++) {
            if (grads[i]) run->ops->drop(grads[i]);
        }
        fg_mem_free(grads);
    }
}

/* ---------------------------------------------------------------- what is ready -- */

static fg_status heap_push(fg_run *run, fg_node *slot) {
    if (grow(&run->heap, run->heap_count, &run->heap_room, run->first_heap)) return FG_NOMEM;
    size_t at = run->heap_count++;
    while (at > 0) {
        const size_t parent = (at - 1) / 2;
        if (run->heap[parent]->seq >= slot->seq) break;
        run->heap[at] = run->heap[parent];
        at = parent;
    }
    run->heap[at] = slot;
    return FG_OK;
}

static fg_node *heap_pop(fg_run *run) {
    fg_node **heap = run->heap, *top = heap[0];
    const size_t count = --run->heap_count;
    fg_node *moved = heap[count];
    size_t at = 0;
    for (size_t child = 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && heap[child + 1]->seq > heap[child]->seq) child++;
        if (heap[child]->seq <= moved->seq) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
    return top;
}

static fg_status push_ready(fg_run *run, fg_node *slot) {
    if (!run->best) {
        run->best = slot;
        return FG_OK;
    }
    fg_node *older = slot;
    if (slot->seq > run->best->seq) {
        older = run->best;
        run->best = slot;
    }
    return heap_push(run, older);
}

static fg_node *pop_ready(fg_run *run) {
    fg_node *slot = run->best;
    if (run->heap_count && (!slot || run->heap[0]->seq > slot->seq)) return heap_pop(run);
    run->best = NULL;
    return slot;
}

/* ---------------------------------------------------------------- setting up -- */

fg_run *fg_run_new(const fg_run_ops *ops, void *context) {
    fg_run *run = fg_mem_alloc(sizeof *run);
    if (!run) return NULL;
    run->ops = ops;
    run->context = context;
    run->first = (chunk){NULL, NULL, 0, FIRST_CHUNK, run->first_slots};
    run->last = &run->first;
    run->visited = run->returned = 0;
    run->best = NULL;
    run->heap = run->first_heap;
    run->heap_count = 0;
    run->heap_room = FIRST_HEAP;
    run->wants = NULL;
    run->wants_count = run->wants_room = 0;
    run->twins = NULL;
    run->twins_count = run->twins_room = 0;
    return run;
}

/* Where the cotangent of output `nr` is held. NULL: out of memory. */
static void **held_grad(fg_node *slot, uint32_t nr) {
    if (!slot->grads) {
        void **grads = fg_mem_alloc((slot->nout ? slot->nout : 1) * sizeof *grads);
        if (!grads) return NULL;
        for (uint32_t i = 0; i < slot->nout; i++) grads[i] = NULL;
        slot->grads = grads;
    }
    return &slot->grads[nr];
}

static fg_status add_grad(fg_run *run, fg_node *slot, uint32_t nr, void *grad_take) {
    void **held = held_grad(slot, nr);
    if (!held) {
        run->ops->drop(grad_take);
        return FG_NOMEM;
    }
    if (*held) return run->ops->merge(run->context, held, grad_take);
    *held = grad_take;
    return FG_OK;
}

fg_status fg_run_seed(fg_run *run, fg_node *node, uint32_t nr, void *grad_take) {
    fg_node *slot;
    if (visit(run, node, &slot)) {
        if (grad_take) run->ops->drop(grad_take);
        return FG_NOMEM;
    }
    return grad_take ? add_grad(run, slot, nr, grad_take) : FG_OK;
}

fg_status fg_run_want(fg_run *run, fg_node *node) {
    if (grow(&run->wants, run->wants_count, &run->wants_room, NULL)) return FG_NOMEM;
    run->wants[run->wants_count++] = node;
    return FG_OK;
}

/* Visit all that the seeded nodes lead to, counting the edges into each node. The list grows while it is read. */
static fg_status count_dependencies(fg_run *run) {
    cursor reader = {&run->first, 0};
    fg_node **place, *target;
    while ((place = cursor_next(&reader))) {
        const fg_node *slot = *place;
        if (reader.index + AHEAD < reader.chunk->count) {
            const fg_node *ahead = reader.chunk->slots[reader.index + AHEAD];
            for (uint32_t i = 0; i < ahead->nin; i++) fg_prefetch(ahead->edges[i].node);
        }
        for (uint32_t i = 0; i < slot->nin; i++) {
            if (!slot->edges[i].node) continue;
            if (visit(run, slot->edges[i].node, &target)) return FG_NOMEM;
            target->deps++;
        }
    }
    return FG_OK;
}

/* Put the list of slots in topological order (Kahn's algorithm), which takes every count down to zero. The order
 * is written over the list itself: only its seeded front is read, and never after it was written. */
static void sort_slots(fg_run *run, size_t seeded) {
    cursor reader = {&run->first, 0}, writer = {&run->first, 0};
    for (size_t i = 0; i < seeded; i++) {
        fg_node *slot = *cursor_next(&reader);
        if (slot->deps == 0) *cursor_next(&writer) = slot;
    }
    reader = (cursor){&run->first, 0};
    for (size_t i = 0; i < run->visited; i++) {
        const fg_node *slot = *cursor_next(&reader);
        for (uint32_t k = 0; k < slot->nin; k++) {
            if (!slot->edges[k].node) continue;
            fg_node *target = find_slot(run, slot->edges[k].node);
            if (--target->deps == 0) *cursor_next(&writer) = target;
        }
    }
}

static bool holds_any(const fg_node *slot) {
    for (uint32_t i = 0; slot->grads && i < slot->nout; i++) {
        if (slot->grads[i]) return true;
    }
    return false;
}

/* Count again, only the edges that lead to what is wanted; other slots are given back. */
static fg_status restrict_to_wanted(fg_run *run, size_t seeded) {
    sort_slots(run, seeded);
    for (size_t i = 0; i < run->wants_count; i++) {
        fg_node *slot = find_slot(run, run->wants[i]);
        if (slot) slot->wanted = 1;
    }
    cursor reader = {run->last, run->last->count};
    for (fg_node *slot; (slot = cursor_previous(&reader));) {
        bool needed = slot->wanted;
        for (uint32_t i = 0; i < slot->nin; i++) {
            fg_node *target = slot->edges[i].node ? find_slot(run, slot->edges[i].node) : NULL;
            if (!target || target->wanted == START_ONLY) continue;
            target->deps++;
            needed = true;
        }
        if (needed) continue;
        if (holds_any(slot)) {
            slot->wanted = START_ONLY;
            if (push_ready(run, slot)) return FG_NOMEM;
        } else {
            give_back(run, slot);
        }
    }
    return FG_OK;
}

static fg_status push_roots(fg_run *run, size_t seeded) {
    cursor reader = {&run->first, 0};
    for (size_t i = 0; i < seeded; i++) {
        fg_node *slot = *cursor_next(&reader);
        if (slot->run != run || slot->deps || slot->wanted == START_ONLY) continue;
        if (push_ready(run, slot)) return FG_NOMEM;
    }
    return FG_OK;
}

/* ---------------------------------------------------------------- running -- */

static fg_status send_to_slot(fg_run *run, fg_node *slot, uint32_t nr, void *grad_take) {
    if (grad_take) {
        const fg_status status = add_grad(run, slot, nr, grad_take);
        if (status) return status;
    }
    if (--slot->deps) return FG_OK;
    fg_prefetch_node(slot); /* by the time it is popped it is there */
    return push_ready(run, slot);
}

fg_status fg_run_send(fg_run *run, fg_edge edge, void *grad_take) {
    fg_node *slot = edge.node ? find_slot(run, edge.node) : NULL;
    if (slot && slot->wanted != START_ONLY) return send_to_slot(run, slot, edge.nr, grad_take);
    if (grad_take) run->ops->drop(grad_take);
    return FG_OK;
}

void **fg_run_peek(fg_run *run, fg_edge edge) {
    fg_node *slot = edge.node ? find_slot(run, edge.node) : NULL;
    return slot && slot->wanted != START_ONLY ? held_grad(slot, edge.nr) : NULL;
}

bool fg_run_needs(fg_run *run, fg_edge edge) {
    const fg_node *slot = edge.node ? find_slot(run, edge.node) : NULL;
    return slot && slot->wanted != START_ONLY;
}

bool fg_run_wanted(fg_run *run, fg_node *node) {
    const fg_node *slot = find_slot(run, node);
    return slot && slot->wanted == 1;
}

/* Nothing reached this slot: neither will anything reach what it leads to from here. */
static fg_status pass_on(fg_run *run, const fg_node *slot) {
    for (uint32_t i = 0; i < slot->nin; i++) {
        const fg_status status = fg_run_send(run, slot->edges[i], NULL);
        if (status) return status;
    }
    return FG_OK;
}

/* The callee owns the cotangents, so they are taken out of the slot first. */
static fg_status run_slot(fg_run *run, fg_node *slot) {
    fg_status status;
    for (uint32_t i = 0; i < slot->nin && i < AHEAD; i++) fg_prefetch(slot->edges[i].node);
    if (!holds_any(slot) && !(run->ops->hungry && run->ops->hungry(real_node(run, slot)))) {
        status = pass_on(run, slot);
    } else if (!slot->grads && !held_grad(slot, 0)) {
        status = FG_NOMEM;
    } else if (slot->grads == &slot->grad) {
        void *grad = slot->grad;
        slot->grad = NULL;
        status = run->ops->apply(run->context, run, real_node(run, slot), &grad);
    } else {
        void **grads = slot->grads;
        slot->grads = NULL;
        status = run->ops->apply(run->context, run, real_node(run, slot), grads);
        fg_mem_free(grads);
    }
    give_back(run, slot);
    return status;
}

static fg_status run_ready(fg_run *run) {
    int until_poll = FG_POLL_NODES;
    for (fg_node *slot; (slot = pop_ready(run));) {
        fg_status status = run_slot(run, slot);
        if (status) return status;
        if (--until_poll == 0) {
            until_poll = FG_POLL_NODES;
            status = run->ops->poll(run->context);
            if (status) return status;
        }
    }
    return FG_OK;
}

/* Give back what has not run. */
static void abandon(fg_run *run) {
    cursor reader = {&run->first, 0};
    run->best = NULL;
    run->heap_count = 0;
    for (fg_node **place; run->returned < run->visited && (place = cursor_next(&reader));) {
        if ((*place)->run == run) give_back(run, *place);
    }
}

/* Whether the run ends at this edge. */
static bool ends_at(const fg_edge *ends, size_t count, fg_edge edge) {
    for (size_t i = 0; i < count; i++) {
        if (ends[i].node == edge.node && ends[i].nr == edge.nr) return true;
    }
    return false;
}

/* Visits what the seeds lead to. Of a node with several results, one of which is an end, another counts as beyond. */
fg_status fg_run_beyond(fg_run *run, const fg_edge *ends, size_t count, bool *found) {
    fg_status status = FG_OK;
    *found = false;
    cursor reader = {&run->first, 0};
    for (fg_node **place, *target; !*found && !status && (place = cursor_next(&reader));) {
        const fg_node *slot = *place;
        *found = slot->seq == FG_SEQ_LEAF;
        for (uint32_t i = 0; i < slot->nin && !*found && !status; i++) {
            const fg_edge edge = slot->edges[i];
            if (!edge.node || ends_at(ends, count, edge)) continue;
            status = visit(run, edge.node, &target);
        }
    }
    abandon(run);
    return status;
}

fg_status fg_run_go(fg_run *run) {
    const size_t seeded = run->visited;
    fg_status status = count_dependencies(run);
    if (!status && run->wants_count) status = restrict_to_wanted(run, seeded);
    if (!status) status = push_roots(run, seeded);
    if (!status) status = run_ready(run);
    abandon(run);
    return status;
}

void fg_run_free(fg_run *run) {
    abandon(run);
    for (chunk *c = run->first.next, *next; c; c = next) {
        next = c->next;
        fg_mem_free(c);
    }
    for (size_t i = 0; i < run->twins_room; i++) fg_mem_free(run->twins[i]);
    fg_mem_free(run->twins);
    fg_mem_free(run->wants);
    if (run->heap != run->first_heap) fg_mem_free(run->heap);
    fg_mem_free(run);
}
