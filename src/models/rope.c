/* Frequencies of rotary positions, with every way of scaling them that config.json can ask for:
 * transformers' modeling_rope_utils, in single precision as there. */
#include "models/family.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846

/* A finite number over 0. */
static double positive(struct config *c, const struct json *scaling, const char *key,
                       double otherwise) {
    const struct json *value = json_get(scaling, key);
    if (json_is_null(value) && otherwise > 0)
        return otherwise;
    if (json_is(value, JSON_NUMBER) && isfinite(value->number) && value->number > 0)
        return value->number;
    config_fail(c, "rope_scaling: \"%s\" must be a number over 0", key);
    return 1;
}

struct rope_config {
    struct config *c;
    const struct json *scaling;
    double base;
    uint32_t size; /* numbers that are turned */
    double max_positions;
    uint32_t original; /* of longrope, where the file does not say it; 0: max_positions */
    struct rope *rope;
};

static void scale_linear(struct rope_config *r) {
    const float factor = (float)positive(r->c, r->scaling, "factor", 0);
    for (uint32_t i = 0; i < r->size / 2; i++)
        r->rope->frequencies[i] /= factor;
}

static void scale_llama3(struct rope_config *r) {
    const double old = positive(r->c, r->scaling, "original_max_position_embeddings", 0);
    const double low = positive(r->c, r->scaling, "low_freq_factor", 0);
    const double high = positive(r->c, r->scaling, "high_freq_factor", 0);
    const float factor = (float)positive(r->c, r->scaling, "factor", 0);
    if (high <= low)
        config_fail(r->c, "rope_scaling: \"high_freq_factor\" must be over \"low_freq_factor\"");
    for (uint32_t i = 0; i < r->size / 2; i++) {
        float *frequency = &r->rope->frequencies[i];
        const float wave = (float)(2 * PI) / *frequency;
        const float smooth = ((float)old / wave - (float)low) / (float)(high - low);
        if (wave > (float)(old / low))
            *frequency /= factor;
        else if (wave >= (float)(old / high))
            *frequency = (1 - smooth) * *frequency / factor + smooth * *frequency;
    }
}

static double mscale(double factor, double scale) {
    return factor <= 1 ? 1 : 0.1 * scale * log(factor) + 1;
}

/* The dimension whose wave makes `turns` turns over the positions. */
static double correction(const struct rope_config *r, double turns, double positions) {
    return r->size * log(positions / (turns * 2 * PI)) / (2 * log(r->base));
}

static void scale_yarn(struct rope_config *r) {
    const struct json *s = r->scaling;
    const double factor = positive(r->c, s, "factor", 0);
    const double positions =
        positive(r->c, s, "original_max_position_embeddings", r->max_positions);
    const bool truncate = json_get_bool(s, "truncate", true);
    double low = correction(r, positive(r->c, s, "beta_fast", 32), positions);
    double high = correction(r, positive(r->c, s, "beta_slow", 1), positions);
    low = fmax(truncate ? floor(low) : low, 0);
    high = fmin(truncate ? ceil(high) : high, r->size - 1);
    if (low == high)
        high += 0.001;
    for (uint32_t i = 0; i < r->size / 2; i++) {
        const float ramp = fminf(fmaxf((float)((double)i - low) / (float)(high - low), 0.0f), 1.0f);
        const float plain = r->rope->frequencies[i], stretched = plain / (float)factor;
        r->rope->frequencies[i] = stretched * ramp + plain * (1 - ramp);
    }
    const struct json *all = json_get(s, "mscale_all_dim"), *some = json_get(s, "mscale");
    double attention = mscale(factor, 1);
    if (json_is(all, JSON_NUMBER) && json_is(some, JSON_NUMBER) && all->number * some->number != 0)
        attention = mscale(factor, some->number) / mscale(factor, all->number);
    r->rope->scale = (float)positive(r->c, s, "attention_factor", attention);
}

