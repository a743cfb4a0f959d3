/* Sampling: which tokens may be drawn (temperature, top-k, top-p, min-p, typical-p, in that order)
 * and the draw itself. The same tokens remain as after `transformers`' warpers, but nothing is
 * sorted as a whole: top-k keeps a heap of k values, top-p and typical-p take the best from a heap
 * until their mass is reached. */
#include "generate/parts.h"

#include <math.h>

/* ---- the k largest of a stream ---- */

/* a comes after b: smaller, or equal and later. */
static bool ranked_after(struct ranked a, struct ranked b) {
    return a.value < b.value || (a.value == b.value && a.index > b.index);
}

static void ranked_sift_down(struct ranked *heap, uint32_t n, uint32_t at) {
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= n) {
            return;
        }
        if (child + 1 < n && ranked_after(heap[child + 1], heap[child])) {
            child++;
        }
        if (!ranked_after(heap[child], heap[at])) {
            return;
        }
        const struct ranked other = heap[at];
        heap[at] = heap[child];
        heap[child] = other;
        at = child;
    }
}

/* heap[0] is the last of those kept. */
uint32_t ranked_push(struct ranked *heap, uint32_t n, uint32_t k, float value, uint32_t index) {
    const struct ranked entry = {value, index};
    if (n == k) {
        if (ranked_after(heap[0], entry)) {
            heap[0] = entry;
            ranked_sift_down(heap, n, 0);
        }
        return n;
    }
    uint32_t at = n;
    heap[at] = entry;
    while (at > 0 && ranked_after(heap[at], heap[(at - 1) / 2])) {
        const struct ranked other = heap[at];
        heap[at] = heap[(at - 1) / 2];
        heap[(at - 1) / 2] = other;
        at = (at - 1) / 2;
    }
    return n + 1;
}

void ranked_sort(struct ranked *heap, uint32_t n) {
    for (uint32_t end = n; end > 1; end--) {
        const struct ranked last = heap[0];
        heap[0] = heap[end - 1];
        heap[end - 1] = last;
        ranked_sift_down(heap, end - 1, 0);
    }
}

/* ---- candidates ---- */

void candidates_create(struct candidates *candidates, struct arena *arena, uint32_t vocab_size) {
    const size_t n = vocab_size;
    candidates->n = 0;
    candidates->ids = arena_alloc(arena, n * sizeof(*candidates->ids));
    candidates->scores = arena_alloc(arena, n * sizeof(*candidates->scores));
    candidates->probs = arena_alloc(arena, n * sizeof(*candidates->probs));
    candidates->ranked = arena_alloc(arena, n * sizeof(*candidates->ranked));
    candidates->keep = arena_alloc(arena, n);
}

void candidates_fill(struct candidates *candidates, const float *scores, uint32_t vocab_size) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < vocab_size; i++) {
        candidates->ids[n] = (int32_t)i;
        candidates->scores[n] = scores[i];
        n += scores[i] > -INFINITY; /* also drops NaN */
    }
    candidates->n = n;
}

/* Drops those whose keep[] is 0; the order stays. */
static void compact(struct candidates *c) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        if (c->keep[i]) {
            c->ids[n] = c->ids[i];
            c->scores[n] = c->scores[i];
            n++;
        }
    }
    c->n = n;
}

static void probabilities(struct candidates *c) {
    memcpy(c->probs, c->scores, c->n * sizeof(*c->probs));
    ops_softmax(c->probs, c->n);
}

/* ---- the warpers ---- */

static bool temperature_applies(const struct generation_config *config) {
    return config->temperature != 1;
}

static void temperature(struct candidates *c, const struct generation_config *config,
                        uint32_t min_keep) {
    for (uint32_t i = 0; i < c->n; i++) {
        c->scores[i] /= config->temperature;
    }
}

static bool top_k_applies(const struct generation_config *config) {
    return config->top_k > 0;
}

/* Keeps what is not below the k-th largest: ties of it stay. */
static void top_k(struct candidates *c, const struct generation_config *config, uint32_t min_keep) {
    const uint32_t k = config->top_k > min_keep ? config->top_k : min_keep;
    if (k >= c->n) {
        return;
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        n = ranked_push(c->ranked, n, k, c->scores[i], i);
    }
    const float least = c->ranked[0].value;
    for (uint32_t i = 0; i < c->n; i++) {
        c->keep[i] = c->scores[i] >= least;
    }
    compact(c);
}

/* Makes c->ranked a heap with the largest key first, where keys are put in by the caller. */
static void heap_build(struct ranked *heap, uint32_t n) {
    for (uint32_t i = n / 2; i-- > 0;) {
        ranked_sift_down(heap, n, i);
    }
}

static struct ranked heap_pop(struct ranked *heap, uint32_t n) {
    const struct ranked top = heap[0];
    heap[0] = heap[n - 1];
    ranked_sift_down(heap, n - 1, 0);
    return top;
}

static bool top_p_applies(const struct generation_config *config) {
    return config->top_p < 1;
}

/* Keeps the most probable tokens until those before hold top_p. The heap has its smallest value
 * on top, so keys are negated. */
static void top_p(struct candidates *c, const struct generation_config *config, uint32_t min_keep) {
    probabilities(c);
    for (uint32_t i = 0; i < c->n; i++) {
        c->ranked[i] = (struct ranked){-c->probs[i], c->n - i};
        c->keep[i] = 0;
    }
    heap_build(c->ranked, c->n);
    double mass = 0;
    for (uint32_t taken = 0; taken < c->n; taken++) {
        if (taken >= min_keep && mass >= config->top_p) {
            break;
        }
        const struct ranked best = heap_pop(c->ranked, c->n - taken);
        c->keep[c->n - best.index] = 1;
        mass -= best.value;
    }
    compact(c);
}

