/* The arithmetic of softmax.c for one type: REAL and OF(name). */

/* ---------------------------------------------------------------- loops -- */

static REAL OF(joined)(const REAL *r) { return ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7])); }

/* Sums of at most LEAF elements, as NumPy forms them: eight side by side. */
#define LEAF_OF(element)                                            \
    REAL lanes[8], sum = 0;                                         \
    intptr_t i = 0;                                                 \
    if (n >= 8) {                                                   \
        for (int k = 0; k < 8; k++) lanes[k] = element(k);          \
        for (i = 8; i + 8 <= n; i += 8)                             \
            for (int k = 0; k < 8; k++) lanes[k] += element(i + k); \
        sum = OF(joined)(lanes);                                    \
    }                                                               \
    for (; i < n; i++) sum += element(i);                           \
    return sum;
#define ITSELF(i) x[i]
#define PRODUCT(i) x[i] * y[i]
FG_CLONES static REAL OF(leaf)(const REAL *x, intptr_t n){LEAF_OF(ITSELF)}

FG_CLONES static REAL OF(leaf_of_products)(const REAL *x, const REAL *y, intptr_t n) {
    LEAF_OF(PRODUCT)
}

static REAL OF(finite)(REAL x) { return x - x == 0 ? x : 0; }

/* The largest of some numbers; 0 where that is not finite. */
FG_CLONES static REAL OF(largest)(const REAL *x, intptr_t n) {
    REAL top[8];
    int unordered[8] = {0};
    intptr_t i = 0;
    for (int k = 0; k < 8; k++) top[k] = x[0];
    for (; i + 8 <= n; i += 8) {
        for (int k = 0; k < 8; k++) {
            top[k] = x[i + k] > top[k] ? x[i + k] : top[k];
            unordered[k] |= x[i + k] != x[i + k];
        }
    }
    for (; i < n; i++) {
        top[0] = x[i] > top[0] ? x[i] : top[0];
        unordered[0] |= x[i] != x[i];
    }
    int any = unordered[0];
    for (int k = 1; k < 8; k++) {
        top[0] = top[k] > top[0] ? top[k] : top[0];
        any |= unordered[k];
    }
    return any ? 0 : OF(finite)(top[0]);
}

FG_CLONES static void OF(lessened)(const REAL *x, REAL *to, REAL by, intptr_t n) {
    FG_INDEPENDENT
    for (intptr_t i = 0; i < n; i++) to[i] = x[i] - by;
}

FG_CLONES static void OF(divided)(REAL *to, REAL by, intptr_t n) {
    FG_INDEPENDENT
    for (intptr_t i = 0; i < n; i++) to[i] = to[i] / by;
}

/* The vjps of softmax and log_softmax. `to` may be g. */
FG_CLONES static void OF(pulled)(const REAL *g, const REAL *out, REAL *to, REAL sum, intptr_t n) {
    FG_INDEPENDENT
    for (intptr_t i = 0; i < n; i++) to[i] = out[i] * (g[i] - sum);
}

FG_CLONES static void OF(pulled_log)(const REAL *g, const REAL *chances, REAL *to, REAL sum, intptr_t n) {
    FG_INDEPENDENT
    for (intptr_t i = 0; i < n; i++) to[i] = g[i] - chances[i] * sum;
}

