/* The recurrence of one GRU layer over time: forward, backward, and the tangents of both.

   Only what goes step by step stands here; products over all steps at once (inputs, outputs, gradients of the
   weights) are ordinary large matrix products and stay with torch. metalm/model/recurrence.py holds the same four
   functions in torch, and the equations.

   What makes it fast: W_hh is packed once into the order in which it is read, then serves every step; a tile of ROWS
   texts x one vector of units accumulates all three gates in registers; and the gates are computed there, before
   anything goes back to memory.

   Shapes: S steps, R rows (texts side by side), H units. Arrays are row-major, time first. A gate row of 4H numbers
   holds r, z, n and the n part of W_hh h + b_hh; a derivative row d(r), d(z), d(n) * r and d(n), all before their
   nonlinearity. So its first 3H columns belong to W_hh h, and columns [0, 2H) and [3H, 4H) to the input.

   Compiled by metalm/model/native.py, once with REAL=float and once with REAL=double. */

#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#define ROWS 8 /* ROWS * GATES accumulators, and what feeds them, fit the vector registers */
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#define ROWS 4
#elif defined(__aarch64__)
#define VECTOR_BYTES 16
#define ROWS 8
#else
#define VECTOR_BYTES 16
#define ROWS 4
#endif

#define LANES ((long)(VECTOR_BYTES / sizeof(REAL)))
#define GATES 3
#define PAIR 2 /* vectors of units that a backward tile spans */

typedef REAL vec __attribute__((vector_size(VECTOR_BYTES)));
typedef REAL loose __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)))); /* need not be aligned */
#define INLINE static inline __attribute__((always_inline))

/* ---- vectors, the last of a row perhaps cut short: n lanes count ---- */

INLINE vec load(const REAL *from, long n) {
    if (n >= LANES) return *(const loose *)from;
    vec v = {0};
    memcpy(&v, from, n * sizeof(REAL));
    return v;
}

INLINE void store(REAL *to, vec v, long n) {
    if (n >= LANES) *(loose *)to = v;
    else memcpy(to, &v, n * sizeof(REAL));
}

/* ---- exp(x) - 1 and the two nonlinearities, to a unit or two in the last place; NaN stays NaN ---- */

INLINE vec select_(__typeof__((vec){0} > (vec){0}) where, vec yes, vec no) {
    typedef __typeof__(where) mask;
    return (vec)((where & (mask)yes) | (~where & (mask)no));
}

INLINE vec clamped(vec x, REAL limit) {
    vec most = (vec){0} + limit;
    x = select_(x > most, most, x);
    return select_(x < -most, -most, x);
}

/* x = k ln 2 + rest; gives 2^k and, by Taylor's series, exp(rest) - 1. */
INLINE void powers(vec x, vec *two_to_k, vec *small) {
    typedef __typeof__(x > x) ints;
    const int terms = sizeof(REAL) == 4 ? 7 : 13;
    const REAL shift = sizeof(REAL) == 4 ? (REAL)12582912.0 : (REAL)6755399441055744.0; /* 1.5 * 2^(mantissa) */
    vec k = (x * (REAL)1.4426950408889634 + shift) - shift;                              /* rounds to a whole number */
    vec rest = x - k * (REAL)(sizeof(REAL) == 4 ? 0.693145751953125 : 0.6931471803691238);
    rest = rest - k * (REAL)(sizeof(REAL) == 4 ? 1.428606765330187e-06 : 1.9082149292705877e-10);
    static const REAL inverse[] = {1, 1, 1. / 2, 1. / 3, 1. / 4, 1. / 5, 1. / 6, 1. / 7, 1. / 8,
                                   1. / 9, 1. / 10, 1. / 11, 1. / 12, 1. / 13};
    vec sum = (vec){0} + 1;
    for (int i = terms; i > 1; i--) sum = sum * rest * inverse[i] + 1;
    *small = sum * rest;
    ints bits = __builtin_convertvector(k, ints);
    *two_to_k = (vec)((bits + (sizeof(REAL) == 4 ? 127 : 1023)) << (sizeof(REAL) == 4 ? 23 : 52));
}

