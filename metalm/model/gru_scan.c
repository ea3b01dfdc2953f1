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
#define UNROLL _Pragma("GCC unroll 8") /* a loop over sums that stays one would put them into memory */

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
    static const REAL inverse[] = {1, 1. / 2, 1. / 6, 1. / 24, 1. / 120, 1. / 720, 1. / 5040, 1. / 40320, 1. / 362880,
                                   1. / 3628800, 1. / 39916800, 1. / 479001600, 1. / 6227020800};
    vec sum = (vec){0} + inverse[terms - 1];
    for (int i = terms - 1; i > 0; i--) sum = sum * rest + inverse[i - 1];
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

/* sum[b][r][v] += a[r][k] * w[b][k][v] over k: `rows` rows of a, `blocks` blocks of `vectors` vectors of packed w, which
   lie `apart` numbers from one another. */
INLINE void accumulate(const long rows, const long blocks, const long vectors, vec *sum, long depth, const REAL *a,
                       long stride, const REAL *w, long apart) {
#pragma GCC unroll 4
    for (long k = 0; k < depth; k++, w += vectors * LANES) {
#pragma GCC unroll 4
        for (long b = 0; b < blocks; b++) {
#pragma GCC unroll 8
            for (long r = 0; r < rows; r++) {
#pragma GCC unroll 4
                for (long v = 0; v < vectors; v++)
                    sum[(b * rows + r) * vectors + v] += a[r * stride + k] * *(const vec *)(w + b * apart + v * LANES);
            }
        }
    }
}

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

static REAL *scratch(long numbers) { return aligned_alloc(64, (numbers * sizeof(REAL) + 64) / 64 * 64); }

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

/* W (3H, H), to be multiplied from the right of a derivative row: [block of units][k][PAIR vectors], the blocks of the
   units [low, high) only. */
