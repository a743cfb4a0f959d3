/* Attention over pages: against sums in double, and that a row's bits depend neither on the other
 * sequences of the batch, nor on the lanes, nor on how a prompt is cut into chunks. */
#include "unit/ops/lanes.h"

enum { PAGES = 10, MOST_SEQS = 4, OFFSET = 48, REACH = 41 };

/* A batch (with a bias, where there is a reach): sequences of `rows` new tokens behind `past` old
 * ones. */
static const struct batch_case {
    struct attention_shape shape;
    uint32_t n_seqs;
    struct {
        uint32_t past, rows, cross_keys; /* cross_keys: all keys, not written by the rows */
    } seqs[MOST_SEQS];
} CASES[] = {
    {{.heads = 4, .kv_heads = 4, .head_size = 10, .scale = 0.4f, .causal = true},
     3,
     {{0, 1, 0}, {0, 23, 0}, {0, 40, 0}}},
    {{.heads = 6, .kv_heads = 2, .head_size = 16, .scale = 0.25f, .causal = true},
     2,
     {{0, 37, 0}, {0, 5, 0}}},
    {{.heads = 2, .kv_heads = 2, .head_size = 64, .scale = 0.125f},
     4,
     {{0, 12, 0}, {0, 33, 0}, {0, 16, 0}, {0, 1, 0}}},
    {{.heads = 3, .kv_heads = 1, .head_size = 40, .scale = 0.3f, .causal = true, .window = 7},
     2,
     {{0, 60, 0}, {0, 3, 0}}},
    {{.heads = 2, .kv_heads = 2, .head_size = 80, .scale = 0.1f}, 2, {{0, 4, 70}, {0, 9, 3}}},
    {{.heads = 1, .kv_heads = 1, .head_size = 128, .scale = 0.1f, .causal = true},
     1,
     {{0, 140, 0}}},
    {{.heads = 3,
      .kv_heads = 3,
      .head_size = 10,
      .scale = 0.4f,
      .causal = true,
      .bias_reach = REACH},
     2,
     {{0, 17, 0}, {0, REACH, 0}}},
    {{.heads = 4, .kv_heads = 2, .head_size = 16, .scale = 1, .bias_reach = REACH},
     2,
     {{0, REACH, 0}, {0, 1, 0}}},
    {{.heads = 4, .kv_heads = 1, .head_size = 24, .scale = 0.5f, .causal = true, .softcap = 3},
     2,
     {{0, 40, 0}, {0, 2, 0}}},
    {{.heads = 2,
      .kv_heads = 1,
      .head_size = 16,
      .causal = true,
      .window = 9,
      .softcap = 2,
      .scale = 0.5f,
      .bias_reach = REACH},
     2,
     {{0, 30, 0}, {0, REACH, 0}}},
    {{.heads = 2, .kv_heads = 2, .head_size = 16, .scale = 0.25f, .window = 8},
     3,
     {{0, 60, 0}, {0, 1, 0}, {0, 9, 0}}},
    {{.heads = 3,
      .kv_heads = 3,
      .head_size = 8,
      .scale = 0.4f,
      .causal = true,
      .bias_reach = REACH,
      .bias_by_key = true},
     2,
     {{0, REACH, 0}, {0, 3, 0}}},
    {{.heads = 2, .kv_heads = 2, .head_size = 8, .scale = 0.25f, .window = 33},
     2,
     {{0, 120, 0}, {0, 16, 0}}},
};

struct batch {
    const struct batch_case *c;
    struct attention_shape shape; /* with its bias */
    float *bias;
    struct attention_seq seqs[MOST_SEQS];
    float *pages[MOST_SEQS][PAGES];
    uint32_t rows;
    size_t ld, ldkv;
    float *q, *k, *v, *y;
    struct scratch *scratch;
};

static void write_and_attend(struct lane *lane, void *arg) {
    const struct batch *b = arg;
    const struct attention_shape *shape = &b->shape;
    if (b->k != NULL) {
        device_cpu()->kv_write(lane, shape, b->seqs, b->c->n_seqs, OFFSET, b->k, b->ldkv, b->v,
                               b->ldkv);
    }
    device_cpu()->attention(lane, b->scratch, shape, b->seqs, b->c->n_seqs, OFFSET, b->q, b->ld,
                            b->y, b->ld);
}