INLINE vec sigmoid(vec x) {
    vec scale, small;
    powers(clamped(-x, sizeof(REAL) == 4 ? 87 : 700), &scale, &small);
    return 1 / (1 + (scale + scale * small));
}

INLINE vec tanh_(vec x) {
    vec scale, small;
    powers(clamped(2 * x, sizeof(REAL) == 4 ? 40 : 80), &scale, &small);
    vec minus_one = scale * small + (scale - 1); /* exp(2x) - 1, exact near 0 */
    return minus_one / (minus_one + 2);
}

/* ---- tiles ---- */

/* sum[r][v] += a[r][k] * w[k][v] over k: `rows` rows of a, `vectors` vectors of packed w. */
INLINE void accumulate(const long rows, const long vectors, vec *sum, long depth, const REAL *a, long stride,
                       const REAL *w) {
#pragma GCC unroll 4
    for (long k = 0; k < depth; k++, w += vectors * LANES) {
#pragma GCC unroll 8
        for (long r = 0; r < rows; r++) {
#pragma GCC unroll 4
            for (long v = 0; v < vectors; v++) sum[r * vectors + v] += a[r * stride + k] * *(const vec *)(w + v * LANES);
        }
    }
}

#define UNROLL _Pragma("GCC unroll 8") /* a loop over sums that stays one would put them into memory */

/* BODY(rows) with the number of rows a constant, so that the compiler keeps the sums in registers. */
#if ROWS == 8
#define FOR_ROWS(rows, BODY) \
    switch (rows) { case 1: BODY(1) break; case 2: BODY(2) break; case 3: BODY(3) break; case 4: BODY(4) break; \
                    case 5: BODY(5) break; case 6: BODY(6) break; case 7: BODY(7) break; default: BODY(8) }
#else
#define FOR_ROWS(rows, BODY) \
    switch (rows) { case 1: BODY(1) break; case 2: BODY(2) break; case 3: BODY(3) break; default: BODY(4) }
#endif

INLINE long at_most(long n, long limit) { return n < limit ? n : limit; }
INLINE long blocks(long units, long width) { return (units + width - 1) / width; }

static REAL *scratch(long numbers) { return aligned_alloc(64, (numbers * sizeof(REAL) + 63) / 64 * 64); }

/* W (3H, H), to be multiplied from the left of h: [block of units][k][gate][lane], depth rows of each block in all;
   this W fills depth rows [begin, begin + H) of the blocks of units [low, high). */
static void pack_forward(REAL *packed, const REAL *w, long H, long begin, long depth, long low, long high) {
    for (long unit = low; unit < high; unit += LANES)
        for (long g = 0; g < GATES; g++) {
            const long n = at_most(H - unit, LANES);
            const REAL *from = w + (g * H + unit) * H;
            REAL *to = packed + ((unit / LANES * depth + begin) * GATES + g) * LANES;
            for (long k = 0; k < H; k++, to += GATES * LANES)
                for (long lane = 0; lane < LANES; lane++) to[lane] = lane < n ? from[lane * H + k] : 0;
        }
}

/* W (3H, H), to be multiplied from the right of a derivative row: [block of units][k][PAIR vectors]. */
static void pack_backward(REAL *packed, const REAL *w, long H, long begin, long depth) {
    const long width = PAIR * LANES;
    for (long j = 0; j < blocks(H, width); j++)
        for (long k = 0; k < GATES * H; k++) {
            REAL *to = packed + (j * depth + begin + k) * width;
            long n = at_most(H - j * width, width);
            memcpy(to, w + k * H + j * width, n * sizeof(REAL));
            memset(to + n, 0, (width - n) * sizeof(REAL));
        }
}

/* W (N, K), to be multiplied from the left of rows of K: [block of N][k][PAIR vectors]. */
static void pack_rows(REAL *packed, const REAL *w, long N, long K) {
    const long width = PAIR * LANES;
    for (long first = 0; first < N; first += width)
        for (long k = 0; k < K; k++, packed += width)
            for (long lane = 0; lane < width; lane++) packed[lane] = first + lane < N ? w[(first + lane) * K + k] : 0;
}

