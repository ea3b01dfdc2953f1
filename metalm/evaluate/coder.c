/* The coder of metalm/evaluate/coder.py: an n-gram cache beside a GRU, mixed, charged and learned from, byte by byte.

   metalm/evaluate/cache.py and mixing.py hold the same in numpy, with the equations and where they come from; this is
   what runs, many times as fast, and in several threads. Differences are those of rounding: here all is double.

   What makes it fast: a context changes the chances of the few bytes that followed it, and scales all others by one
   factor, so only the few need a logarithm; contexts that were never met say what the next shorter one does, so
   their weights are added up and their distribution is read once.

   Shapes: V = 256 bytes, E experts (the GRU, contexts by rising length, the word so far, that with the word before). */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define V 256
#define MOST_EXPERTS 16
#define DISCOUNT 0.7
#define LEAST_P 1e-7
#define WORD_BYTES 32
#define UNDER_WORDS 4

typedef struct {
    double counts[V]; /* discounted where they are not 0 */
    uint8_t seen[V];  /* the bytes that have a count, in the order in which they came */
    int distinct;
    long total;
} Followers;

typedef struct {
    uint64_t key; /* of the context; 0: the slot is free */
    int32_t met;  /* the byte that followed it once; below zero: -1 - its place among the followers */
} Slot;

typedef struct {
    long num_orders, has_words, experts, orders[MOST_EXPERTS];
    double rate, *by_trust, *by_byte; /* the sets (K, E) of both selectors */
    Slot *slots;
    long num_slots, used;
    Followers *followers;
    long num_followers, room;
    uint8_t *text;
    long length, text_room;
    long word, before, before_end; /* where the word so far begins, and where the word before it lies */
} Coder;

