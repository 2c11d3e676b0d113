/* vjp: what most nodes of most graphs do in backward, without a word to the caller's language. */
#include "fg.h"

bool fg_vjp_suits(const fg_vjp *vjp, fg_array *const *saved, const uint32_t *versions, const fg_array *g) {
    if ((g->dtype != FG_FLOAT32 && g->dtype != FG_FLOAT64) || !(g->flags & FG_ALIGNED)) return false;
    if (!vjp->ready[g->dtype - FG_FLOAT32]) return false;
    for (int i = 0; i < vjp->ninputs; i++) {
        if (vjp->sources[i] < 0) continue;
        const fg_array *a = saved[vjp->sources[i]];
        if (!a || !a->data || a->root->version != versions[vjp->sources[i]]) return false;
        if (!(a->flags & FG_ALIGNED) || a->dtype != (vjp->truths[i] ? FG_BOOL : g->dtype)) return false;
    }
    return true;
}

static inline bool same_shape(const fg_array *a, const fg_array *b) {
    if (a->ndim != b->ndim) return false;
    for (int i = 0; i < a->ndim; i++) {
        if (a->dims[i] != b->dims[i]) return false;
    }
    return true;
}

static fg_array *new_like(fg_array *g) { return fg_array_new(g->ndim, fg_shape(g), g->dtype, g->itemsize); }

/* The one result that output i is, or -1: it may be several. */
static int only_result(const fg_vjp *vjp, int i) {
    int found = -1;
    for (int k = 0; k < vjp->nresults; k++) {
        if (vjp->kinds[k] != FG_COMPUTED || vjp->numbers[k] != i) continue;
        if (found >= 0) return -1;
        found = k;
    }
    return found;
}

/* What output i is to be added to where it goes, if it may be added in place while it is computed; or NULL. */
static fg_array *held(const fg_vjp *vjp, int i, fg_run *run, const fg_node *node, fg_array *const *saved,
                      const fg_array *g) {
    const int k = only_result(vjp, i);
    if (k < 0) return NULL;
    const fg_array *like = saved[vjp->edges[k]];
    if (like && !same_shape(like, g)) return NULL;
    void **slot = fg_run_peek(run, node->edges[vjp->edges[k]]);
    fg_array *a = slot ? *slot : NULL;
    if (!a || !fg_array_unshared(a) || !(a->flags & FG_CONTIGUOUS)) return NULL;
    return a->dtype == g->dtype && same_shape(a, g) ? a : NULL;
}

/* Whether a program on these inputs is one flat run. */
static bool flat(int ninputs, fg_array *const *inputs, const fg_array *g) {
    for (int i = 0; i < ninputs; i++) {
        if (inputs[i]->size != 1 && (inputs[i]->size != g->size || !(inputs[i]->flags & FG_CONTIGUOUS))) return false;
    }
    return g->flags & FG_CONTIGUOUS;
}

fg_status fg_vjp_begin(const fg_vjp *vjp, fg_run *run, const fg_node *node, fg_array *const *saved, fg_array *g,
                       fg_array **inputs, fg_array **outputs, uint32_t *added) {
    const fg_program *p = vjp->programs[g->dtype - FG_FLOAT32];
    for (int i = 0; i < vjp->ninputs; i++) inputs[i] = vjp->sources[i] < 0 ? g : saved[vjp->sources[i]];
    const bool adds = run && flat(vjp->ninputs, inputs, g);
    *added = 0;
    for (int i = 0; i < vjp->ncomputed; i++) {
        fg_array *sum = adds ? held(vjp, i, run, node, saved, g) : NULL;
        if (sum) {
            outputs[i] = fg_array_keep(sum);
            *added |= UINT32_C(1) << i;
            continue;
        }
        const bool reuse = p->reuse_output == i && !vjp->gives_g && fg_array_unshared(g) && g->flags & FG_CONTIGUOUS;
        outputs[i] = reuse ? fg_array_keep(g) : new_like(g);
        if (outputs[i]) continue;
        while (i > 0) fg_array_drop(outputs[--i]);
        return FG_NOMEM;
    }
    return FG_OK;
}

static fg_array *constant(fg_array *g, double value) {
    const float single = (float)value;
    fg_array *r = new_like(g);
    if (r) fg_fill(r, g->dtype == FG_FLOAT32 ? (const void *)&single : (const void *)&value);
    return r;
}

/* An input as a result: in the cotangent's shape. */
static fg_array *given(fg_array *a, fg_array *g) {
    if (same_shape(a, g)) return fg_array_keep(a);
    fg_array *r = new_like(g);
    if (r) fg_copy(r, a);
    return r;
}

static fg_array *result(const fg_vjp *vjp, int k, fg_array *const *inputs, fg_array *const *outputs, fg_array *g) {
    const int number = vjp->numbers[k];
    switch (vjp->kinds[k]) {
    case FG_COMPUTED:
        return fg_array_keep(outputs[number]);
    case FG_INPUT:
        return given(inputs[number], g);
    default:
        return constant(g, vjp->consts[k]);
    }
}

static fg_status send(fg_run *run, fg_edge edge, fg_array *like, fg_array *r_take, const fg_loop *add) {
    if (like && !same_shape(like, r_take)) {
        const fg_status status = fg_sum_to(r_take, like, add, &r_take);
        if (status) return status;
    }
    return fg_run_send(run, edge, r_take);
}

fg_status fg_vjp_end(const fg_vjp *vjp, fg_run *run, const fg_node *node, fg_array *const *saved,
                     fg_array *const *inputs, fg_array **outputs_take, uint32_t added, fg_array *g_take,
                     const fg_loop *add) {
    fg_array *results[4];
    int made = 0, sent = 0;
    while (made < vjp->nresults && (results[made] = result(vjp, made, inputs, outputs_take, g_take))) made++;
    fg_status status = made == vjp->nresults ? FG_OK : FG_NOMEM;
    for (int i = 0; i < vjp->ncomputed; i++) fg_array_drop(outputs_take[i]);
    fg_array_drop(g_take); /* whoever is sent it may then overwrite it */
    for (; sent < made && !status; sent++) {
        const int to = vjp->edges[sent];
        if (vjp->kinds[sent] == FG_COMPUTED && added >> vjp->numbers[sent] & 1) {
            fg_array_drop(results[sent]); /* it is there already */
            status = fg_run_send(run, node->edges[to], NULL);
        } else {
            status = send(run, node->edges[to], saved[to], results[sent], add);
        }
    }
    while (sent < made) fg_array_drop(results[sent++]);
    return status;
}

bool fg_vjp_run(const fg_vjp *vjp, fg_run *run, const fg_node *node, fg_array *const *saved, const uint32_t *versions,
                fg_array *g_take, const fg_loop *add, fg_status *status) {
    fg_array *inputs[8], *outputs[4];
    uint32_t added;
    if (!fg_vjp_suits(vjp, saved, versions, g_take)) return false;
    *status = fg_vjp_begin(vjp, NULL, node, saved, g_take, inputs, outputs, &added);
    if (*status) {
        fg_array_drop(g_take);
        return true;
    }
    if (vjp->ncomputed) fg_program_run(vjp->programs[g_take->dtype - FG_FLOAT32], inputs, outputs);
    *status = fg_vjp_end(vjp, run, node, saved, inputs, outputs, added, g_take, add);
    return true;
}
