/* Positions that no tensor holds: tables of sines and cosines, and what distances add to scores
 * (ALiBi's slopes, T5's buckets). Made once, when a model is packed. */
#include "engine/loader.h"

#include <math.h>
#include <string.h>

#define SINE_BASE 10000.0

/* transformers' MarianSinusoidalPositionalEmbedding, or M2M100SinusoidalPositionalEmbedding, whose
 * last frequency is 1 / SINE_BASE. `hidden` may be odd: the sines have one more, or a zero ends. */
static void fill_sines(float *row, uint32_t position, uint32_t hidden, enum position_kind kind) {
    const bool fairseq = kind == POSITIONS_FAIRSEQ;
    const uint32_t half = hidden / 2, sines = fairseq ? half : hidden - half;
    const double step =
        fairseq ? log(SINE_BASE) / (half > 1 ? half - 1 : 1) : 2 * log(SINE_BASE) / hidden;
    for (uint32_t i = 0; i < hidden; i++) {
        const uint32_t pair = i < sines ? i : i - sines;
        const double angle = position * exp(-step * pair);
        row[i] = (float)(i < sines ? sin(angle) : cos(angle));
    }
    if (fairseq && hidden % 2 != 0)
        row[hidden - 1] = 0;
}

enum status loader_pack_sines(struct loader *l, const float **table, uint32_t stack,
                              struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    const uint32_t rows = spec->max_positions + spec->position_offset;
    void *memory = NULL;
    if (loader_place(l, (size_t)rows * spec->hidden_size * sizeof(float), true, &memory, err) !=
        STATUS_OK)
        return STATUS_ERROR;
    PLAN(l, "sines %d %u %u", (int)spec->positions, rows, spec->hidden_size);
    float *floats = memory;
    for (uint32_t i = 0; l->loading == LOADING_PACK && i < rows; i++)
        fill_sines(floats + (size_t)i * spec->hidden_size, i, spec->hidden_size, spec->positions);
    *table = floats;
    return STATUS_OK;
}

/* ---- what distances add ---- */

/* The bucket of key - query (T5Attention._relative_position_bucket, in single precision as there).
 */
static uint32_t bucket_of(int64_t distance, uint32_t buckets, uint32_t reach, bool causal) {
    uint32_t first = 0;
    if (!causal) {
        buckets /= 2;
        first = distance > 0 ? buckets : 0;
    }
    const uint32_t exact = buckets / 2;
    const uint32_t n = (uint32_t)(distance < 0 ? -distance : causal ? 0 : distance);
    if (n < exact)
        return first + n;
    const float share = logf((float)n / (float)exact) / (float)log((double)reach / exact);
    const uint32_t bucket = exact + (uint32_t)(share * (float)(buckets - exact));
    return first + (bucket < buckets ? bucket : buckets - 1);
}

uint32_t hook_bucket(const struct stack_spec *spec, int64_t distance) {
    return bucket_of(distance, spec->buckets, spec->bucket_reach, stack_has(spec, STACK_CAUSAL));
}

/* The slope of head `head` (transformers' build_alibi_tensor, MPT's too): powers of 2^(-8 / n) for
 * the largest power of two n, then the odd powers of its root. */
static float slope_of(const struct stack_spec *spec, uint32_t head) {
    const uint32_t heads = spec->heads;
    uint32_t n = 1;
    while (2 * n <= heads)
        n *= 2;
    const double power = head < n ? 8.0 * (head + 1) / n : 8.0 * (head - n + 0.5) / n;
    return (float)exp2(-power);
}

/* The nearest number of bf16's eight digits, ties to the even one. */
static float to_bf16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void fill_alibi(const struct stack_spec *spec, float *bias) {
    const float scale =
        stack_has(spec, STACK_ALIBI_SCALED) ? 1 / sqrtf((float)spec->head_size) : 1;
    const int64_t reach = spec->max_positions;
    const bool rounds = stack_has(spec, STACK_ALIBI_BF16), causal = stack_has(spec, STACK_CAUSAL);
    for (uint32_t h = 0; h < spec->heads; h++) {
        const float slope = rounds ? to_bf16(slope_of(spec, h)) : slope_of(spec, h);
        for (int64_t d = 1 - reach; d < reach; d++) {
            const float far = (float)(!causal && d > 0 ? -d : d); /* keys behind are as far */
            *bias++ = (rounds ? to_bf16(slope * to_bf16(far)) : slope * far) * scale;
        }
    }
}

static void fill_buckets(const struct stack_spec *spec, const struct tensor *tensor, float *bias) {
    const int64_t reach = spec->max_positions;
    float *learned = mem_alloc((size_t)spec->buckets * spec->heads * sizeof *learned);
    tensor_to_floats(tensor, 0, (size_t)spec->buckets * spec->heads, learned);
    for (int64_t d = 1 - reach; d < reach; d++) {
        const uint32_t bucket = hook_bucket(spec, d);
        for (uint32_t h = 0; h < spec->heads; h++)
            bias[(size_t)h * (size_t)(2 * reach - 1) + (size_t)(d + reach - 1)] =
                learned[(size_t)bucket * spec->heads + h];
    }
    mem_free(learned);
}

/* The learned table of one layer, or of all. */
static enum status pack_buckets(struct loader *l, float *bias, uint32_t stack, uint32_t layer,
                                struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    struct source source;
    if (loader_need_slot(l, stack, SLOT_POSITION_BIAS, layer, &source, err) != STATUS_OK ||
        loader_check_matrix(source.weight, spec->buckets, spec->heads, err) != STATUS_OK)
        return STATUS_ERROR;
    loader_plan_tensor(l, source.weight);
    if (l->loading == LOADING_PACK)
        fill_buckets(spec, source.weight, bias);
    return STATUS_OK;
}

enum status loader_pack_bias(struct loader *l, const float **table, uint32_t stack,
                             struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    const size_t floats = spec->heads * (2 * (size_t)spec->max_positions - 1);
    const uint32_t tables = stack_has(spec, STACK_BIAS_BY_LAYER) ? spec->layers : 1;
    void *memory = NULL;
    if (loader_place(l, tables * floats * sizeof(float), true, &memory, err) != STATUS_OK)
        return STATUS_ERROR;
    const uint32_t divides = stack_has(spec, STACK_ALIBI_SCALED) ? spec->head_size : 1;
    PLAN(l, "bias %d %u %u %u %u %d %d", (int)spec->positions, spec->heads, spec->max_positions,
         spec->bucket_reach, divides, stack_has(spec, STACK_ALIBI_BF16),
         stack_has(spec, STACK_CAUSAL));
    *table = memory;
    if (spec->buckets == 0) {
        if (l->loading == LOADING_PACK)
            fill_alibi(spec, memory);
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < tables; i++) {
        float *bias = memory ? (float *)memory + i * floats : NULL;
        if (pack_buckets(l, bias, stack, i, err) != STATUS_OK)
            return STATUS_ERROR;
    }
    return STATUS_OK;
}