/* The same for a row of columns, each of which has numbers of its own. */
#define ROW(name, ...) FG_CLONES static void OF(name)(__VA_ARGS__, intptr_t n)
#define EACH_COLUMN FG_INDEPENDENT for (intptr_t j = 0; j < n; j++)
ROW(row_largest, const REAL *x, REAL *top) { EACH_COLUMN top[j] = (x[j] > top[j]) | (x[j] != x[j]) ? x[j] : top[j]; }
ROW(row_lessened, const REAL *x, const REAL *by, REAL *to) { EACH_COLUMN to[j] = x[j] - by[j]; }
ROW(row_lessened_twice, const REAL *x, const REAL *by, REAL *to, REAL *copy) {
    EACH_COLUMN to[j] = copy[j] = x[j] - by[j];
}
ROW(row_added, const REAL *x, REAL *sum) { EACH_COLUMN sum[j] += x[j]; }
ROW(row_kept, const REAL *x, REAL *sum, REAL *to) { EACH_COLUMN sum[j] += to[j] = x[j]; }
ROW(row_products, const REAL *x, const REAL *y, REAL *sum) { EACH_COLUMN sum[j] += x[j] * y[j]; }
ROW(row_divided, const REAL *by, REAL *to) { EACH_COLUMN to[j] = to[j] / by[j]; }
ROW(row_pulled, const REAL *g, const REAL *out, const REAL *sum, REAL *to) {
    EACH_COLUMN to[j] = out[j] * (g[j] - sum[j]);
}
ROW(row_pulled_log, const REAL *g, const REAL *chances, const REAL *sum, REAL *to) {
    EACH_COLUMN to[j] = g[j] - chances[j] * sum[j];
}

static void OF(call)(const fg_loop *loop, const REAL *from, REAL *to, intptr_t n) {
    char *args[2] = {(char *)(uintptr_t)from, (char *)to};
    const intptr_t strides[2] = {sizeof(REAL), sizeof(REAL)};
    loop->fn(args, &n, strides, loop->data);
}

/* ---------------------------------------------------------------- lines -- */

/* By NumPy's tree: of elements or, with y, of products. */
FG_APART static REAL OF(sum)(const REAL *x, const REAL *y, intptr_t n) {
    if (n <= LEAF) return y ? OF(leaf_of_products)(x, y, n) : OF(leaf)(x, n);
    const intptr_t half = fg_half(n);
    const REAL left = OF(sum)(x, y, half);
    return left + OF(sum)(x + half, y ? y + half : NULL, n - half);
}

static void OF(forward_lines)(void *context, intptr_t first, intptr_t last) {
    const fg_softmax *f = context;
    const intptr_t n = f->n;
    REAL chances[LONGEST], sums[TOGETHER];
    for (intptr_t lines; first < last; first += lines) {
        lines = f->together < last - first ? f->together : last - first;
        const REAL *x = (const REAL *)f->x + first * n;
        REAL *to = (REAL *)f->to + first * n, *e = f->logs ? chances : to;
        for (intptr_t i = 0; i < lines; i++) OF(lessened)(x + i * n, to + i * n, OF(largest)(x + i * n, n), n);
        OF(call)(&f->exp, to, e, lines * n);
        for (intptr_t i = 0; i < lines; i++) sums[i] = OF(sum)(e + i * n, NULL, n);
        if (f->logs) OF(call)(&f->log, sums, sums, lines);
        for (intptr_t i = 0; i < lines; i++) {
            if (f->logs)
                OF(lessened)(to + i * n, to + i * n, sums[i], n);
            else
                OF(divided)(to + i * n, sums[i], n);
        }
    }
}

static void OF(vjp_lines)(void *context, intptr_t first, intptr_t last) {
    const fg_softmax *f = context;
    const intptr_t n = f->n;
    REAL chances[LONGEST];
    for (intptr_t lines; first < last; first += lines) {
        lines = f->together < last - first ? f->together : last - first;
        const REAL *out = (const REAL *)f->x + first * n, *g = (const REAL *)f->g + first * n;
        REAL *to = (REAL *)f->to + first * n;
        if (f->logs) OF(call)(&f->exp, out, chances, lines * n);
        for (intptr_t i = 0; i < lines * n; i += n) {
            if (f->logs)
                OF(pulled_log)(g + i, chances + i, to + i, 0 + OF(sum)(g + i, NULL, n), n);
            else
                OF(pulled)(g + i, out + i, to + i, 0 + OF(sum)(out + i, g + i, n), n);
        }
    }
}

/* ---------------------------------------------------------------- columns -- */

