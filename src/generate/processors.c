/* Logits processors: one function and one row each, in the order in which `transformers`'
 * GenerationMixin._get_logits_processor makes them. They work on one line's scores in place.
 * Sampling's own steps (temperature, top-k, ...) are in sample.c. */
#include "generate/parts.h"

#include <float.h>
#include <math.h>

static void ban(const struct scoring *s, int32_t id) {
    if (id >= 0 && (uint32_t)id < s->vocab_size) {
        s->scores[id] = -INFINITY;
    }
}

/* `seen` is zero again behind a processor that marked these. */
static void forget(const struct scoring *s, const int32_t *ids, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        if (ids[i] >= 0 && (uint32_t)ids[i] < s->vocab_size) {
            s->seen[ids[i]] = 0;
        }
    }
}

/* Applies the penalty once to each token of ids, however often it stands there. */
static void penalize(const struct scoring *s, const int32_t *ids, uint32_t n, float penalty) {
    for (uint32_t i = 0; i < n; i++) {
        const int32_t id = ids[i];
        if (id < 0 || (uint32_t)id >= s->vocab_size || s->seen[id]) {
            continue;
        }
        s->seen[id] = 1;
        s->scores[id] = s->scores[id] < 0 ? s->scores[id] * penalty : s->scores[id] / penalty;
    }
    forget(s, ids, n);
}

static bool sequence_bias_applies(const struct generation_config *config) {
    return config->n_biases > 0;
}

static void sequence_bias(const struct scoring *s) {
    for (uint32_t i = 0; i < s->config->n_biases; i++) {
        const struct sequence_bias *b = &s->config->biases[i];
        const int32_t last = b->ids[b->n - 1];
        if ((b->n > 1 && b->n > s->n) || last < 0 || (uint32_t)last >= s->vocab_size) {
            continue;
        }
        if (memcmp(s->ids + s->n - (b->n - 1), b->ids, (b->n - 1) * sizeof(*b->ids)) == 0) {
            s->scores[last] += b->bias;
        }
    }
}

static bool diversity_applies(const struct generation_config *config) {
    return config->num_beams > 1 && config->num_beam_groups > 1;
}

/* A token costs the penalty for each beam of the groups before that has chosen it. */
static void diversity(const struct scoring *s) {
    for (uint32_t i = 0; i < s->n_chosen; i++) {
        const int32_t id = s->chosen[i];
        uint32_t times = 0;
        for (uint32_t j = 0; j < s->n_chosen; j++) {
            times += s->chosen[j] == id;
        }
        if (id >= 0 && (uint32_t)id < s->vocab_size && !s->seen[id]) {
            s->scores[id] -= s->config->diversity_penalty * (float)times;
            s->seen[id] = 1;
        }
    }
    forget(s, s->chosen, s->n_chosen);
}

static bool encoder_repetition_applies(const struct generation_config *config) {
    return config->encoder_repetition_penalty != 1;
}

/* `transformers` gathers by the encoder's ids, of which there is one row: with beams the penalty
 * reaches the best one only. Texts would differ if that were mended here. */
static void encoder_repetition(const struct scoring *s) {
    if (s->beam > 0) {
        return;
    }
    penalize(s, s->encoder_ids, s->n_encoder_ids, 1 / s->config->encoder_repetition_penalty);
}

static bool repetition_applies(const struct generation_config *config) {
    return config->repetition_penalty != 1;
}

static void repetition(const struct scoring *s) {
    penalize(s, s->ids, s->n, s->config->repetition_penalty);
}

/* Bans every token that would complete an n-gram which stands in `text` already. */
static void ban_ngrams(const struct scoring *s, const int32_t *text, uint32_t n_text,
                       uint32_t size) {
    const uint32_t prefix = size - 1;
    if (s->n < prefix) {
        return;
    }
    const int32_t *last = s->ids + s->n - prefix;
    for (uint32_t i = 0; i + size <= n_text; i++) {
        if (memcmp(text + i, last, prefix * sizeof(*text)) == 0) {
            ban(s, text[i + prefix]);
        }
    }
}

static bool no_repeat_ngram_applies(const struct generation_config *config) {
    return config->no_repeat_ngram_size > 0;
}

static void no_repeat_ngram(const struct scoring *s) {
    ban_ngrams(s, s->ids, s->n, s->config->no_repeat_ngram_size);
}

static bool encoder_no_repeat_ngram_applies(const struct generation_config *config) {
    return config->encoder_no_repeat_ngram_size > 0;
}

static void encoder_no_repeat_ngram(const struct scoring *s) {
    ban_ngrams(s, s->encoder_ids, s->n_encoder_ids, s->config->encoder_no_repeat_ngram_size);
}

static bool bad_words_applies(const struct generation_config *config) {
    return config->n_bad_words > 0;
}

/* A sequence that is just the EOS token is not a bad word. One longer than the context is ignored.
 */
static void bad_words(const struct scoring *s) {
    for (uint32_t i = 0; i < s->config->n_bad_words; i++) {
        const int32_t *word = s->config->bad_words[i];
        const uint32_t len = s->config->bad_words_len[i];
        if (len == 0 || (len > 1 && len > s->n) ||
            (len == 1 && stopping_is_eos(s->config, word[0]))) {
            continue;
        }
        if (memcmp(s->ids + s->n - (len - 1), word, (len - 1) * sizeof(*word)) == 0) {
            ban(s, word[len - 1]);
        }
    }
}

