/* The arithmetic of norms.c for one type: REAL, OF(name) and ROOT. */

/* ---------------------------------------------------------------- loops -- */

/* Sums of at most LEAF elements, as NumPy forms them: eight side by side. */
#define LEAF_OF(element)                                            \
    REAL lanes[8], sum = 0;                                         \
    intptr_t i = 0;                                                 \
    if (n >= 8) {                                                   \
        for (int k = 0; k < 8; k++) lanes[k] = element(k);          \
        for (i = 8; i + 8 <= n; i += 8) {                           \
            for (int k = 0; k < 8; k++) lanes[k] += element(i + k); \
        }                                                           \
        sum = OF(joined)(lanes);                                    \
    }                                                               \
    for (; i < n; i++) sum += element(i);                           \
    return sum;

static REAL OF(joined)(const REAL *r) { return ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7])); }

#define ITSELF(i) x[i]
#define SQUARED(i) (x[i] - mean) * (x[i] - mean)

FG_TWO_CLONES static REAL OF(leaf)(const REAL *x, intptr_t n){LEAF_OF(ITSELF)}

FG_TWO_CLONES static REAL OF(leaf_of_squares)(const REAL *x, REAL mean, intptr_t n){LEAF_OF(SQUARED)}

FG_TWO_CLONES static void OF(scaled)(const REAL *x, REAL *to, REAL mean, REAL scale, const REAL *w, const REAL *bias,
                                     intptr_t n) {
    FG_INDEPENDENT
    for (intptr_t i = 0; i < n; i++) to[i] = (x[i] - mean) * scale * w[i] + bias[i];
}

/* Added to the two sums of a vjp, in double. */
FG_TWO_CLONES static void OF(terms)(const REAL *g, const REAL *x, REAL mean, REAL scale, const REAL *w, double *sums,
                                    intptr_t n) {
    REAL plain[8] = {0}, turned[8] = {0};
    intptr_t i = 0;
    for (; i + 8 <= n; i += 8) {
        for (int k = 0; k < 8; k++) {
            const REAL h = g[i + k] * w[i + k];
            plain[k] += h;
            turned[k] += h * ((x[i + k] - mean) * scale);
        }
    }
    for (int k = 0; i < n; i++, k++) {
        const REAL h = g[i] * w[i];
        plain[k] += h;
        turned[k] += h * ((x[i] - mean) * scale);
    }
    sums[0] += OF(joined)(plain);
    sums[1] += OF(joined)(turned);
}

/* `to` may be g. */
FG_TWO_CLONES static void OF(pulled)(const REAL *g, const REAL *x, REAL *to, const REAL *w, REAL mean, REAL scale,
                                     REAL factor, REAL plain, REAL turned, intptr_t n) {
    FG_INDEPENDENT
    for (intptr_t i = 0; i < n; i++) to[i] = factor * (g[i] * w[i] - plain - (x[i] - mean) * scale * turned);
}

FG_TWO_CLONES static void OF(weighed)(const REAL *g, const REAL *x, REAL mean, REAL scale, REAL *dw, REAL *db,
                                      intptr_t n) {
    FG_INDEPENDENT
    for (intptr_t i = 0; i < n; i++) {
        dw[i] += g[i] * ((x[i] - mean) * scale);
        db[i] += g[i];
    }
}

/* Columns: rows are `pitch` elements apart, and added in their order; four at a time, so that sums stay in registers. */
#define DOWN(name, EACH, ...)                                                            \
    FG_TWO_CLONES static void OF(name##_by_4)(__VA_ARGS__, intptr_t pitch, intptr_t n) { \
        FG_INDEPENDENT                                                                   \
        for (intptr_t j = 0; j < n; j++) {                                               \
            EACH(0) EACH(1) EACH(2) EACH(3)                                              \
        }                                                                                \
    }                                                                                    \
    static void OF(name##_by_1)(__VA_ARGS__, intptr_t pitch, intptr_t n) {               \
        FG_INDEPENDENT                                                                   \
        for (intptr_t j = 0; j < n; j++) EACH(0)                                         \
    }