/* Where a strip of columns begins, and how many they are. */
static intptr_t OF(begin_strip)(const fg_softmax *f, intptr_t part, intptr_t *columns) {
    const intptr_t strips = (f->inner + f->together - 1) / f->together, at = part % strips * f->together;
    *columns = f->inner - at < f->together ? f->inner - at : f->together;
    return part / strips * f->n * f->inner + at;
}

static void OF(forward_columns)(void *context, intptr_t part, intptr_t last) {
    const fg_softmax *f = context;
    const intptr_t pitch = f->inner;
    REAL chances[TOGETHER], top[WIDE], sum[WIDE];
    for (intptr_t n, rows; part < last; part++) {
        const intptr_t at = OF(begin_strip)(f, part, &n);
        const REAL *x = (const REAL *)f->x + at;
        REAL *to = (REAL *)f->to + at;
        memcpy(top, x, (size_t)n * sizeof *top);
        memset(sum, 0, sizeof sum);
        for (intptr_t i = 1; i < f->n; i++) OF(row_largest)(x + i * pitch, top, n);
        for (intptr_t j = 0; j < n; j++) top[j] = OF(finite)(top[j]);
        for (intptr_t i = 0; i < f->n; i += rows) {
            rows = TOGETHER / n < f->n - i ? TOGETHER / n : f->n - i;
            for (intptr_t k = 0; k < rows; k++) {
                if (f->logs)
                    OF(row_lessened_twice)(x + (i + k) * pitch, top, to + (i + k) * pitch, chances + k * n, n);
                else
                    OF(row_lessened)(x + (i + k) * pitch, top, chances + k * n, n);
            }
            OF(call)(&f->exp, chances, chances, rows * n);
            for (intptr_t k = 0; k < rows; k++) {
                if (f->logs)
                    OF(row_added)(chances + k * n, sum, n);
                else
                    OF(row_kept)(chances + k * n, sum, to + (i + k) * pitch, n);
            }
        }
        if (f->logs) OF(call)(&f->log, sum, sum, n);
        for (intptr_t i = 0; i < f->n; i++) {
            if (f->logs)
                OF(row_lessened)(to + i * pitch, sum, to + i * pitch, n);
            else
                OF(row_divided)(sum, to + i * pitch, n);
        }
    }
}

static void OF(vjp_columns)(void *context, intptr_t part, intptr_t last) {
    const fg_softmax *f = context;
    const intptr_t pitch = f->inner;
    REAL chances[TOGETHER], sum[WIDE];
    for (intptr_t n, rows; part < last; part++) {
        const intptr_t at = OF(begin_strip)(f, part, &n);
        const REAL *out = (const REAL *)f->x + at, *g = (const REAL *)f->g + at;
        REAL *to = (REAL *)f->to + at;
        memset(sum, 0, sizeof sum);
        for (intptr_t i = 0; i < f->n; i++) {
            if (f->logs)
                OF(row_added)(g + i * pitch, sum, n);
            else
                OF(row_products)(out + i * pitch, g + i * pitch, sum, n);
        }
        for (intptr_t i = 0; i < f->n && !f->logs; i++)
            OF(row_pulled)(g + i * pitch, out + i * pitch, sum, to + i * pitch, n);
        for (intptr_t i = 0; i < f->n && f->logs; i += rows) {
            rows = TOGETHER / n < f->n - i ? TOGETHER / n : f->n - i;
            for (intptr_t k = 0; k < rows; k++)
                memcpy(chances + k * n, out + (i + k) * pitch, (size_t)n * sizeof *chances);
            OF(call)(&f->exp, chances, chances, rows * n);
            for (intptr_t k = 0; k < rows; k++)
                OF(row_pulled_log)(g + (i + k) * pitch, chances + k * n, sum, to + (i + k) * pitch, n);
        }
    }
}

#undef LEAF_OF
#undef ITSELF
#undef PRODUCT
#undef ROW
#undef EACH_COLUMN