/* out (R, N) = x (R, K) W^T + bias */
static void product(REAL *out, const REAL *x, const REAL *packed, const REAL *bias, long R, long K, long N) {
    const long width = PAIR * LANES;
    for (long unit = 0; unit < N; unit += width)
        for (long first = 0; first < R; first += ROWS) {
#define BODY(rows) {                                                                                          \
    vec sum[rows * PAIR] = {0};                                                                               \
    accumulate(rows, PAIR, sum, K, x + first * K, K, packed + unit * K);                                      \
    UNROLL for (long i = 0; i < rows; i++)                                                                    \
        UNROLL for (long v = 0; v < PAIR; v++) {                                                              \
            const long at = unit + v * LANES;                                                                 \
            if (at < N) store(out + (first + i) * N + at, sum[i * PAIR + v] + load(bias + at, N - at), N - at); \
        }                                                                                                     \
}
            FOR_ROWS(R - first, BODY)
#undef BODY
        }
}

INLINE const REAL *row_of(const REAL *input, const long *index, long row, long width) {
    return input + (index ? index[row] : row) * width;
}

/* Come to a meeting that begins when `expected` have come to it and to those before. */
static void meet(long *arrived, long expected) {
    __atomic_add_fetch(arrived, 1, __ATOMIC_ACQ_REL);
    for (long looks = 0; __atomic_load_n(arrived, __ATOMIC_ACQUIRE) < expected; looks++)
        if (looks > 1000) sched_yield(); /* whoever is waited for may need this core */
}

/* ---- the functions; each returns 0, or 1 when there is no memory ---- */

/* How many numbers W takes when packed for gru_forward. */
long gru_packed_size(long H) { return blocks(H, LANES) * LANES * GATES * H; }

/* Pack W once for many calls of gru_forward. packed: 64-byte aligned. */
int gru_pack(long H, const REAL *w, REAL *packed) {
    pack_forward(packed, w, H, 0, H, 0, H);
    return 0;
}

/* input (., 3H): W_ih x + b_ih, row index[s * R + r] of it for step s and row r (index NULL: rows in order).
   hs (S + 1, R, H): hs[0] is given, the rest is written. gates (S, R, 4H), or NULL when no derivative will follow.
   prepared: what gru_pack made of w, or NULL. A team of threads may make the same call, each as another member: each
   computes some of the units of every step, and they meet after it, at the counter `arrived`, 0 at first. */
int gru_forward(long S, long R, long H, long member, long members, const REAL *input, const long *index, const REAL *w,
                const REAL *bias, REAL *hs, REAL *gates, const REAL *prepared, long *arrived) {
    const long low = blocks(H, LANES) * member / members * LANES;
    const long high = member + 1 == members ? H : blocks(H, LANES) * (member + 1) / members * LANES;
    REAL *own = prepared ? NULL : scratch(gru_packed_size(H));
    if (!prepared && !own) {
        if (members > 1) __atomic_store_n(arrived, LONG_MAX / 2, __ATOMIC_RELEASE); /* nobody must wait for it */
        return 1;
    }
    if (own) pack_forward(own, w, H, 0, H, low, high);
    const REAL *packed = prepared ? prepared : own;
    for (long s = 0; s < S; s++) {
        const REAL *before = hs + s * R * H;
        REAL *after = hs + (s + 1) * R * H;
        for (long unit = low; unit < high; unit += LANES) {
            const long n = H - unit;
            const REAL *block = packed + unit * GATES * H;
            const vec br = load(bias + unit, n), bz = load(bias + H + unit, n), bn = load(bias + 2 * H + unit, n);
            for (long first = 0; first < R; first += ROWS) {
#define BODY(rows) {                                                                                        \
    vec sum[rows * GATES];                                                                                  \
    UNROLL for (long r = 0; r < rows; r++) sum[r * GATES] = br, sum[r * GATES + 1] = bz, sum[r * GATES + 2] = bn;\
    accumulate(rows, GATES, sum, H, before + first * H, H, block);                                          \
    UNROLL for (long i = 0; i < rows; i++) {                                                                \
        const long row = first + i;                                                                         \
        const REAL *x = row_of(input, index, s * R + row, 3 * H) + unit;                                    \
        const vec r = sigmoid(load(x, n) + sum[i * GATES]);                                                 \
        const vec z = sigmoid(load(x + H, n) + sum[i * GATES + 1]);                                         \
        const vec t = tanh_(load(x + 2 * H, n) + r * sum[i * GATES + 2]);                                   \
        store(after + row * H + unit, t + z * (load(before + row * H + unit, n) - t), n);                   \
        if (gates) {                                                                                        \
            REAL *g = gates + (s * R + row) * 4 * H + unit;                                                 \
            store(g, r, n), store(g + H, z, n), store(g + 2 * H, t, n);                                     \
            store(g + 3 * H, sum[i * GATES + 2], n);                                                        \
        }                                                                                                   \
    }                                                                                                       \
}
                FOR_ROWS(R - first, BODY)
#undef BODY
            }
        }
        if (members > 1) meet(arrived, members * (s + 1));
    }
    free(own);
    return 0;
}