#define PLAIN(i) sum[j] += x[(i) * pitch + j];
#define SQUARE(i) sum[j] += (x[(i) * pitch + j] - mean[j]) * (x[(i) * pitch + j] - mean[j]);
#define TURNED(i)                                                                      \
    {                                                                                  \
        plain[j] += g[(i) * pitch + j];                                                \
        turned[j] += g[(i) * pitch + j] * ((x[(i) * pitch + j] - mean[j]) * scale[j]); \
    }
DOWN(columns, PLAIN, const REAL *x, REAL *sum)
DOWN(column_squares, SQUARE, const REAL *x, const REAL *mean, REAL *sum)
DOWN(column_terms, TURNED, const REAL *g, const REAL *x, const REAL *mean, const REAL *scale, REAL *plain, REAL *turned)

static void OF(columns)(const REAL *x, intptr_t pitch, intptr_t rows, REAL *sum, intptr_t n) {
    for (; rows >= 4; rows -= 4, x += 4 * pitch) OF(columns_by_4)(x, sum, pitch, n);
    for (; rows; rows--, x += pitch) OF(columns_by_1)(x, sum, pitch, n);
}

static void OF(column_squares)(const REAL *x, intptr_t pitch, intptr_t rows, const REAL *mean, REAL *sum, intptr_t n) {
    for (; rows >= 4; rows -= 4, x += 4 * pitch) OF(column_squares_by_4)(x, mean, sum, pitch, n);
    for (; rows; rows--, x += pitch) OF(column_squares_by_1)(x, mean, sum, pitch, n);
}

static void OF(column_terms)(const REAL *g, const REAL *x, intptr_t pitch, intptr_t rows, const REAL *mean,
                             const REAL *scale, REAL *plain, REAL *turned, intptr_t n) {
    for (; rows >= 4; rows -= 4, g += 4 * pitch, x += 4 * pitch)
        OF(column_terms_by_4)(g, x, mean, scale, plain, turned, pitch, n);
    for (; rows; rows--, g += pitch, x += pitch) OF(column_terms_by_1)(g, x, mean, scale, plain, turned, pitch, n);
}

FG_TWO_CLONES static void OF(scaled_row)(const REAL *x, REAL *to, const REAL *mean, const REAL *scale, const REAL *w,
                                         const REAL *bias, intptr_t n) {
    FG_INDEPENDENT
    for (intptr_t j = 0; j < n; j++) to[j] = (x[j] - mean[j]) * scale[j] * w[j] + bias[j];
}

FG_TWO_CLONES static void OF(pulled_row)(const REAL *g, const REAL *x, REAL *to, const REAL *mean, const REAL *scale,
                                         const REAL *factor, const REAL *plain, const REAL *turned, intptr_t n) {
    FG_INDEPENDENT
    for (intptr_t j = 0; j < n; j++) to[j] = factor[j] * (g[j] - plain[j] - (x[j] - mean[j]) * scale[j] * turned[j]);
}

/* ---------------------------------------------------------------- lines -- */

/* By NumPy's tree: of elements, or of the squares of what they are more than `mean`. */
FG_APART static REAL OF(sum)(const REAL *x, bool squares, REAL mean, intptr_t n) {
    if (n > LEAF) {
        const REAL left = OF(sum)(x, squares, mean, fg_half(n));
        return left + OF(sum)(x + fg_half(n), squares, mean, n - fg_half(n));
    }
    return squares ? OF(leaf_of_squares)(x, mean, n) : OF(leaf)(x, n);
}

static REAL OF(divided)(REAL sum, intptr_t n) { return (REAL)((double)sum / (double)n); }

/* The mean of means of pieces: of elements, or of the squares of what they are more than `from`. */
static REAL OF(mean)(const fg_norm *f, intptr_t line, bool squares, REAL from) {
    REAL total = 0;
    for (intptr_t i = 0; i < f->a; i++) {
        const REAL *x = (const REAL *)f->x + (i * f->c + line) * f->b;
        total += OF(divided)(OF(sum)(x, squares, from, f->b), f->b);
    }
    return OF(divided)(total, f->a);
}

