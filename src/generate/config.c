/* Generation settings: the defaults of `transformers`' GenerationConfig (4.57), and reading them
 * from generation_config.json, from the legacy keys in config.json and from its
 * task_specific_params.
 *
 * One table says which key goes where; keys it does not know are left alone, as `transformers`
 * does. null means: the default. */
#include "generate/generate.h"

#include <math.h>
#include <stddef.h>

void generation_config_default(struct generation_config *config) {
    *config = (struct generation_config){
        .temperature = 1,
        .top_p = 1,
        .typical_p = 1,
        .top_k = 50,
        .repetition_penalty = 1,
        .encoder_repetition_penalty = 1,
        .num_beams = 1,
        .num_return_sequences = 1,
        .length_penalty = 1,
        .bos = -1,
        .pad = -1,
        .decoder_start = -1,
        .forced_bos = -1,
        .forced_eos = -1,
        .num_beam_groups = 1,
        .guidance_scale = 1,
    };
}

enum kind {
    KIND_BOOL,
    KIND_FLOAT,
    KIND_SECONDS,
    KIND_COUNT, /* uint32_t, >= 0 */
    KIND_TOKEN, /* int32_t, or -1 */
    KIND_EOS,   /* one id or a list */
    KIND_EARLY_STOPPING,
    KIND_TOKENS,    /* a list of ids */
    KIND_BAD_WORDS, /* a list of lists of ids */
    KIND_BIASES,    /* a list of [list of ids, number] */
    KIND_DECAY,     /* [start, factor] */
    KIND_STOP,      /* a string or a list of them */
    KIND_PRESENT,   /* anything but false and an empty list */
};

struct key {
    const char *name;
    enum kind kind;
    size_t offset;
};