/* Each frequency is divided by its factor. */
static void divide(struct rope_config *r, const char *key, float *frequencies) {
    const struct json *factors = json_get(r->scaling, key);
    if (!json_is(factors, JSON_ARRAY) || factors->len != r->size / 2) {
        config_fail(r->c, "rope_scaling: \"%s\" must be a list of %u numbers", key, r->size / 2);
        return;
    }
    for (uint32_t i = 0; i < r->size / 2; i++) {
        const struct json *factor = json_at(factors, i);
        if (!json_is(factor, JSON_NUMBER) || !(factor->number > 0))
            config_fail(r->c, "rope_scaling: \"%s\" must be numbers over 0", key);
        else
            frequencies[i] /= (float)factor->number;
    }
}

/* Short factors for texts that fit the original context, long ones for the others. */
static void scale_longrope(struct rope_config *r) {
    const uint32_t original =
        config_size_or(r->c, "original_max_position_embeddings", r->original, LIMIT_POSITIONS);
    memcpy(r->rope->long_frequencies, r->rope->frequencies, sizeof r->rope->frequencies);
    divide(r, "short_factor", r->rope->frequencies);
    divide(r, "long_factor", r->rope->long_frequencies);
    const double factor =
        original > 0 ? r->max_positions / original : positive(r->c, r->scaling, "factor", 1);
    const double positions = original > 0 ? original : r->max_positions;
    const double attention = factor <= 1 ? 1 : sqrt(1 + log(factor) / log(positions));
    r->rope->border = (uint32_t)positions;
    r->rope->scale = (float)positive(r->c, r->scaling, "attention_factor", attention);
}

static const struct {
    const char *name;
    void (*scale)(struct rope_config *r);
} scalings[] = {
    {"default", NULL},        {"dynamic", NULL}, /* scales nothing within max_position_embeddings */
    {"linear", scale_linear}, {"llama3", scale_llama3},
    {"yarn", scale_yarn},     {"longrope", scale_longrope},
    {"su", scale_longrope}, /* its name in Phi-3's first files */
};

static const char *scaling_name(const struct json *scaling) {
    const char *name = json_get_string(scaling, "rope_type", NULL);
    return name ? name : json_get_string(scaling, "type", "default");
}

void config_rope(struct config *c, struct stack_spec *spec, uint32_t which, double base,
                 uint32_t size, const struct json *scaling) {
    struct rope *rope = &spec->ropes[which];
    if (size < 2 || size % 2 != 0 || size > 2 * ROPE_PAIRS || size > spec->head_size) {
        config_fail(c,
                    "rotary positions of %u numbers a head; there must be 2 to %u, an even number",
                    size, spec->head_size < 2 * ROPE_PAIRS ? spec->head_size : 2 * ROPE_PAIRS);
        return;
    }
    if (!isfinite(base) || base <= 0) {
        config_fail(c, "the base of rotary positions must be a number over 0");
        return;
    }
    spec->positions = POSITIONS_ROTARY;
    rope->size = size;
    const uint32_t original = rope->border; /* longrope alone has a border */
    rope->border = 0;
    for (uint32_t i = 0; i < size / 2; i++)
        rope->frequencies[i] = 1.0f / powf((float)base, (float)(2 * i) / (float)size);
    if (!json_is(scaling, JSON_OBJECT))
        return;
    struct rope_config r = {c, scaling, base, size, spec->max_positions, original, rope};
    const char *name = scaling_name(scaling);
    for (size_t i = 0; i < ARRAY_LEN(scalings); i++)
        if (strcmp(scalings[i].name, name) == 0) {
            if (scalings[i].scale)
                scalings[i].scale(&r);
            return;
        }
    config_fail(c, "rope_scaling: \"%.40s\" is a kind Brisk does not have", name);
}

void config_rope_standard(struct config *c, struct stack_spec *spec, double base, double share) {
    const struct json *scaling = json_get(c->json, "rope_scaling");
    const uint32_t size =
        (uint32_t)(spec->head_size * config_number(c, "partial_rotary_factor", share));
    config_rope(c, spec, 0, config_number(c, "rope_theta", base), size, scaling);
}