static void ban_eos(const struct scoring *s) {
    for (uint32_t i = 0; i < s->config->n_eos; i++) {
        ban(s, s->config->eos[i]);
    }
}

static bool min_length_applies(const struct generation_config *config) {
    return config->min_length > 0;
}

static void min_length(const struct scoring *s) {
    if (s->n < s->min_length) {
        ban_eos(s);
    }
}

static bool min_new_tokens_applies(const struct generation_config *config) {
    return config->min_new_tokens > 0;
}

static void min_new_tokens(const struct scoring *s) {
    if (s->n - s->n_prompt < s->config->min_new_tokens) {
        ban_eos(s);
    }
}

static void force(const struct scoring *s, int32_t id) {
    for (uint32_t i = 0; i < s->vocab_size; i++) {
        s->scores[i] = -INFINITY;
    }
    s->scores[(uint32_t)id < s->vocab_size ? id : 0] = 0;
}

static bool forced_bos_applies(const struct generation_config *config) {
    return config->forced_bos >= 0;
}

static void forced_bos(const struct scoring *s) {
    if (s->n == 1) {
        force(s, s->config->forced_bos);
    }
}

static bool forced_eos_applies(const struct generation_config *config) {
    return config->forced_eos >= 0;
}

static void forced_eos(const struct scoring *s) {
    if (s->n + 1 == s->max_length) {
        force(s, s->config->forced_eos);
    }
}

static bool remove_invalid_applies(const struct generation_config *config) {
    return config->remove_invalid_values;
}

static void remove_invalid(const struct scoring *s) {
    for (uint32_t i = 0; i < s->vocab_size; i++) {
        const float score = s->scores[i];
        s->scores[i] = isnan(score) ? 0 : fminf(fmaxf(score, -FLT_MAX), FLT_MAX);
    }
}

static bool decay_applies(const struct generation_config *config) {
    return config->has_decay;
}

/* Ends become likelier with every token after the start. An end that is not allowed stays so (in
 * `transformers` it becomes NaN, which wins). */
static void decay(const struct scoring *s) {
    const uint64_t start = (uint64_t)s->config->decay_start + s->n_prompt;
    if (s->n <= start) {
        return;
    }
    const float factor = (float)(pow(s->config->decay_factor, (double)(s->n - start)) - 1);
    for (uint32_t i = 0; i < s->config->n_eos; i++) {
        const int32_t id = s->config->eos[i];
        if (id >= 0 && (uint32_t)id < s->vocab_size && s->scores[id] > -INFINITY) {
            s->scores[id] += fabsf(s->scores[id]) * factor;
        }
    }
}

static bool suppress_applies(const struct generation_config *config) {
    return config->n_suppress > 0;
}

static void suppress(const struct scoring *s) {
    for (uint32_t i = 0; i < s->config->n_suppress; i++) {
        ban(s, s->config->suppress[i]);
    }
}

static bool begin_suppress_applies(const struct generation_config *config) {
    return config->n_begin_suppress > 0;
}

/* At the first free token: behind the forced one where there is one. */
static void begin_suppress(const struct scoring *s) {
    const bool forced = s->n_prompt <= 1 && s->config->forced_bos >= 0;
    if (s->n != s->n_prompt + (forced ? 1 : 0)) {
        return;
    }
    for (uint32_t i = 0; i < s->config->n_begin_suppress; i++) {
        ban(s, s->config->begin_suppress[i]);
    }
}

/* Where tokens are drawn it comes after the warpers: sample.c's. */
static bool renormalize_applies(const struct generation_config *config) {
    return config->renormalize_logits && !config->do_sample;
}

static void renormalize(const struct scoring *s) {
    ops_log_softmax(s->scores, s->vocab_size);
}

const struct processor generation_processors[] = {
    {"sequence_bias", sequence_bias_applies, sequence_bias},
    {"diversity_penalty", diversity_applies, diversity},
    {"encoder_repetition_penalty", encoder_repetition_applies, encoder_repetition},
    {"repetition_penalty", repetition_applies, repetition},
    {"no_repeat_ngram_size", no_repeat_ngram_applies, no_repeat_ngram},
    {"encoder_no_repeat_ngram_size", encoder_no_repeat_ngram_applies, encoder_no_repeat_ngram},
    {"bad_words_ids", bad_words_applies, bad_words},
    {"min_length", min_length_applies, min_length},
    {"min_new_tokens", min_new_tokens_applies, min_new_tokens},
    {"forced_bos_token_id", forced_bos_applies, forced_bos},
    {"forced_eos_token_id", forced_eos_applies, forced_eos},
    {"remove_invalid_values", remove_invalid_applies, remove_invalid},
    {"exponential_decay_length_penalty", decay_applies, decay},
    {"suppress_tokens", suppress_applies, suppress},
    {"begin_suppress_tokens", begin_suppress_applies, begin_suppress},
    {"renormalize_logits", renormalize_applies, renormalize},
};
const size_t generation_n_processors = ARRAY_LEN(generation_processors);

void generation_process(const struct scoring *scoring) {
    for (size_t i = 0; i < ARRAY_LEN(generation_processors); i++) {
        if (generation_processors[i].applies(scoring->config)) {
            generation_processors[i].run(scoring);
        }
    }
}