#define KEY(name, kind, field)                                                                     \
    { name, KIND_##kind, offsetof(struct generation_config, field) }

static const struct key keys[] = {
    KEY("bad_words_ids", BAD_WORDS, bad_words),
    KEY("begin_suppress_tokens", TOKENS, begin_suppress),
    KEY("bos_token_id", TOKEN, bos),
    KEY("constraints", PRESENT, constraints),
    KEY("decoder_start_token_id", TOKEN, decoder_start),
    KEY("diversity_penalty", FLOAT, diversity_penalty),
    KEY("do_sample", BOOL, do_sample),
    KEY("dola_layers", PRESENT, dola_layers),
    KEY("early_stopping", EARLY_STOPPING, early_stopping),
    KEY("encoder_no_repeat_ngram_size", COUNT, encoder_no_repeat_ngram_size),
    KEY("encoder_repetition_penalty", FLOAT, encoder_repetition_penalty),
    KEY("eos_token_id", EOS, eos),
    KEY("epsilon_cutoff", FLOAT, epsilon_cutoff),
    KEY("eta_cutoff", FLOAT, eta_cutoff),
    KEY("exponential_decay_length_penalty", DECAY, has_decay),
    KEY("force_words_ids", PRESENT, force_words),
    KEY("forced_bos_token_id", TOKEN, forced_bos),
    KEY("forced_eos_token_id", TOKEN, forced_eos),
    KEY("guidance_scale", FLOAT, guidance_scale),
    KEY("length_penalty", FLOAT, length_penalty),
    KEY("max_length", COUNT, max_length),
    KEY("max_new_tokens", COUNT, max_new_tokens),
    KEY("max_time", SECONDS, max_time_s),
    KEY("min_length", COUNT, min_length),
    KEY("min_new_tokens", COUNT, min_new_tokens),
    KEY("min_p", FLOAT, min_p),
    KEY("no_repeat_ngram_size", COUNT, no_repeat_ngram_size),
    KEY("num_beam_groups", COUNT, num_beam_groups),
    KEY("num_beams", COUNT, num_beams),
    KEY("num_return_sequences", COUNT, num_return_sequences),
    KEY("pad_token_id", TOKEN, pad),
    KEY("penalty_alpha", FLOAT, penalty_alpha),
    KEY("remove_invalid_values", BOOL, remove_invalid_values),
    KEY("renormalize_logits", BOOL, renormalize_logits),
    KEY("repetition_penalty", FLOAT, repetition_penalty),
    KEY("sequence_bias", BIASES, biases),
    KEY("stop_strings", STOP, stop),
    KEY("suppress_tokens", TOKENS, suppress),
    KEY("temperature", FLOAT, temperature),
    KEY("token_healing", PRESENT, token_healing),
    KEY("top_k", COUNT, top_k),
    KEY("top_p", FLOAT, top_p),
    KEY("typical_p", FLOAT, typical_p),
    KEY("watermarking_config", PRESENT, watermarking),
};

static enum status wrong(const char *where, const char *name, const struct json *value,
                         const char *must_be, struct error *err) {
    if (json_is(value, JSON_NUMBER)) {
        return ERR(err, MODEL, "%s: \"%s\" is %g, must be %s", where, name, value->number, must_be);
    }
    return ERR(err, MODEL, "%s: \"%s\" is not right (%s), must be %s", where, name,
               json_type_name(value->type), must_be);
}

static bool to_number(const struct json *value, double *out) {
    *out = json_is(value, JSON_NUMBER) ? value->number : 0;
    return json_is(value, JSON_NUMBER) && isfinite(value->number);
}

static bool to_token(const struct json *value, int32_t *out) {
    int64_t id = 0;
    if (!json_to_int(value, &id) || id < -1 || id > INT32_MAX) {
        return false;
    }
    *out = (int32_t)id;
    return true;
}

static bool to_tokens(const struct json *value, struct arena *arena, const int32_t **ids,
                      uint32_t *n) {
    if (!json_is(value, JSON_ARRAY) || value->len > LIMIT_TOKEN_LIST) {
        return false;
    }
    int32_t *list = arena_alloc(arena, (value->len + 1) * sizeof(*list));
    for (uint32_t i = 0; i < value->len; i++) {
        if (!to_token(json_at(value, i), &list[i])) {
            return false;
        }
    }
    *ids = list;
    *n = value->len;
    return true;
}

static bool to_eos(const struct json *value, struct generation_config *config) {
    if (json_is(value, JSON_ARRAY)) {
        if (value->len > GENERATION_EOS_MAX) {
            return false;
        }
        for (uint32_t i = 0; i < value->len; i++) {
            if (!to_token(json_at(value, i), &config->eos[i])) {
                return false;
            }
        }
        config->n_eos = value->len;
        return true;
    }
    config->n_eos = 1;
    if (!to_token(value, &config->eos[0])) {
        return false;
    }
    config->n_eos = config->eos[0] >= 0;
    return true;
}

static bool to_bad_words(const struct json *value, struct arena *arena,
                         struct generation_config *config) {
    if (!json_is(value, JSON_ARRAY) || value->len > LIMIT_TOKEN_LIST) {
        return false;
    }
    const int32_t **words = arena_alloc(arena, (value->len + 1) * sizeof(*words));
    uint32_t *lens = arena_alloc(arena, (value->len + 1) * sizeof(*lens));
    for (uint32_t i = 0; i < value->len; i++) {
        if (!to_tokens(json_at(value, i), arena, &words[i], &lens[i])) {
            return false;
        }
    }
    config->bad_words = words;
    config->bad_words_len = lens;
    config->n_bad_words = value->len;
    return true;
}

/* Of a sequence that is given twice the last bias counts, as in Python's dict. */
static void add_bias(struct sequence_bias *biases, uint32_t *n, struct sequence_bias bias) {
    for (uint32_t i = 0; i < *n; i++) {
        if (biases[i].n == bias.n &&
            memcmp(biases[i].ids, bias.ids, bias.n * sizeof(*bias.ids)) == 0) {
            biases[i].bias = bias.bias;
            return;
        }
    }
    biases[(*n)++] = bias;
}

static bool to_biases(const struct json *value, struct arena *arena,
                      struct generation_config *config) {
    if (!json_is(value, JSON_ARRAY) || value->len > LIMIT_SEQUENCE_BIASES) {
        return false;
    }
    struct sequence_bias *biases = arena_alloc(arena, (value->len + 1) * sizeof(*biases));
    uint32_t n = 0;
    for (uint32_t i = 0; i < value->len; i++) {
        const struct json *pair = json_at(value, i);
        struct sequence_bias bias = {0};
        double number = 0;
        if (!json_is(pair, JSON_ARRAY) || pair->len != 2 ||
            !to_tokens(json_at(pair, 0), arena, &bias.ids, &bias.n) || bias.n == 0 ||
            !to_number(json_at(pair, 1), &number)) {
            return false;
        }
        bias.bias = (float)number;
        add_bias(biases, &n, bias);
    }
    config->biases = biases;
    config->n_biases = n;
    return true;
}

static bool to_decay(const struct json *value, struct generation_config *config) {
    int64_t start = 0;
    if (!json_is(value, JSON_ARRAY) || value->len != 2 || !json_to_int(json_at(value, 0), &start) ||
        start < 0 || start > INT32_MAX || !to_number(json_at(value, 1), &config->decay_factor)) {
        return false;
    }
    config->has_decay = true;
    config->decay_start = (uint32_t)start;
    return true;
}

static bool to_stop(const struct json *value, struct arena *arena,
                    struct generation_config *config) {
    const bool one = json_is(value, JSON_STRING);
    const uint32_t n = one ? 1 : value->len;
    if ((!one && !json_is(value, JSON_ARRAY)) || n > LIMIT_STOP_STRINGS) {
        return false;
    }
    const char **stop = arena_alloc(arena, (n + 1) * sizeof(*stop));
    for (uint32_t i = 0; i < n; i++) {
        const struct json *text = one ? value : json_at(value, i);
        if (!json_is(text, JSON_STRING) || text->len > LIMIT_STOP_BYTES) {
            return false;
        }
        stop[i] = arena_strndup(arena, text->text, text->len);
    }
    config->stop = stop;
    config->n_stop = n;
    return true;
}

static bool to_early_stopping(const struct json *value, enum early_stopping *out) {
    if (json_equals(value, "never")) {
        *out = EARLY_STOPPING_NEVER;
        return true;
    }
    if (!json_is(value, JSON_BOOL)) {
        return false;
    }
    *out = value->boolean ? EARLY_STOPPING_TRUE : EARLY_STOPPING_FALSE;
    return true;
}

/* What a value of the kind has to be, for messages. */
static const char *const wanted[] = {
    [KIND_BOOL] = "true or false",
    [KIND_FLOAT] = "a number",
    [KIND_SECONDS] = "a number",
    [KIND_COUNT] = "an integer of 0 or more",
    [KIND_TOKEN] = "a token id",
    [KIND_EOS] = "a token id or a short list of them",
    [KIND_EARLY_STOPPING] = "true, false or \"never\"",
    [KIND_TOKENS] = "a list of token ids",
    [KIND_BAD_WORDS] = "a list of lists of token ids",
    [KIND_BIASES] = "a short list of [list of token ids, number], like [[[10, 45], -2.0]]",
    [KIND_DECAY] = "[start, factor], like [10, 1.05]",
    [KIND_STOP] = "a string or a short list of strings",
    [KIND_PRESENT] = "anything",
};

/* Values that are one number or word; false: it is none of its kind. */
static bool read_scalar(enum kind kind, char *field, const struct json *value) {
    double number = 0;
    int64_t integer = 0;
    switch (kind) {
    case KIND_BOOL:
        *(bool *)field = value->boolean;
        return json_is(value, JSON_BOOL);
    case KIND_FLOAT:
        *(float *)field = to_number(value, &number) ? (float)number : 0;
        return to_number(value, &number);
    case KIND_SECONDS:
        return to_number(value, (double *)field);
    case KIND_COUNT:
        if (!json_to_int(value, &integer) || integer < 0 || integer > UINT32_MAX) {
            return false;
        }
        *(uint32_t *)field = (uint32_t)integer;
        return true;
    case KIND_TOKEN:
        return to_token(value, (int32_t *)field);
    default:
        *(bool *)field = !(json_is(value, JSON_BOOL) && !value->boolean) &&
                         !(json_is(value, JSON_ARRAY) && value->len == 0);
        return true;
    }
}

static bool read_value(const struct key *key, struct generation_config *config, struct arena *arena,
                       const struct json *value) {
    char *field = (char *)config + key->offset;
    const bool begin = key->offset == offsetof(struct generation_config, begin_suppress);
    switch (key->kind) {
    case KIND_EOS:
        return to_eos(value, config);
    case KIND_EARLY_STOPPING:
        return to_early_stopping(value, &config->early_stopping);
    case KIND_TOKENS:
        return to_tokens(value, arena, (const int32_t **)(void *)field,
                         begin ? &config->n_begin_suppress : &config->n_suppress);
    case KIND_BAD_WORDS:
        return to_bad_words(value, arena, config);
    case KIND_BIASES:
        return to_biases(value, arena, config);
    case KIND_DECAY:
        return to_decay(value, config);
    case KIND_STOP:
        return to_stop(value, arena, config);
    default:
        return read_scalar(key->kind, field, value);
    }
}

enum status generation_config_update(struct generation_config *config, struct arena *arena,
                                     const struct json *object, const char *where,
                                     struct error *err) {
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const struct json *value = json_get(object, keys[i].name);
        if (json_is_null(value)) {
            continue;
        }
        if (!read_value(&keys[i], config, arena, value)) {
            return wrong(where, keys[i].name, value, wanted[keys[i].kind], err);
        }
    }
    return STATUS_OK;
}

