/* Checked reading of config.json for the family files, and building of heads. Every error names the
 * key, its value and what would be right. */
#include "models/family.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

void config_fail(struct config *config, const char *format, ...) {
    if (config->failed)
        return;
    config->failed = true;
    char text[LIMIT_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    error_set(config->err, ERROR_MODEL, "config.json: %s", text);
}

static const struct json *get(const struct config *config, const char *key) {
    const struct json *value = json_get(config->json, key);
    return json_is_null(value) ? NULL : value;
}

uint32_t config_size_or(struct config *config, const char *key, uint32_t otherwise, uint32_t most) {
    const struct json *value = get(config, key);
    int64_t n = 0;
    if (!value)
        return otherwise;
    if (!json_to_int(value, &n)) {
        config_fail(config, "\"%s\" is a %s, must be a whole number", key,
                    value->type == JSON_NUMBER ? "fraction" : json_type_name(value->type));
        return otherwise;
    }
    if (n < 1 || n > most) {
        config_fail(config, "\"%s\" is %lld, must be 1 to %u", key, (long long)n, most);
        return otherwise;
    }
    return (uint32_t)n;
}

uint32_t config_size(struct config *config, const char *key, uint32_t most) {
    if (!get(config, key))
        config_fail(config, "\"%s\" is missing; the model cannot be described without it", key);
    return config_size_or(config, key, 1, most);
}

float config_eps(struct config *config, const char *key, float otherwise) {
    const struct json *value = get(config, key);
    if (!value)
        return otherwise;
    if (!json_is(value, JSON_NUMBER) || !isfinite((float)value->number) || value->number < 0) {
        config_fail(config, "\"%s\" is not a finite number of 0 or more", key);
        return otherwise;
    }
    return (float)value->number;
}

double config_number(struct config *config, const char *key, double otherwise) {
    const struct json *value = get(config, key);
    if (!value)
        return otherwise;
    if (!json_is(value, JSON_NUMBER) || !isfinite(value->number)) {
        config_fail(config, "\"%s\" is not a finite number", key);
        return otherwise;
    }
    return value->number;
}

bool config_bool(struct config *config, const char *key, bool otherwise) {
    const struct json *value = get(config, key);
    if (value && !json_is(value, JSON_BOOL))
        config_fail(config, "\"%s\" is a %s, must be true or false", key,
                    json_type_name(value->type));
    return json_is(value, JSON_BOOL) ? value->boolean : otherwise;
}

int32_t config_token(struct config *config, const char *key, int32_t otherwise) {
    const struct json *value = json_get(config->json, key);
    if (!value)
        return otherwise;
    if (json_is(value, JSON_ARRAY))
        value = json_at(value, 0);
    int64_t id = -1;
    if (json_is_null(value))
        return -1;
    if (!json_to_int(value, &id) || id < -1 || id > LIMIT_VOCAB_SIZE) {
        config_fail(config, "\"%s\" is not a token id", key);
        return otherwise;
    }
    return (int32_t)id;
}

enum activation config_activation(struct config *config, const char *key,
                                  enum activation otherwise) {
    const struct json *value = get(config, key);
    enum activation activation = otherwise;
    if (value && !json_is(value, JSON_STRING))
        config_fail(config, "\"%s\" is a %s, must be the name of an activation", key,
                    json_type_name(value->type));
    else if (value && !activation_parse(value->text, &activation))
        config_fail(config,
                    "\"%s\" is \"%.40s\", an activation Brisk does not have; it has gelu, "
                    "gelu_new, relu, silu, tanh, sigmoid",
                    key, value->text);
    return activation;
}

void config_only(struct config *config, const char *key, const char *value) {
    const char *found = json_get_string(config->json, key, value);
    if (!json_equals(json_get(config->json, key), value) && get(config, key))
        config_fail(config, "\"%s\" is \"%.40s\"; Brisk runs only \"%s\"", key, found, value);
}

uint32_t config_head_size(struct config *config, const char *heads_key, uint32_t heads,
                          const char *hidden_key, uint32_t hidden) {
    if (hidden % heads != 0)
        config_fail(config, "\"%s\" is %u, must divide %s %u", heads_key, heads, hidden_key,
                    hidden);
    return hidden / heads;
}

/* ---- heads ---- */
void head_begin(struct arch *arch, enum head_kind kind, enum head_rows rows) {
    arch->head = (struct head_spec){.kind = kind, .rows = rows};
}

static struct head_step *add_step(struct head_spec *head, const char *linear, uint32_t outputs) {
    struct head_step *step = &head->steps[head->n_steps++];
    *step = (struct head_step){.linear = linear, .outputs = outputs};
    head->outputs = outputs;
    return step;
}

struct head_step *head_add(struct arch *arch, const char *linear, uint32_t outputs) {
    return add_step(&arch->head, linear, outputs);
}

void second_begin(struct arch *arch, enum head_kind kind) {
    arch->second = (struct head_spec){.kind = kind, .rows = ROWS_FIRST};
}

struct head_step *second_add(struct arch *arch, const char *linear, uint32_t outputs) {
    return add_step(&arch->second, linear, outputs);
}

void head_of_tokens(struct arch *arch, struct config *config) {
    head_begin(arch, HEAD_TOKEN, ROWS_ALL);
    head_add(arch, "classifier", config_labels(config));
}

void head_of_spans(struct arch *arch, struct config *config) {
    (void)config;
    head_begin(arch, HEAD_SPAN, ROWS_ALL);
    head_add(arch, "qa_outputs", 2);
}

static void add_lm(struct arch *arch, struct config *config, bool tied) {
    head_begin(arch, HEAD_LM, ROWS_LAST);
    head_add(arch, "lm_head", arch_last(arch)->vocab_size)->tied =
        config_bool(config, "tie_word_embeddings", tied);
}

void head_of_lm(struct arch *arch, struct config *config) {
    add_lm(arch, config, false);
}

void head_of_tied_lm(struct arch *arch, struct config *config) {
    add_lm(arch, config, true);
}

void head_of_text_score(struct arch *arch, struct config *config) {
    head_begin(arch, HEAD_SEQUENCE, ROWS_LAST);
    head_add(arch, "score", config_labels(config));
}

void head_of_token_score(struct arch *arch, struct config *config) {
    head_begin(arch, HEAD_TOKEN, ROWS_ALL);
    head_add(arch, "score", config_labels(config));
}