static void pack_backward(REAL *packed, const REAL *w, long H, long begin, long depth, long low, long high) {
    const long width = PAIR * LANES;
    for (long unit = low; unit < high; unit += width)
        for (long k = 0; k < GATES * H; k++) {
            REAL *to = packed + (unit - low) * depth + (begin + k) * width;
            const long n = at_most(H - unit, width);
            memcpy(to, w + k * H + unit, n * sizeof(REAL));
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
    accumulate(rows, 1, PAIR, sum, K, x + first * K, K, packed + unit * K, 0);                                    \
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

/* ---- teams ---- */

/* One of several threads that make the same call, each for the units [low, high) of every step. They meet after a step,
   at a counter that all share and that is 0 at first. */
typedef struct { long low, high, members, met, *arrived; } team;

INLINE team member_of(long H, long width, long member, long members, long *arrived) {
    const long all = blocks(H, width);
    team own = {at_most(all * member / members * width, H), at_most(all * (member + 1) / members * width, H), members, 0,
                arrived};
    return own;
}

static void meet(team *own) {
    if (own->members == 1) return;
    const long expected = own->members * ++own->met;
    __atomic_add_fetch(own->arrived, 1, __ATOMIC_ACQ_REL);
    for (long looks = 0; __atomic_load_n(own->arrived, __ATOMIC_ACQUIRE) < expected; looks++)
        if (looks > 1000) sched_yield(); /* whoever is waited for may need this core */
}

/* Without memory a member does nothing, and nobody must wait for it. */
static int without_memory(const team *own) {
    if (own->members > 1) __atomic_store_n(own->arrived, LONG_MAX / 2, __ATOMIC_RELEASE);
    return 1;
}

/* ---- the functions; each returns 0, or 1 when there is no memory ---- */

/* How many numbers W takes when packed for gru_forward. */
long gru_packed_size(long H) { return blocks(H, LANES) * LANES * GATES * H; }

/* Pack W once for many calls of gru_forward. packed: 64-byte aligned. */
int gru_pack(long H, const REAL *w, REAL *packed) {
    pack_forward(packed, w, H, 0, H, 0, H);
    return 0;
}

/* Of the rows from `row` on, the units of `wide` blocks from `unit` on. Few rows take several blocks at once: a sum
   waits for its last addition, so enough of them must be under way. */
INLINE void forward_tile(const long rows, const long wide, long unit, long row, long H, const REAL *packed,
                         const REAL *bias, const REAL *input, const long *index, const REAL *before, REAL *after,
                         REAL *gates) {
    vec sum[ROWS * GATES];
    UNROLL for (long b = 0; b < wide; b++) {
        UNROLL for (long r = 0; r < rows; r++) {
            UNROLL for (long g = 0; g < GATES; g++) {
                const long at = unit + b * LANES;
                sum[(b * rows + r) * GATES + g] = load(bias + g * H + at, H - at);
            }
        }
    }
    accumulate(rows, wide, GATES, sum, H, before + row * H, H, packed + unit * GATES * H, GATES * H * LANES);
    UNROLL for (long b = 0; b < wide; b++) {
        UNROLL for (long i = 0; i < rows; i++) {
            const vec *a = sum + (b * rows + i) * GATES;
            const long at = unit + b * LANES, n = H - at;
            const REAL *x = row_of(input, index, row + i, GATES * H) + at;
            const vec r = sigmoid(load(x, n) + a[0]), z = sigmoid(load(x + H, n) + a[1]);
            const vec t = tanh_(load(x + 2 * H, n) + r * a[2]);
            store(after + (row + i) * H + at, t + z * (load(before + (row + i) * H + at, n) - t), n);
            if (gates) {
                REAL *g = gates + (row + i) * 4 * H + at;
                store(g, r, n), store(g + H, z, n), store(g + 2 * H, t, n), store(g + 3 * H, a[2], n);
            }
        }
    }
}

/* input (., 3H): W_ih x + b_ih, row index[s * R + r] of it for step s and row r (index NULL: rows in order).
   hs (S + 1, R, H): hs[0] is given, the rest is written. gates (S, R, 4H), or NULL when no derivative will follow.
   prepared: what gru_pack made of w, or NULL. */
int gru_forward(long S, long R, long H, long member, long members, const REAL *input, const long *index, const REAL *w,
                const REAL *bias, REAL *hs, REAL *gates, const REAL *prepared, long *arrived) {
    team own = member_of(H, LANES, member, members, arrived);
    REAL *memory = prepared ? NULL : scratch(gru_packed_size(H));
    if (!prepared && !memory) return without_memory(&own);
    if (memory) pack_forward(memory, w, H, 0, H, own.low, own.high);
    const REAL *packed = prepared ? prepared : memory;
    for (long s = 0; s < S; s++) {
        const REAL *before = hs + s * R * H, *x = index ? input : input + s * R * GATES * H;
        const long *rows_of_x = index ? index + s * R : NULL;
        REAL *after = hs + (s + 1) * R * H, *kept = gates ? gates + s * R * 4 * H : NULL;
        for (long unit = own.low, wide; unit < own.high; unit += wide * LANES) {
            const long left = (own.high - unit) / LANES;
            wide = R <= ROWS / 4 && left >= 4 ? 4 : R <= ROWS / 2 && left >= 2 ? 2 : 1;
            for (long row = 0; row < R; row += ROWS) {
#define TILE(rows, wide) forward_tile(rows, wide, unit, row, H, packed, bias, x, rows_of_x, before, after, kept);
#define BODY(rows) if (wide == 4 && rows <= ROWS / 4) TILE(rows, 4) \
                   else if (wide == 2 && rows <= ROWS / 2) TILE(rows, 2) else TILE(rows, 1)
                FOR_ROWS(R - row, BODY)
#undef BODY
#undef TILE
            }
        }
        meet(&own);
    }
    free(memory);
    return 0;
}

/* dh[r] (a row of `span` units) += d[r][0:depth] times packed backward weights, from row `begin` of their `whole`. */
static void add_product(REAL *dh, long span, const REAL *d, const REAL *packed, long R, long H, long begin, long depth,
                        long whole) {
    const long width = PAIR * LANES;
    for (long unit = 0; unit < span; unit += width)
        for (long first = 0; first < R; first += ROWS) {
#define BODY(rows) {                                                                                          \
    vec sum[rows * PAIR] = {0};                                                                               \
    accumulate(rows, 1, PAIR, sum, depth, d + first * 4 * H, 4 * H, packed + unit * whole + begin * width, 0);\
    UNROLL for (long i = 0; i < rows; i++)                                                                    \
        UNROLL for (long v = 0; v < PAIR; v++)                                                                \
            *(vec *)(dh + (first + i) * span + unit + v * LANES) += sum[i * PAIR + v];                        \
}
            FOR_ROWS(R - first, BODY)
#undef BODY
        }
}

/* One step's derivatives of the gates of the units [low, high) from dh (of the state after it, from unit `low` on),
   which becomes what reaches the state before it beside W_hh. dout: what comes from above. */
INLINE void gate_derivatives(REAL *dh, const REAL *dout, const REAL *g, const REAL *before, REAL *d, long low, long high,
                             long H) {
    for (long unit = low; unit < high; unit += LANES) {
        const long n = H - unit;
        const vec r = load(g + unit, n), z = load(g + H + unit, n), t = load(g + 2 * H + unit, n);
        const vec hn = load(g + 3 * H + unit, n), h = load(before + unit, n);
        const vec dy = *(vec *)(dh + unit - low) + load(dout + unit, n);
        const vec dn = dy * (1 - z) * (1 - t * t);
        store(d + unit, dn * hn * r * (1 - r), n);
        store(d + H + unit, dy * (h - t) * z * (1 - z), n);
        store(d + 2 * H + unit, dn * r, n);
        store(d + 3 * H + unit, dn, n);
        *(vec *)(dh + unit - low) = dy * z;
    }
}

/* dout (S, R, H): derivatives by hs[1:] from above. Writes d (S, R, 4H), which may be the memory of the gates: every
   number of theirs is read before the one in its place is written. */
int gru_backward(long S, long R, long H, long member, long members, const REAL *w, const REAL *hs, const REAL *gates,
                 const REAL *dout, REAL *d, long *arrived) {
    const long width = PAIR * LANES, depth = GATES * H;
    team own = member_of(H, width, member, members, arrived);
    const long span = blocks(own.high - own.low, width) * width;
    REAL *packed = scratch(span * depth), *dh = scratch(R * span);
    if (!packed || !dh) { free(packed), free(dh); return without_memory(&own); }
    pack_backward(packed, w, H, 0, depth, own.low, own.high);
    memset(dh, 0, R * span * sizeof(REAL));
    for (long s = S - 1; s >= 0; s--) {
        for (long row = s * R; row < (s + 1) * R; row++)
            gate_derivatives(dh + (row - s * R) * span, dout + row * H, gates + row * 4 * H, hs + row * H,
                             d + row * 4 * H, own.low, own.high, H);
        if (s == 0) break; /* the first state is given */
        meet(&own);
        add_product(dh, span, d + s * R * 4 * H, packed, R, H, 0, depth, depth);
    }
    free(packed), free(dh);
    return 0;
}

/* Of the rows from `row` on, the tangents of the units from `unit` on. */
INLINE void tangent_tile(const long rows, long unit, long row, long H, const REAL *packed, const REAL *bias_dot,
                         const REAL *input_dot, const long *index, const REAL *before, const REAL *before_dot,
                         const REAL *gates, REAL *after_dot, REAL *gates_dot) {
    const long n = H - unit;
    const REAL *block = packed + unit * GATES * 2 * H;
    vec sum[ROWS * GATES];
    UNROLL for (long r = 0; r < rows; r++)
        UNROLL for (long g = 0; g < GATES; g++) sum[r * GATES + g] = load(bias_dot + g * H + unit, n);
    accumulate(rows, 1, GATES, sum, H, before_dot + row * H, H, block, 0);
    accumulate(rows, 1, GATES, sum, H, before + row * H, H, block + H * GATES * LANES, 0);
    UNROLL for (long i = 0; i < rows; i++) {
        const REAL *x = row_of(input_dot, index, row + i, GATES * H) + unit;
        const REAL *g = gates + (row + i) * 4 * H + unit;
        const vec r = load(g, n), z = load(g + H, n), t = load(g + 2 * H, n), hn = load(g + 3 * H, n);
        const vec r_dot = r * (1 - r) * (load(x, n) + sum[i * GATES]);
        const vec z_dot = z * (1 - z) * (load(x + H, n) + sum[i * GATES + 1]);
        const vec hn_dot = sum[i * GATES + 2];
        const vec t_dot = (1 - t * t) * (load(x + 2 * H, n) + r_dot * hn + r * hn_dot);
        const long at = (row + i) * H + unit;
        const vec h = load(before + at, n), h_dot = load(before_dot + at, n);
        REAL *to = gates_dot + (row + i) * 4 * H + unit;
        store(to, r_dot, n), store(to + H, z_dot, n), store(to + 2 * H, t_dot, n), store(to + 3 * H, hn_dot, n);
        store(after_dot + at, t_dot + z_dot * (h - t) + z * (h_dot - t_dot), n);
    }
}

/* The tangent of gru_forward along (input_dot, w_dot, bias_dot), from a state whose tangent is 0: hs_dot[0] is given
   as 0. hs and gates are what gru_forward wrote. */
int gru_tangent(long S, long R, long H, long member, long members, const REAL *input_dot, const long *index,
                const REAL *w, const REAL *w_dot, const REAL *bias_dot, const REAL *hs, const REAL *gates, REAL *hs_dot,
                REAL *gates_dot, long *arrived) {
    team own = member_of(H, LANES, member, members, arrived);
    const long depth = 2 * H; /* W times the state's tangent, then the tangent of W times the state */
    REAL *packed = scratch(2 * gru_packed_size(H));
    if (!packed) return without_memory(&own);
    pack_forward(packed, w, H, 0, depth, own.low, own.high);
    pack_forward(packed, w_dot, H, H, depth, own.low, own.high);
    for (long s = 0; s < S; s++) {
        const REAL *x = index ? input_dot : input_dot + s * R * GATES * H;
        for (long unit = own.low; unit < own.high; unit += LANES)
            for (long row = 0; row < R; row += ROWS) {
#define BODY(rows)                                                                                                   \
    tangent_tile(rows, unit, row, H, packed, bias_dot, x, index ? index + s * R : NULL, hs + s * R * H,              \
                 hs_dot + s * R * H, gates + s * R * 4 * H, hs_dot + (s + 1) * R * H, gates_dot + s * R * 4 * H);
                FOR_ROWS(R - row, BODY)
#undef BODY
            }
        meet(&own);
    }
    free(packed);
    return 0;
}

/* gate_derivatives and its tangent. e: the tangent of dh, which becomes that of what reaches the state before. */
INLINE void gate_derivative_tangents(REAL *dh, REAL *e, const REAL *dout, const REAL *dout_dot, const REAL *g,
                                     const REAL *g_dot, const REAL *before, const REAL *before_dot, REAL *d, REAL *d_dot,
                                     long low, long high, long H) {
    for (long unit = low; unit < high; unit += LANES) {
        const long n = H - unit;
        const vec r = load(g + unit, n), z = load(g + H + unit, n), t = load(g + 2 * H + unit, n);
        const vec hn = load(g + 3 * H + unit, n), h = load(before + unit, n);
        const vec r_dot = load(g_dot + unit, n), z_dot = load(g_dot + H + unit, n);
        const vec t_dot = load(g_dot + 2 * H + unit, n), hn_dot = load(g_dot + 3 * H + unit, n);
        const vec h_dot = load(before_dot + unit, n);
        const vec dy = *(vec *)(dh + unit - low) + load(dout + unit, n);
        const vec dy_dot = *(vec *)(e + unit - low) + load(dout_dot + unit, n);
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
        *(vec *)(dh + unit - low) = dy * z;
        *(vec *)(e + unit - low) = dy_dot * z + dy * z_dot;
    }
}

/* gru_backward and its tangent in one pass: the first is needed at every step of the second. Here, too, d may be gates
   and d_dot gates_dot. */
int gru_backward_tangent(long S, long R, long H, long member, long members, const REAL *w, const REAL *w_dot,
                         const REAL *hs, const REAL *gates, const REAL *hs_dot, const REAL *gates_dot, const REAL *dout,
                         const REAL *dout_dot, REAL *d, REAL *d_dot, long *arrived) {
    const long width = PAIR * LANES, depth = GATES * H, whole = 2 * depth;
    team own = member_of(H, width, member, members, arrived);
    const long span = blocks(own.high - own.low, width) * width;
    REAL *packed = scratch(span * whole), *dh = scratch(2 * R * span);
    if (!packed || !dh) { free(packed), free(dh); return without_memory(&own); }
    REAL *e = dh + R * span;
    pack_backward(packed, w, H, 0, whole, own.low, own.high);
    pack_backward(packed, w_dot, H, depth, whole, own.low, own.high);
    memset(dh, 0, 2 * R * span * sizeof(REAL));
    for (long s = S - 1; s >= 0; s--) {
        for (long r = 0; r < R; r++) {
            const long row = s * R + r;
            gate_derivative_tangents(dh + r * span, e + r * span, dout + row * H, dout_dot + row * H, gates + row * 4 * H,
                                     gates_dot + row * 4 * H, hs + row * H, hs_dot + row * H, d + row * 4 * H,
                                     d_dot + row * 4 * H, own.low, own.high, H);
        }
        if (s == 0) break; /* the first state is given */
        meet(&own);
        const long begin = s * R * 4 * H;
        add_product(dh, span, d + begin, packed, R, H, 0, depth, whole);
        add_product(e, span, d_dot + begin, packed, R, H, 0, depth, whole);
        add_product(e, span, d + begin, packed, R, H, depth, depth, whole);
    }
    free(packed), free(dh);
    return 0;
}

/* table[index[i]] += the input's part of derivative row i, for i in [0, n): the gradient of a table of inputs.
   table (., 3H). Members have nothing to wait for: each adds up other columns. */
int gru_scatter(long n, long H, long member, long members, const long *index, const REAL *d, REAL *table, long *arrived) {
    const team own = member_of(H, LANES, member, members, arrived);
    for (long i = 0; i < n; i++, d += 4 * H) {
        REAL *to = table + index[i] * GATES * H;
        for (long k = own.low; k < own.high; k++) to[k] += d[k];
        for (long k = own.low; k < own.high; k++) to[H + k] += d[H + k];
        for (long k = own.low; k < own.high; k++) to[2 * H + k] += d[3 * H + k];
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