/* dh[r] (a row of H, padded to `padded`) += d[r][0:depth] times packed backward weights. */
static void add_product(REAL *dh, long padded, const REAL *d, const REAL *packed, long R, long H, long begin,
                        long depth, long whole) {
    const long width = PAIR * LANES;
    for (long unit = 0; unit < H; unit += width)
        for (long first = 0; first < R; first += ROWS) {
#define BODY(rows) {                                                                                          \
    vec sum[rows * PAIR] = {0};                                                                               \
    accumulate(rows, PAIR, sum, depth, d + first * 4 * H, 4 * H, packed + unit * whole + begin * width);      \
    UNROLL for (long i = 0; i < rows; i++)                                                                    \
        UNROLL for (long v = 0; v < PAIR; v++)                                                                 \
            *(vec *)(dh + (first + i) * padded + unit + v * LANES) += sum[i * PAIR + v];                      \
}
            FOR_ROWS(R - first, BODY)
#undef BODY
        }
}

/* One step's derivatives of the gates from dh (of the state after it); dh becomes what reaches the state before it
   beside W_hh. */
INLINE void gate_derivatives(REAL *dh, const REAL *g, const REAL *before, REAL *d, long H) {
    for (long unit = 0; unit < H; unit += LANES) {
        const long n = H - unit;
        const vec r = load(g + unit, n), z = load(g + H + unit, n), t = load(g + 2 * H + unit, n);
        const vec hn = load(g + 3 * H + unit, n), h = load(before + unit, n), dy = *(vec *)(dh + unit);
        const vec dn = dy * (1 - z) * (1 - t * t);
        store(d + unit, dn * hn * r * (1 - r), n);
        store(d + H + unit, dy * (h - t) * z * (1 - z), n);
        store(d + 2 * H + unit, dn * r, n);
        store(d + 3 * H + unit, dn, n);
        *(vec *)(dh + unit) = dy * z;
    }
}

INLINE void add_row(REAL *dh, const REAL *dout, long H) {
    for (long unit = 0; unit < H; unit += LANES) *(vec *)(dh + unit) += load(dout + unit, H - unit);
}

/* dout (S, R, H): derivatives by hs[1:] from above. Writes d (S, R, 4H), which may be the memory of the gates: every
   number of theirs is read before the one in its place is written. */
int gru_backward(long S, long R, long H, const REAL *w, const REAL *hs, const REAL *gates, const REAL *dout, REAL *d) {
    const long padded = blocks(H, PAIR * LANES) * PAIR * LANES;
    REAL *packed = scratch(padded * GATES * H), *dh = scratch(R * padded);
    if (!packed || !dh) { free(packed), free(dh); return 1; }
    pack_backward(packed, w, H, 0, GATES * H);
    memset(dh, 0, R * padded * sizeof(REAL));
    for (long s = S - 1; s >= 0; s--) {
        for (long r = 0; r < R; r++) {
            const long row = s * R + r;
            add_row(dh + r * padded, dout + row * H, H);
            gate_derivatives(dh + r * padded, gates + row * 4 * H, hs + row * H, d + row * 4 * H, H);
        }
        if (s > 0) add_product(dh, padded, d + s * R * 4 * H, packed, R, H, 0, GATES * H, GATES * H);
    }
    free(packed), free(dh);
    return 0;
}