static REAL OF(scale)(const fg_norm *f, REAL variance) { return 1 / ROOT(variance + (REAL)f->eps); }

/* The weights of a chunk: their own memory where there is one for each element, else `held`, filled with what stands for
 * the line. */
static const REAL *OF(chunk)(const fg_norm *f, const void *values, const REAL *held, intptr_t first) {
    return values && f->along ? (const REAL *)values + first : held;
}

FG_APART static void OF(hold)(const fg_norm *f, const void *values, REAL *held, REAL none, intptr_t line) {
    const REAL value = values && !f->along ? ((const REAL *)values)[line] : none;
    for (intptr_t i = 0; i < f->b && i < CHUNK; i++) held[i] = value;
}

static void OF(forward_lines)(void *context, intptr_t line, intptr_t last) {
    const fg_norm *f = context;
    REAL w[CHUNK], bias[CHUNK], *moments = f->moments;
    for (intptr_t first = line; line < last; line++) {
        const REAL mean = f->centred ? OF(mean)(f, line, false, 0) : 0;
        const REAL scale = OF(scale)(f, OF(mean)(f, line, true, mean));
        moments[line] = mean;
        moments[f->c + line] = scale;
        if (line == first || !f->along) {
            OF(hold)(f, f->w, w, 1, line);
            OF(hold)(f, f->bias, bias, 0, line);
        }
        for (intptr_t i = 0; i < f->a; i++) {
            const intptr_t at = (i * f->c + line) * f->b;
            for (intptr_t k = 0; k < f->b; k += CHUNK)
                OF(scaled)((const REAL *)f->x + at + k, (REAL *)f->out + at + k, mean, scale, OF(chunk)(f, f->w, w, k),
                           OF(chunk)(f, f->bias, bias, k), f->b - k < CHUNK ? f->b - k : CHUNK);
        }
    }
}

/* The vjp along one line; `ones` are the weights where there are none for each element. */
static void OF(vjp_line)(const fg_norm *f, intptr_t line, const REAL *ones, REAL *dw, REAL *db) {
    const void *w = f->along ? f->w : NULL;
    const REAL *moments = f->moments, mean = moments[line], scale = moments[f->c + line];
    const REAL factor = scale * (f->w && !f->along ? ((const REAL *)f->w)[line] : 1);
    double sums[2] = {0, 0};
    for (intptr_t i = 0; i < f->a; i++) {
        const intptr_t at = (i * f->c + line) * f->b;
        for (intptr_t k = 0; k < f->b; k += CHUNK)
            OF(terms)((const REAL *)f->g + at + k, (const REAL *)f->x + at + k, mean, scale, OF(chunk)(f, w, ones, k),
                      sums, f->b - k < CHUNK ? f->b - k : CHUNK);
        if (f->along && dw) OF(weighed)((const REAL *)f->g + at, (const REAL *)f->x + at, mean, scale, dw, db, f->b);
    }
    if (!f->along && dw) dw[line] = (REAL)sums[1], db[line] = (REAL)sums[0];
    const REAL plain = f->centred ? (REAL)(sums[0] / (double)(f->a * f->b)) : 0;
    const REAL turned = (REAL)(sums[1] / (double)(f->a * f->b));
    for (intptr_t i = 0; i < f->a && f->dx; i++) {
        const intptr_t at = (i * f->c + line) * f->b;
        for (intptr_t k = 0; k < f->b; k += CHUNK)
            OF(pulled)((const REAL *)f->g + at + k, (const REAL *)f->x + at + k, (REAL *)f->dx + at + k,
                       OF(chunk)(f, w, ones, k), mean, scale, factor, plain, turned,
                       f->b - k < CHUNK ? f->b - k : CHUNK);
    }
}