static void make_batch(struct batch *b, const struct batch_case *c) {
    *b = (struct batch){.c = c, .shape = c->shape};
    if (c->shape.bias_reach > 0) {
        b->bias = random_floats((size_t)c->shape.heads * (2 * REACH - 1), -3, 3);
        b->shape.bias = b->bias;
    }
    const size_t page = OFFSET + kv_page_floats(c->shape.kv_heads, c->shape.head_size);
    const bool cross = c->seqs[0].cross_keys > 0;
    for (uint32_t s = 0; s < c->n_seqs; s++) {
        for (uint32_t i = 0; i < PAGES; i++) {
            b->pages[s][i] = mem_zalloc(page, sizeof(float));
            for (size_t k = 0; cross && k < page; k++) {
                b->pages[s][i][k] = uniform(-1, 1);
            }
        }
        b->seqs[s] = (struct attention_seq){.row = b->rows,
                                            .rows = c->seqs[s].rows,
                                            .past = c->seqs[s].past,
                                            .keys = cross ? c->seqs[s].cross_keys
                                                          : c->seqs[s].past + c->seqs[s].rows,
                                            .pages = b->pages[s]};
        b->rows += c->seqs[s].rows;
    }
    b->ld = (size_t)c->shape.heads * c->shape.head_size + 3;
    b->ldkv = (size_t)c->shape.kv_heads * c->shape.head_size + 1;
    b->q = random_floats(b->rows * b->ld, -2, 2);
    b->y = random_floats(b->rows * b->ld, -1, 1);
    b->k = cross ? NULL : random_floats(b->rows * b->ldkv, -1, 1);
    b->v = cross ? NULL : random_floats(b->rows * b->ldkv, -1, 1);
    b->scratch = make_scratch(b->rows, c->shape.heads * c->shape.head_size, PAGES * KV_PAGE_TOKENS);
}

static void drop_batch(struct batch *b) {
    for (uint32_t s = 0; s < b->c->n_seqs; s++) {
        for (uint32_t i = 0; i < PAGES; i++) {
            mem_free(b->pages[s][i]);
        }
    }
    mem_free(b->bias);
    mem_free(b->q);
    mem_free(b->k);
    mem_free(b->v);
    mem_free(b->y);
    scratch_destroy(b->scratch);
}

/* Whether the query at `at` sees the key. */
static bool sees(const struct attention_shape *s, uint32_t at, uint32_t key) {
    if (s->causal) {
        return key <= at && (s->window == 0 || at - key < s->window);
    }
    return s->window == 0 || (key < at ? at - key : key - at) <= s->window / 2;
}

/* One output row and head in double; keys and values read from the pages. */
static void reference(const struct batch *b, const struct attention_seq *seq, uint32_t r,
                      uint32_t h, double *out) {
    const struct attention_shape *s = &b->shape;
    const uint32_t at = seq->past + r;
    const uint32_t size = s->head_size, kv = h / (s->heads / s->kv_heads);
    const float *q = b->q + (seq->row + r) * b->ld + (size_t)h * size;
    double sum = 0;
    memset(out, 0, size * sizeof(*out));
    for (uint32_t key = 0; key < seq->keys; key++) {
        if (!sees(s, at, key)) {
            continue;
        }
        const float *page = seq->pages[key / KV_PAGE_TOKENS] + OFFSET;
        const float *keys = page + (size_t)kv * size * KV_PAGE_TOKENS + key % KV_PAGE_TOKENS;
        const float *values = page + (size_t)s->kv_heads * size * KV_PAGE_TOKENS +
                              ((size_t)kv * KV_PAGE_TOKENS + key % KV_PAGE_TOKENS) * size;
        double score = 0;
        for (uint32_t d = 0; d < size; d++) {
            score += (double)q[d] * keys[(size_t)d * KV_PAGE_TOKENS];
        }
        score *= s->scale;
        score = s->softcap > 0 ? s->softcap * tanh(score / s->softcap) : score;
        score += s->bias != NULL
                     ? s->bias[h * (2 * REACH - 1) + key + REACH - 1 - (s->bias_by_key ? 0 : at)]
                     : 0;
        const double p = exp(score);
        sum += p;
        for (uint32_t d = 0; d < size; d++) {
            out[d] += p * values[d];
        }
    }
    for (uint32_t d = 0; d < size; d++) {
        out[d] /= sum;
    }
}

static void outputs_are_softmax_of_scores_times_values(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct batch b;
        make_batch(&b, &CASES[i]);
        run_lanes(2, write_and_attend, &b);
        for (uint32_t s = 0; s < b.c->n_seqs; s++) {
            for (uint32_t r = 0; r < b.seqs[s].rows; r++) {
                for (uint32_t h = 0; h < b.c->shape.heads; h++) {
                    double want[128];
                    reference(&b, &b.seqs[s], r, h, want);
                    for (uint32_t d = 0; d < b.c->shape.head_size; d++) {
                        const size_t at = (b.seqs[s].row + r) * b.ld + h * b.c->shape.head_size + d;
                        near(b.y[at], want[d], 3e-6, "attention", at);
                    }
                }
            }
        }
        drop_batch(&b);
    }
}

static void any_number_of_lanes_gives_the_same_bits(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct batch b;
        make_batch(&b, &CASES[i]);
        const size_t bytes = b.rows * b.ld * sizeof(float);
        float *other = random_floats(b.rows * b.ld, 0, 1), *y = b.y;
        memcpy(other, y, bytes);
        run_lanes(1, write_and_attend, &b);
        b.y = other;
        for (uint32_t lanes = 2; lanes <= MOST_LANES; lanes++) {
            run_lanes(lanes, write_and_attend, &b);
            assert_memory_equal(y, other, bytes);
        }
        b.y = y;
        mem_free(other);
        drop_batch(&b);
    }
}