static int in_word(int byte) {
    return byte >= 128 || (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

/* ---- contexts by their hash: of 64 bits, so that two of one text share one about never ---- */

static uint64_t mixed(uint64_t hash, uint64_t value) {
    hash = (hash ^ (value + 1)) * 0x9E3779B97F4A7C15u;
    return hash ^ (hash >> 29);
}

static uint64_t hashed(uint64_t hash, const uint8_t *bytes, long n) {
    for (long i = 0; i < n; i++) hash = mixed(hash, bytes[i]);
    return hash ? hash : 1;
}

static Slot *slot_of(Slot *slots, long num_slots, uint64_t key) {
    long place = (long)(key & (uint64_t)(num_slots - 1));
    while (slots[place].key && slots[place].key != key) place = (place + 1) & (num_slots - 1);
    return slots + place;
}

static Slot *find(const Coder *c, uint64_t key) {
    Slot *slot = slot_of(c->slots, c->num_slots, key);
    return slot->key ? slot : NULL;
}

/* ---- what followed a context ---- */

static void add(Followers *f, int byte) {
    if (f->counts[byte] == 0) {
        f->seen[f->distinct++] = (uint8_t)byte;
        f->counts[byte] = 1 - DISCOUNT;
    } else {
        f->counts[byte] += 1;
    }
    f->total++;
}

static void count(Coder *c, uint64_t key, int byte) {
    Slot *slot = slot_of(c->slots, c->num_slots, key);
    if (!slot->key) {
        slot->key = key;
        slot->met = byte;
        c->used++;
        return;
    }
    if (slot->met >= 0) {
        Followers *f = c->followers + c->num_followers;
        memset(f, 0, sizeof(Followers));
        add(f, slot->met);
        slot->met = (int32_t)(-1 - c->num_followers++);
    }
    add(c->followers + (-1 - slot->met), byte);
}

/* Room for all that one more byte may add; 0 where there is none. */
static int make_room(Coder *c) {
    if (c->num_followers + c->experts > c->room) {
        long room = 2 * c->room + MOST_EXPERTS;
        Followers *more = realloc(c->followers, room * sizeof(Followers));
        if (!more) return 0;
        c->followers = more, c->room = room;
    }
    if (c->length == c->text_room) {
        uint8_t *more = realloc(c->text, 2 * c->text_room);
        if (!more) return 0;
        c->text = more, c->text_room *= 2;
    }
    if (2 * (c->used + c->experts) > c->num_slots) {
        Slot *more = calloc(2 * c->num_slots, sizeof(Slot));
        if (!more) return 0;
        for (long i = 0; i < c->num_slots; i++)
            if (c->slots[i].key) *slot_of(more, 2 * c->num_slots, c->slots[i].key) = c->slots[i];
        free(c->slots);
        c->slots = more, c->num_slots *= 2;
    }
    return 1;
}

/* ---- one byte ---- */

/* What a context says over the next shorter one: chances and their logarithms, before the least is kept. */
static void interpolate(const Coder *c, int32_t met, const double *lower_p, const double *lower_log, double *p, double *log_p) {
    if (met >= 0) {
        double log_scale = log(DISCOUNT);
        for (int v = 0; v < V; v++) p[v] = lower_p[v] * DISCOUNT, log_p[v] = lower_log[v] + log_scale;
        p[met] += 1 - DISCOUNT;
        log_p[met] = log(p[met]);
        return;
    }
    const Followers *f = c->followers + (-1 - met);
    double scale = DISCOUNT * f->distinct / f->total, log_scale = log(scale);
    for (int v = 0; v < V; v++) p[v] = lower_p[v] * scale, log_p[v] = lower_log[v] + log_scale;
    for (int i = 0; i < f->distinct; i++) {
        int v = f->seen[i];
        p[v] += f->counts[v] / f->total;
        log_p[v] = log(p[v]);
    }
}

static int followed_by(const Coder *c, int32_t met, int byte) {
    return met >= 0 ? met == byte : c->followers[-1 - met].counts[byte] != 0;
}

/* 0 several bytes followed it; 1 one, once; 2 always the same. */
static long certainty(const Coder *c, int32_t met) {
    return met >= 0 ? 1 : 2 * (c->followers[-1 - met].distinct == 1);
}

static long begin_of_word(const Coder *c, long begin, long end) {
    return end - begin > WORD_BYTES ? end - WORD_BYTES : begin;
}

/* The nats of a byte, from what the GRU says (V,); then all learn from it. */
static double code(Coder *c, const float *gru_log, int byte) {
    double p[MOST_EXPERTS][V], log_p[MOST_EXPERTS][V], read[MOST_EXPERTS][V], z[V];
    const uint8_t *end = c->text + c->length;
    /* Row 0 of p lies below all contexts; row_of[e]: which row an expert's distribution is. */
    long row_of[MOST_EXPERTS], longest = 0, contexts = 0;
    uint64_t keys[MOST_EXPERTS];
    int32_t met[MOST_EXPERTS];
    for (int v = 0; v < V; v++) p[0][v] = 1.0 / V, log_p[0][v] = log(1.0 / V);
    int is_met = 1;
    for (; contexts < c->num_orders && c->orders[contexts] <= c->length; contexts++) {
        long k = c->orders[contexts];
        keys[contexts] = hashed(mixed(0, k), end - k, k);
        Slot *slot = is_met ? find(c, keys[contexts]) : NULL;
        is_met = slot != NULL; /* else no longer one was met */
        if (!is_met) continue;
        met[longest] = slot->met;
        interpolate(c, slot->met, p[longest], log_p[longest], p[longest + 1], log_p[longest + 1]);
        longest++;
    }
    for (long k = 0; k < c->num_orders; k++) row_of[1 + k] = k < longest ? k + 1 : longest;
    long rows = longest + 1;
    uint64_t word_keys[2];
    if (c->has_words) {
        long under = UNDER_WORDS < c->num_orders ? UNDER_WORDS : c->num_orders, lower = under ? row_of[under] : 0;
        long begin = begin_of_word(c, c->word, c->length), before = begin_of_word(c, c->before, c->before_end);
        word_keys[0] = hashed(mixed(1, 0), c->text + begin, c->length - begin);
        word_keys[1] = hashed(mixed(2, 0), c->text + before, c->before_end - before);
        word_keys[1] = hashed(mixed(word_keys[1], V), c->text + begin, c->length - begin);
        for (int i = 0; i < 2; i++) {
            Slot *slot = find(c, word_keys[i]);
            if (slot) {
                interpolate(c, slot->met, p[lower], log_p[lower], p[rows], log_p[rows]);
                lower = rows++;
            }
            row_of[1 + c->num_orders + i] = lower;
        }
    }

    /* Mix. Of read, row 0 is the GRU and row 1 + r the r-th of log_p, no smaller than the least. */
    long place = 3 * longest + (longest ? certainty(c, met[longest - 1]) : 0);
    double *trust = c->by_trust + place * c->experts;
    double *after = c->by_byte + (c->length ? end[-1] : 0) * c->experts;
    double weights[MOST_EXPERTS] = {0};
    weights[0] = trust[0] + after[0];
    for (long e = 1; e < c->experts; e++) weights[1 + row_of[e]] += trust[e] + after[e];
    for (int v = 0; v < V; v++) read[0][v] = gru_log[v], z[v] = weights[0] * read[0][v];
    for (long r = 0; r < rows; r++) {
        double *row = read[1 + r];
        for (int v = 0; v < V; v++) row[v] = log_p[r][v] > log(LEAST_P) ? log_p[r][v] : log(LEAST_P);
        for (int v = 0; v < V; v++) z[v] += weights[1 + r] * row[v];
    }
    double most = z[0], total = 0;
    for (int v = 1; v < V; v++) most = z[v] > most ? z[v] : most;
    double nats = -(z[byte] - most);
    for (int v = 0; v < V; v++) z[v] = exp(z[v] - most), total += z[v];
    nats += log(total);

    /* Learn: down the gradient of the nats, and the counts. */
    if (c->rate != 0) {
        double step[MOST_EXPERTS];
        for (long r = 0; r <= rows; r++) {
            double mean = 0;
            for (int v = 0; v < V; v++) mean += read[r][v] * z[v];
            step[r] = c->rate * (read[r][byte] - mean / total);
        }
        for (long e = 0; e < c->experts; e++) {
            double moved = step[e ? 1 + row_of[e] : 0];
            trust[e] += moved, after[e] += moved;
        }
    }
    long lowest = 0;
    for (long k = longest - 1; k > 0 && !lowest; k--)
        if (followed_by(c, met[k], byte)) lowest = k;
    for (long k = lowest; k < contexts; k++) count(c, keys[k], byte);
    c->text[c->length] = (uint8_t)byte;
    if (c->has_words) {
        for (int i = 0; i < 2; i++) count(c, word_keys[i], byte);
        if (!in_word(byte)) {
            if (c->length > c->word) c->before = c->word, c->before_end = c->length;
            c->word = c->length + 1;
        }
    }
    c->length++;
    return nats;
}

/* ---- what Python calls ---- */

void coder_free(Coder *c) {
    if (!c) return;
    free(c->by_trust), free(c->by_byte), free(c->slots), free(c->followers), free(c->text);
    free(c);
}

/* by_trust (3 (num_orders + 1), E): the sets of the first selector as they begin; those of the other begin at 0. */
Coder *coder_new(const long *orders, long num_orders, long has_words, const double *by_trust, double rate) {
    Coder *c = calloc(1, sizeof(Coder));
    if (!c) return NULL;
    c->num_orders = num_orders, c->has_words = has_words, c->rate = rate;
    c->experts = 1 + num_orders + 2 * has_words;
    if (num_orders) memcpy(c->orders, orders, num_orders * sizeof(long));
    c->num_slots = 1 << 12, c->room = 1 << 8, c->text_room = 1 << 12;
    long size = 3 * (num_orders + 1) * c->experts * sizeof(double);
    c->by_trust = malloc(size);
    c->by_byte = calloc(V * c->experts, sizeof(double));
    c->slots = calloc(c->num_slots, sizeof(Slot));
    c->followers = malloc(c->room * sizeof(Followers));
    c->text = malloc(c->text_room);
    if (!c->by_trust || !c->by_byte || !c->slots || !c->followers || !c->text) {
        coder_free(c);
        return NULL;
    }
    memcpy(c->by_trust, by_trust, size);
    return c;
}

/* nats (n,) of the bytes that come next; gru_log (n, V). 0, or 1 where there is no memory. */
int coder_code(Coder *c, long n, const float *gru_log, const uint8_t *bytes, double *nats) {
    for (long i = 0; i < n; i++) {
        if (!make_room(c)) return 1;
        nats[i] = code(c, gru_log + i * V, bytes[i]);
    }
    return 0;
}