/* The tangent of gru_forward along (input_dot, w_dot, bias_dot), from a state whose tangent is 0: hs_dot[0] is given
   as 0. hs and gates are what gru_forward wrote. */
int gru_tangent(long S, long R, long H, const REAL *input_dot, const long *index, const REAL *w, const REAL *w_dot,
                const REAL *bias_dot, const REAL *hs, const REAL *gates, REAL *hs_dot, REAL *gates_dot) {
    const long depth = 2 * H; /* W times the state's tangent, then the tangent of W times the state */
    REAL *packed = scratch(blocks(H, LANES) * LANES * GATES * depth);
    if (!packed) return 1;
    pack_forward(packed, w, H, 0, depth, 0, H);
    pack_forward(packed, w_dot, H, H, depth, 0, H);
    for (long s = 0; s < S; s++) {
        const REAL *before = hs + s * R * H, *before_dot = hs_dot + s * R * H;
        REAL *after_dot = hs_dot + (s + 1) * R * H;
        for (long unit = 0; unit < H; unit += LANES) {
            const long n = H - unit;
            const REAL *block = packed + unit * GATES * depth;
            const vec br = load(bias_dot + unit, n), bz = load(bias_dot + H + unit, n);
            const vec bn = load(bias_dot + 2 * H + unit, n);
            for (long first = 0; first < R; first += ROWS) {
#define BODY(rows) {                                                                                        \
    vec sum[rows * GATES];                                                                                  \
    UNROLL for (long r = 0; r < rows; r++) sum[r * GATES] = br, sum[r * GATES + 1] = bz, sum[r * GATES + 2] = bn;\
    accumulate(rows, GATES, sum, H, before_dot + first * H, H, block);                                      \
    accumulate(rows, GATES, sum, H, before + first * H, H, block + H * GATES * LANES);                      \
    UNROLL for (long i = 0; i < rows; i++) {                                                                \
        const long row = first + i;                                                                         \
        const REAL *x = row_of(input_dot, index, s * R + row, 3 * H) + unit;                                \
        const REAL *g = gates + (s * R + row) * 4 * H + unit;                                               \
        const vec r = load(g, n), z = load(g + H, n), t = load(g + 2 * H, n), hn = load(g + 3 * H, n);      \
        const vec r_dot = r * (1 - r) * (load(x, n) + sum[i * GATES]);                                      \
        const vec z_dot = z * (1 - z) * (load(x + H, n) + sum[i * GATES + 1]);                              \
        const vec hn_dot = sum[i * GATES + 2];                                                              \
        const vec t_dot = (1 - t * t) * (load(x + 2 * H, n) + r_dot * hn + r * hn_dot);                     \
        const vec h = load(before + row * H + unit, n), h_dot = load(before_dot + row * H + unit, n);       \
        REAL *to = gates_dot + (s * R + row) * 4 * H + unit;                                                \
        store(to, r_dot, n), store(to + H, z_dot, n), store(to + 2 * H, t_dot, n);                          \
        store(to + 3 * H, hn_dot, n);                                                                       \
        store(after_dot + row * H + unit, t_dot + z_dot * (h - t) + z * (h_dot - t_dot), n);                \
    }                                                                                                       \
}
                FOR_ROWS(R - first, BODY)
#undef BODY
            }
        }
    }
    free(packed);
    return 0;
}