static float entropy_of(const float *logprobs, uint32_t n) {
    double entropy = 0;
    for (uint32_t i = 0; i < n; i++) {
        entropy -= (double)logprobs[i] * expf(logprobs[i]);
    }
    return (float)entropy;
}

/* Drops what is less probable than `limit`, but keeps the min_keep best. Probabilities are there.
 */
static void drop_below(struct candidates *c, float limit, uint32_t min_keep) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        n = ranked_push(c->ranked, n, min_keep, c->scores[i], i);
        c->keep[i] = c->probs[i] >= limit;
    }
    for (uint32_t i = 0; i < n; i++) {
        c->keep[c->ranked[i].index] = 1;
    }
    compact(c);
}

static bool min_p_applies(const struct generation_config *config) {
    return config->min_p > 0;
}

static void min_p(struct candidates *c, const struct generation_config *config, uint32_t min_keep) {
    probabilities(c);
    drop_below(c, config->min_p * c->probs[ops_argmax(c->probs, c->n)], min_keep);
}

static bool typical_p_applies(const struct generation_config *config) {
    return config->typical_p < 1;
}

/* Keeps the tokens whose information is nearest to the entropy until they hold typical_p
 * (Meister et al. 2022, as TypicalLogitsWarper has it: the one that reaches it stays, with ties).
 */
static void typical_p(struct candidates *c, const struct generation_config *config,
                      uint32_t min_keep) {
    memcpy(c->probs, c->scores, c->n * sizeof(*c->probs));
    ops_log_softmax(c->probs, c->n);
    const float entropy = entropy_of(c->probs, c->n);
    for (uint32_t i = 0; i < c->n; i++) {
        c->ranked[i] = (struct ranked){fabsf(-c->probs[i] - entropy), c->n - i};
        c->keep[i] = 0;
    }
    heap_build(c->ranked, c->n);
    double mass = 0;
    float last = 0;
    for (uint32_t taken = 0; taken < c->n; taken++) {
        if (taken >= min_keep && mass >= config->typical_p && c->ranked[0].value > last) {
            break;
        }
        const struct ranked best = heap_pop(c->ranked, c->n - taken);
        if (mass < config->typical_p) {
            last = best.value;
        }
        c->keep[c->n - best.index] = 1;
        mass += expf(c->probs[c->n - best.index]);
    }
    compact(c);
}

static bool epsilon_cutoff_applies(const struct generation_config *config) {
    return config->epsilon_cutoff > 0 && config->epsilon_cutoff < 1;
}

static void epsilon_cutoff(struct candidates *c, const struct generation_config *config,
                           uint32_t min_keep) {
    probabilities(c);
    drop_below(c, config->epsilon_cutoff, min_keep);
}

static bool eta_cutoff_applies(const struct generation_config *config) {
    return config->eta_cutoff > 0 && config->eta_cutoff < 1;
}

/* Eta sampling (Hewitt et al. 2022): the limit sinks where the choice is wide open. */
static void eta_cutoff(struct candidates *c, const struct generation_config *config,
                       uint32_t min_keep) {
    const float epsilon = config->eta_cutoff;
    memcpy(c->probs, c->scores, c->n * sizeof(*c->probs));
    ops_log_softmax(c->probs, c->n);
    const float limit = fminf(epsilon, sqrtf(epsilon) * expf(-entropy_of(c->probs, c->n)));
    probabilities(c);
    drop_below(c, limit, min_keep);
}

static bool renormalize_applies(const struct generation_config *config) {
    return config->renormalize_logits;
}

/* No draw depends on it, but beams add the scores up. */
static void renormalize(struct candidates *c, const struct generation_config *config,
                        uint32_t min_keep) {
    ops_log_softmax(c->scores, c->n);
}

const struct warper generation_warpers[] = {
    {"temperature", temperature_applies, temperature},
    {"top_k", top_k_applies, top_k},
    {"top_p", top_p_applies, top_p},
    {"min_p", min_p_applies, min_p},
    {"typical_p", typical_p_applies, typical_p},
    {"epsilon_cutoff", epsilon_cutoff_applies, epsilon_cutoff},
    {"eta_cutoff", eta_cutoff_applies, eta_cutoff},
    {"renormalize_logits", renormalize_applies, renormalize},
};
const size_t generation_n_warpers = ARRAY_LEN(generation_warpers);

void candidates_warp(struct candidates *candidates, const struct generation_config *config,
                     uint32_t min_keep) {
    for (size_t i = 0; i < ARRAY_LEN(generation_warpers) && candidates->n > 0; i++) {
        if (generation_warpers[i].applies(config)) {
            generation_warpers[i].run(candidates, config, min_keep);
        }
    }
}

int32_t candidates_draw(struct candidates *candidates, struct random *random, float *logprob) {
    struct candidates *c = candidates;
    if (c->n == 0) { /* nothing is allowed: as good as any */
        *logprob = -INFINITY;
        return 0;
    }
    probabilities(c);
    double total = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        total += c->probs[i];
    }
    double left = random_uniform(random) * total;
    uint32_t chosen = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        if (c->probs[i] > 0) {
            chosen = i;
            left -= c->probs[i];
            if (left < 0) {
                break;
            }
        }
    }
    *logprob = logf(c->probs[chosen]);
    return c->ids[chosen];
}