/* Sequences one by one, their rows in chunks of `chunk`, into pages that begin zeroed. */
static void run_chunked(struct batch *b, const struct batch *whole, uint32_t chunk) {
    const size_t page = OFFSET + kv_page_floats(b->c->shape.kv_heads, b->c->shape.head_size);
    struct batch_case one = *b->c;
    one.n_seqs = 1;
    for (uint32_t s = 0; s < whole->c->n_seqs; s++) {
        const struct attention_seq *seq = &whole->seqs[s];
        for (uint32_t i = 0; i < PAGES; i++) {
            memset(seq->pages[i], 0, page * sizeof(float));
        }
        for (uint32_t r = 0; r < seq->rows; r += chunk) {
            const uint32_t n = seq->rows - r < chunk ? seq->rows - r : chunk;
            b->c = &one;
            b->seqs[0] = (struct attention_seq){seq->row + r, n, r, r + n, seq->pages};
            run_lanes(1 + r % MOST_LANES, write_and_attend, b);
        }
    }
}

static void a_row_is_the_same_alone_and_in_any_chunks(void **state) {
    static const uint32_t CHUNKS[] = {1, 3, 16, 25};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        if (!CASES[i].shape.causal) {
            continue;
        }
        struct batch b;
        make_batch(&b, &CASES[i]);
        run_lanes(2, write_and_attend, &b);
        const size_t bytes = b.rows * b.ld * sizeof(float);
        for (size_t j = 0; j < ARRAY_LEN(CHUNKS); j++) {
            struct batch chunked = b;
            chunked.y = mem_alloc(bytes);
            memcpy(chunked.y, b.y, bytes);
            for (uint32_t r = 0; r < b.rows; r++) {
                memset(chunked.y + r * b.ld, 0, (b.ld - 3) * sizeof(float));
            }
            run_chunked(&chunked, &b, CHUNKS[j]);
            assert_memory_equal(chunked.y, b.y, bytes);
            mem_free(chunked.y);
        }
        drop_batch(&b);
    }
}

/* The bias of a batch, as a function that looks it up. */
static void look_up(const void *user, uint32_t seq, uint32_t row, uint32_t h, uint32_t from,
                    uint32_t to, float *out) {
    const struct batch *b = user;
    for (uint32_t k = from; k < to; k++) {
        out[k] = b->bias[(size_t)h * (2 * REACH - 1) + k + REACH - 1 -
                         (b->shape.bias_by_key ? 0 : b->seqs[seq].past + row)];
    }
}

/* All heads at once by the table are head by head by the function, to the bit. */
static void a_function_may_give_the_bias_of_some_heads(void **state) {
    size_t seen = 0;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        if (CASES[i].shape.bias_reach == 0) {
            continue;
        }
        struct batch b;
        make_batch(&b, &CASES[i]);
        run_lanes(2, write_and_attend, &b);
        struct batch made = b;
        made.y = random_floats(b.rows * b.ld, 5, 6);
        made.shape.bias = NULL;
        made.shape.row_bias = look_up;
        made.shape.row_bias_user = &b;
        made.shape.n_heads = 1;
        for (uint32_t h = 0; h < made.shape.kv_heads; h++) {
            const float before = made.y[0];
            made.shape.first_head = h;
            run_lanes(1 + h % MOST_LANES, write_and_attend, &made);
            assert_true(h == 0 || made.y[0] == before);
        }
        for (uint32_t r = 0; r < b.rows; r++) {
            assert_memory_equal(made.y + r * b.ld, b.y + r * b.ld, (b.ld - 3) * sizeof(float));
        }
        mem_free(made.y);
        drop_batch(&b);
        seen++;
    }
    assert_true(seen > 2);
}

static void no_keys_give_zeros(void **state) {
    struct batch b;
    make_batch(&b, &CASES[4]);
    b.seqs[0].keys = 0;
    run_lanes(2, write_and_attend, &b);
    for (uint32_t r = 0; r < b.seqs[0].rows; r++) {
        for (size_t d = 0; d + 3 < b.ld; d++) {
            near(b.y[r * b.ld + d], 0, 0, "no keys", d);
        }
    }
    drop_batch(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_are_softmax_of_scores_times_values),
        cmocka_unit_test(any_number_of_lanes_gives_the_same_bits),
        cmocka_unit_test(a_row_is_the_same_alone_and_in_any_chunks),
        cmocka_unit_test(a_function_may_give_the_bias_of_some_heads),
        cmocka_unit_test(no_keys_give_zeros),
    };
    return cmocka_run_group_tests(tests, make_teams, destroy_teams);
}