/* gate_derivatives and its tangent. e: the tangent of dh, which becomes that of what reaches the state before. */
INLINE void gate_derivative_tangents(REAL *dh, REAL *e, const REAL *g, const REAL *g_dot, const REAL *before,
                                     const REAL *before_dot, REAL *d, REAL *d_dot, long H) {
    for (long unit = 0; unit < H; unit += LANES) {
        const long n = H - unit;
        const vec r = load(g + unit, n), z = load(g + H + unit, n), t = load(g + 2 * H + unit, n);
        const vec hn = load(g + 3 * H + unit, n), h = load(before + unit, n), dy = *(vec *)(dh + unit);
        const vec r_dot = load(g_dot + unit, n), z_dot = load(g_dot + H + unit, n);
        const vec t_dot = load(g_dot + 2 * H + unit, n), hn_dot = load(g_dot + 3 * H + unit, n);
        const vec h_dot = load(before_dot + unit, n), dy_dot = *(vec *)(e + unit);
        const vec dn = dy * (1 - z) * (1 - t * t);
        const vec dn_dot = (dy_dot * (1 - z) - dy * z_dot) * (1 - t * t) - 2 * dy * (1 - z) * t * t_dot;
        const vec dr = dn * hn;
        store(d + unit, dr * r * (1 - r), n);
        store(d_dot + unit, (dn_dot * hn + dn * hn_dot) * r * (1 - r) + dr * r_dot * (1 - 2 * r), n);
        store(d + H + unit, dy * (h - t) * z * (1 - z), n);
        store(d_dot + H + unit,
              (dy_dot * (h - t) + dy * (h_dot - t_dot)) * z * (1 - z) + dy * (h - t) * z_dot * (1 - 2 * z), n);
        store(d + 2 * H + unit, dn * r, n);
        store(d_dot + 2 * H + unit, dn_dot * r + dn * r_dot, n);
        store(d + 3 * H + unit, dn, n);
        store(d_dot + 3 * H + unit, dn_dot, n);
        *(vec *)(dh + unit) = dy * z;
        *(vec *)(e + unit) = dy_dot * z + dy * z_dot;
    }
}

/* gru_backward and its tangent in one pass: the first is needed at every step of the second. Here, too, d may be gates
   and d_dot gates_dot. */
int gru_backward_tangent(long S, long R, long H, const REAL *w, const REAL *w_dot, const REAL *hs, const REAL *gates,
                         const REAL *hs_dot, const REAL *gates_dot, const REAL *dout, const REAL *dout_dot, REAL *d,
                         REAL *d_dot) {
    const long padded = blocks(H, PAIR * LANES) * PAIR * LANES, depth = GATES * H, whole = 2 * depth;
    REAL *packed = scratch(padded * whole), *dh = scratch(2 * R * padded);
    if (!packed || !dh) { free(packed), free(dh); return 1; }
    REAL *e = dh + R * padded;
    pack_backward(packed, w, H, 0, whole);
    pack_backward(packed, w_dot, H, depth, whole);
    memset(dh, 0, 2 * R * padded * sizeof(REAL));
    for (long s = S - 1; s >= 0; s--) {
        for (long r = 0; r < R; r++) {
            const long row = s * R + r;
            add_row(dh + r * padded, dout + row * H, H);
            add_row(e + r * padded, dout_dot + row * H, H);
            gate_derivative_tangents(dh + r * padded, e + r * padded, gates + row * 4 * H, gates_dot + row * 4 * H,
                                     hs + row * H, hs_dot + row * H, d + row * 4 * H, d_dot + row * 4 * H, H);
        }
        const long begin = s * R * 4 * H;
        if (s == 0) break; /* the first state is given */
        add_product(dh, padded, d + begin, packed, R, H, 0, depth, whole);
        add_product(e, padded, d_dot + begin, packed, R, H, 0, depth, whole);
        add_product(e, padded, d + begin, packed, R, H, depth, depth, whole);
    }
    free(packed), free(dh);
    return 0;
}

/* table[index[i]] += the input's part of derivative row i, for i in [0, n): the gradient of a table of inputs.
   table (., 3H). */
int gru_scatter(long n, long H, const long *index, const REAL *d, REAL *table) {
    for (long i = 0; i < n; i++, d += 4 * H) {
        REAL *to = table + index[i] * 3 * H;
        for (long k = 0; k < 2 * H; k++) to[k] += d[k];
        for (long k = 0; k < H; k++) to[2 * H + k] += d[3 * H + k];
    }
    return 0;
}