/* Blocks of lines, each of which has sums of its own where weights are along the lines. */
static void OF(vjp_lines)(void *context, intptr_t block, intptr_t last) {
    const fg_norm *f = context;
    REAL ones[CHUNK];
    OF(hold)(f, NULL, ones, 1, 0);
    for (; block < last; block++) {
        const intptr_t end = f->c < (block + 1) * f->together ? f->c : (block + 1) * f->together;
        REAL *dw = f->dw, *db = f->db;
        if (f->along && dw) {
            dw = (REAL *)f->parts + 2 * block * f->b, db = dw + f->b;
            memset(dw, 0, 2 * (size_t)f->b * sizeof *dw);
        }
        for (intptr_t line = block * f->together; line < end; line++) OF(vjp_line)(f, line, ones, dw, db);
    }
}

static void OF(join_parts)(const fg_norm *f, intptr_t blocks) {
    REAL *dw = f->dw, *db = f->db;
    for (intptr_t k = 0; k < f->b; k++) dw[k] = db[k] = 0;
    OF(columns)(f->parts, 2 * f->b, blocks, dw, f->b);
    OF(columns)((const REAL *)f->parts + f->b, 2 * f->b, blocks, db, f->b);
}

/* ---------------------------------------------------------------- columns -- */

static void OF(forward_columns)(void *context, intptr_t part, intptr_t last) {
    const fg_norm *f = context;
    REAL w[WIDE], bias[WIDE], sum[WIDE];
    for (; part < last; part++) {
        const intptr_t at = part * f->together, n = f->c - at < f->together ? f->c - at : f->together;
        const REAL *x = (const REAL *)f->x + at;
        REAL *mean = (REAL *)f->moments + at, *scale = mean + f->c;
        for (intptr_t j = 0; j < n; j++) {
            w[j] = f->w ? ((const REAL *)f->w)[at + j] : 1;
            bias[j] = f->bias ? ((const REAL *)f->bias)[at + j] : 0;
            mean[j] = sum[j] = 0;
        }
        if (f->centred) OF(columns)(x, f->c, f->a, mean, n);
        for (intptr_t j = 0; j < n; j++) mean[j] = OF(divided)(mean[j], f->a);
        OF(column_squares)(x, f->c, f->a, mean, sum, n);
        for (intptr_t j = 0; j < n; j++) scale[j] = OF(scale)(f, OF(divided)(sum[j], f->a));
        for (intptr_t i = 0; i < f->a; i++)
            OF(scaled_row)(x + i * f->c, (REAL *)f->out + at + i * f->c, mean, scale, w, bias, n);
    }
}

static void OF(vjp_columns)(void *context, intptr_t part, intptr_t last) {
    const fg_norm *f = context;
    REAL plain[WIDE], turned[WIDE], factor[WIDE];
    for (; part < last; part++) {
        const intptr_t at = part * f->together, n = f->c - at < f->together ? f->c - at : f->together;
        const REAL *g = (const REAL *)f->g + at, *x = (const REAL *)f->x + at;
        const REAL *mean = (const REAL *)f->moments + at, *scale = mean + f->c;
        for (intptr_t j = 0; j < n; j++) plain[j] = turned[j] = 0;
        OF(column_terms)(g, x, f->c, f->a, mean, scale, plain, turned, n);
        for (intptr_t j = 0; j < n; j++) {
            if (f->dw) ((REAL *)f->dw)[at + j] = turned[j], ((REAL *)f->db)[at + j] = plain[j];
            plain[j] = f->centred ? plain[j] / (REAL)f->a : 0;
            turned[j] /= (REAL)f->a;
            factor[j] = scale[j] * (f->w ? ((const REAL *)f->w)[at + j] : 1);
        }
        for (intptr_t i = 0; i < f->a && f->dx; i++)
            OF(pulled_row)(g + i * f->c, x + i * f->c, (REAL *)f->dx + at + i * f->c, mean, scale, factor, plain,
                           turned, n);
    }
}

#undef LEAF_OF
#undef ITSELF
#undef SQUARED
#undef DOWN
#undef PLAIN
#undef SQUARE
#undef TURNED