enum status generation_config_read(struct generation_config *config, struct arena *arena,
                                   const struct json *generation_config,
                                   const struct json *model_config, const char *task,
                                   struct error *err) {
    const bool legacy = !generation_config; /* a file of its own replaces the legacy keys */
    enum status status =
        generation_config_update(config, arena, legacy ? model_config : generation_config,
                                 legacy ? "config.json" : "generation_config.json", err);
    if (status == STATUS_OK && config->max_length == GENERATION_DEFAULT_LENGTH) {
        config->max_length = 0; /* the default, which counts new tokens */
    }
    if (status == STATUS_OK && task) {
        const struct json *params = json_get(json_get(model_config, "task_specific_params"), task);
        status = generation_config_update(config, arena, params,
                                          "config.json: task_specific_params", err);
    }
    return status;
}

/* What Brisk has not is refused by name: another text would look like an answer. Of these
 * `transformers` 4.57 itself runs guidance and watermarks only. */
static enum status check_ways(const struct generation_config *config, struct error *err) {
    const struct {
        bool asked;
        const char *key, *what;
    } ways[] = {
        {config->constraints, "constraints", "beam search under constraints"},
        {config->force_words, "force_words_ids", "beam search under constraints"},
        {config->guidance_scale != 1, "guidance_scale", "classifier-free guidance"},
        {config->dola_layers, "dola_layers", "decoding by contrasting layers"},
        {config->token_healing, "token_healing", "token healing"},
        {config->watermarking, "watermarking_config", "watermarking"},
        /* The settings mean contrastive search only together. */
        {config->penalty_alpha > 0 && config->top_k > 1 && config->num_beams == 1 &&
             !config->do_sample,
         "penalty_alpha", "contrastive search"},
    };
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        if (ways[i].asked) {
            return ERR(err, INPUT, "%s asks for %s, which Brisk does not have: leave it out",
                       ways[i].key, ways[i].what);
        }
    }
    return STATUS_OK;
}