/* The largest of V numbers; any that are NaN may be passed over. */
static REAL largest(const REAL *numbers, long V) {
    REAL most = numbers[0];
    vec top = (vec){0} + most;
    long v = 0;
    for (; v + LANES <= V; v += LANES) {
        const vec x = load(numbers + v, LANES);
        top = select_(x > top, x, top);
    }
    for (; v < V; v++) most = numbers[v] > most ? numbers[v] : most;
    for (long lane = 0; lane < LANES; lane++) most = top[lane] > most ? top[lane] : most;
    return most;
}

/* tokens[r]: a token of each row of logits (R, V), drawn with probabilities softmax(logits / heat): the first at which
   their running sum exceeds chances[r] of their sum; the likeliest where heat is 0. It is V, which is no token, where a
   logit is NaN or +infinity. */
static void draw(long R, long V, const REAL *logits, REAL heat, const double *chances, REAL *p, long *tokens) {
    for (long r = 0; r < R; r++, logits += V) {
        const REAL most = largest(logits, V);
        double sums[4] = {0}, running = 0; /* four at a time: each addition waits for the one before it */
        const vec limit = (vec){0} - (sizeof(REAL) == 4 ? 87 : 700); /* below it a probability is 0 */
        for (long v = 0; v < V; v += LANES) {
            const vec x = (load(logits + v, V - v) - most) / (heat > 0 ? heat : 1);
            vec scale, small;
            powers(clamped(x, -limit[0]), &scale, &small);
            *(vec *)(p + v) = select_(x < limit, (vec){0}, scale + scale * small);
        }
        for (long v = 0; v < V; v++) sums[v % 4] += p[v];
        const double sum = sums[0] + sums[1] + sums[2] + sums[3];
        long token = 0;
        if (heat > 0) while (token < V && !((running += p[token]) > chances[r] * sum)) token++;
        else while (token < V && !(sum > 0 && logits[token] == most)) token++;
        tokens[r] = token;
    }
}

/* How many numbers W (N, K) takes when packed for gru_write. */
long gru_rows_size(long N, long K) { return blocks(N, PAIR * LANES) * PAIR * LANES * K; }

int gru_pack_rows(long N, long K, const REAL *w, REAL *packed) {
    pack_rows(packed, w, N, K);
    return 0;
}

/* Writes T tokens of each of R texts with a network of L layers; drawn (T, R). table (V, 3H): what a token adds to the
   gates of the first layer. recurrent[l], below[l], head: weights, packed; their biases (below[0] is in the table).
   states (L, 2, R, H): the first of the two of each layer is given, and left as it is after the last token read.
   tokens (R): given, the first tokens that are read; left, the next ones. banned: a token that is never drawn, or -1.
   chances (T, R); logits (R, V), inputs (R, 3H): memory. */
int gru_write(long T, long R, long L, long H, long V, long banned, const REAL *table, const REAL *const *recurrent,
              const REAL *const *recurrent_bias, const REAL *const *below, const REAL *const *below_bias,
              const REAL *head, const REAL *head_bias, const REAL *heat, REAL *states, REAL *inputs, REAL *logits,
              const double *chances, long *tokens, long *drawn) {
    REAL *p = scratch(blocks(V, LANES) * LANES);
    if (!p) return 1;
    for (long t = 0; t < T; t++, chances += R, drawn += R) {
        const REAL *output = NULL;
        for (long l = 0; l < L; l++) {
            REAL *hs = states + l * 2 * R * H;
            if (l > 0) product(inputs, output, below[l], below_bias[l], R, H, 3 * H);
            gru_forward(1, R, H, 0, 1, l ? inputs : table, l ? NULL : tokens, NULL, recurrent_bias[l], hs, NULL,
                        recurrent[l], NULL);
            memcpy(hs, hs + R * H, R * H * sizeof(REAL));
            output = hs;
        }
        product(logits, output, head, head_bias, R, H, V);
        for (long r = 0; banned >= 0 && r < R; r++) logits[r * V + banned] = -1 / (REAL)0;
        draw(R, V, logits, *heat, chances, p, drawn);
        /* Whoever reads "no token" ends it all; until then any will do. */
        for (long r = 0; r < R; r++) tokens[r] = at_most(drawn[r], V - 1);
    }
    free(p);
    return 0;
}
