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

static fg_array *new_like(fg_array *g) { return fg_array_new(g->ndim, fg_shape(g), g->dtype, g->itemsize); }

fg_status fg_vjp_begin(const fg_vjp *vjp, fg_array *const *saved, fg_array *g, fg_array **inputs, fg_array **outputs) {
    const fg_program *p = vjp->programs[g->dtype - FG_FLOAT32];
    for (int i = 0; i < vjp->ninputs; i++) inputs[i] = vjp->sources[i] < 0 ? g : saved[vjp->sources[i]];
    for (int i = 0; i < vjp->ncomputed; i++) {
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
    if (fg_array_same_shape(a, g)) return fg_array_keep(a);
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
    if (like && !fg_array_same_shape(like, r_take)) {
        const fg_status status = fg_sum_to(r_take, like, add, &r_take);
        if (status) return status;
    }
    return fg_run_send(run, edge, r_take);
}

fg_status fg_vjp_end(const fg_vjp *vjp, fg_run *run, const fg_node *node, fg_array *const *saved,
                     fg_array *const *inputs, fg_array **outputs_take, fg_array *g_take, const fg_loop *add) {
    fg_array *results[4];
    int made = 0, sent = 0;
    while (made < vjp->nresults && (results[made] = result(vjp, made, inputs, outputs_take, g_take))) made++;
    fg_status status = made == vjp->nresults ? FG_OK : FG_NOMEM;
    for (int i = 0; i < vjp->ncomputed; i++) fg_array_drop(outputs_take[i]);
    fg_array_drop(g_take); /* whoever is sent it may then overwrite it */
    for (; sent < made && !status; sent++) {
        const int to = vjp->edges[sent];
        status = send(run, node->edges[to], saved[to], results[sent], add);
    }
    while (sent < made) fg_array_drop(results[sent++]);
    return status;
}