/* Diverse beam search. Without beams the groups mean nothing, as in `transformers`. */
static enum status check_groups(const struct generation_config *config, struct error *err) {
    const uint32_t groups = config->num_beam_groups;
    if (config->num_beams == 1 || groups == 1) {
        return STATUS_OK;
    }
    if (groups == 0 || config->num_beams % groups != 0) {
        return ERR(err, INPUT, "num_beam_groups is %u, must divide num_beams, which is %u", groups,
                   config->num_beams);
    }
    if (config->do_sample) {
        return ERR(err, INPUT,
                   "num_beam_groups is %u, but groups of beams draw no tokens: set do_sample to "
                   "false",
                   groups);
    }
    if (!(config->diversity_penalty > 0)) {
        return ERR(
            err, INPUT,
            "diversity_penalty is %g, must be above 0: else the %u groups of beams are alike",
            (double)config->diversity_penalty, groups);
    }
    return STATUS_OK;
}

enum status generation_config_check(const struct generation_config *config, struct error *err) {
    if (config->do_sample && !(config->temperature > 0)) {
        return ERR(err, INPUT,
                   "temperature is %g, must be above 0; for greedy decoding set do_sample to false",
                   (double)config->temperature);
    }
    if (!(config->top_p >= 0 && config->top_p <= 1)) {
        return ERR(err, INPUT, "top_p is %g, must be from 0 to 1", (double)config->top_p);
    }
    if (!(config->min_p >= 0 && config->min_p <= 1)) {
        return ERR(err, INPUT, "min_p is %g, must be from 0 to 1", (double)config->min_p);
    }
    if (!(config->typical_p > 0)) {
        return ERR(err, INPUT, "typical_p is %g, must be above 0", (double)config->typical_p);
    }
    if (!(config->repetition_penalty > 0) || !(config->encoder_repetition_penalty > 0)) {
        return ERR(err, INPUT, "repetition_penalty is %g, must be above 0",
                   (double)(config->repetition_penalty > 0 ? config->encoder_repetition_penalty
                                                           : config->repetition_penalty));
    }
    if (config->num_beams < 1 || config->num_beams > LIMIT_BEAMS) {
        return ERR(err, INPUT, "num_beams is %u, must be from 1 to %d", config->num_beams,
                   LIMIT_BEAMS);
    }
    if (config->num_return_sequences < 1 || config->num_return_sequences > LIMIT_RETURN_SEQUENCES) {
        return ERR(err, INPUT, "num_return_sequences is %u, must be from 1 to %d",
                   config->num_return_sequences, LIMIT_RETURN_SEQUENCES);
    }
    if (config->num_beams > 1 && config->num_return_sequences > config->num_beams) {
        return ERR(err, INPUT,
                   "num_return_sequences is %u, must not be above num_beams, which is %u",
                   config->num_return_sequences, config->num_beams);
    }
    if (config->num_beams == 1 && !config->do_sample && config->num_return_sequences > 1) {
        return ERR(err, INPUT,
                   "num_return_sequences is %u, but greedy decoding gives one text only: set "
                   "do_sample to true or num_beams above 1",
                   config->num_return_sequences);
    }
    if (config->max_time_s < 0) {
        return ERR(err, INPUT, "max_time is %g, must not be negative", config->max_time_s);
    }
    const enum status status = check_groups(config, err);
    return status == STATUS_OK ? check_ways(config, err) : status;
}
