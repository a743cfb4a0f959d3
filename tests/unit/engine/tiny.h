/* Tiny random models for tests: writes the checkpoint that a struct arch asks for, and loads it.
 *
 * Names and shapes come from the arch's own slots, so that any description can be tested, those of
 * src/models too. Weights are a function of the tensor's name and the element alone. */
#ifndef BRISK_TESTS_TINY_H
#define BRISK_TESTS_TINY_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/engine.h"

/* What to spoil in the checkpoint; zero: nothing. */
struct tiny_spoil {
    const char *absent;  /* a tensor to leave out */
    const char *longer;  /* a tensor whose first dimension is one too large */
    bool without_prefix; /* names as a base checkpoint has them */
};

struct tiny_file {
    struct buf header, data;
    struct json_out out;
    const struct arch *arch;
    const struct tiny_spoil *spoil;
    struct arena arena;
    const char *names[1024];
    size_t n_names;
};

static inline uint64_t tiny_hash(const char *text) {
    uint64_t hash = 14695981039346656037ull;
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 1099511628211ull;
    return hash;
}

/* -1..1, the i-th of a stream. */
static inline float tiny_uniform(uint64_t stream, uint64_t i) {
    uint64_t x = stream + (i + 1) * 0x9E3779B97F4A7C15ull;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
    return (float)((x ^ (x >> 31)) >> 40) / (float)(1 << 23) - 1.0f;
}

/* A tensor [rows, cols], or [rows] with cols 0, of middle +- spread. */
static inline void tiny_tensor(struct tiny_file *f, const char *name, const char *suffix,
                               size_t rows, size_t cols, float middle, float spread) {
    const char *full = arena_printf(
        &f->arena, "%s%s%s", f->spoil->without_prefix || !f->arch->prefix ? "" : f->arch->prefix,
        name, suffix);
    for (size_t i = 0; i < f->n_names; i++)
        if (strcmp(f->names[i], full) == 0)
            return;
    if (f->spoil->absent && strcmp(f->spoil->absent, full) == 0)
        return;
    if (f->spoil->longer && strcmp(f->spoil->longer, full) == 0)
        rows++;
    assert_true(f->n_names < ARRAY_LEN(f->names));
    f->names[f->n_names++] = full;
    const size_t n = rows * (cols ? cols : 1), from = f->data.len;
    const uint64_t stream = tiny_hash(name) ^ tiny_hash(suffix);
    for (size_t i = 0; i < n; i++) {
        const float value = middle + spread * tiny_uniform(stream, i);
        buf_append(&f->data, &value, sizeof value);
    }
    json_key(&f->out, full);
    json_open_object(&f->out);
    json_key(&f->out, "dtype");
    json_string(&f->out, "F32");
    json_key(&f->out, "shape");
    json_open_array(&f->out);
    json_int(&f->out, (int64_t)rows);
    if (cols)
        json_int(&f->out, (int64_t)cols);
    json_close_array(&f->out);
    json_key(&f->out, "data_offsets");
    json_open_array(&f->out);
    json_int(&f->out, (int64_t)from);
    json_int(&f->out, (int64_t)f->data.len);
    json_close_array(&f->out);
    json_close_object(&f->out);
}

static inline void tiny_norm(struct tiny_file *f, const char *name, size_t size) {
    tiny_tensor(f, name, ".weight", size, 0, 1.0f, 0.3f);
    tiny_tensor(f, name, ".bias", size, 0, 0.0f, 0.3f);
}

static inline void tiny_linear(struct tiny_file *f, const char *name, size_t out, size_t in,
                               bool transposed) {
    tiny_tensor(f, name, ".weight", transposed ? in : out, transposed ? out : in, 0.0f,
                3.0f / sqrtf((float)in));
    tiny_tensor(f, name, ".bias", out, 0, 0.0f, 0.3f);
}

#include "unit/engine/tiny_slots.h"

/* Slots may have several names; the first is written. */
static inline bool tiny_is_first_name(const struct slot_name *names, const struct slot_name *slot) {
    while (names->slot != slot->slot)
        names++;
    return names == slot;
}

static inline const char *tiny_name(struct tiny_file *f, const char *pattern, const char *mark,
                                    uint32_t number) {
    return arena_printf(&f->arena, "%.*s%u%s", (int)(mark - pattern), pattern, number, mark + 2);
}

/* Once, or for each expert where the name has a place left for its number. */
static inline void tiny_of_experts(struct tiny_file *f, const struct stack_spec *s,
                                   const struct slot_name *slot, const char *name) {
    const char *mark = strstr(name, "%u");
    for (uint32_t i = 0; i < (mark ? s->routing.experts : 1); i++)
        tiny_slot(f, s, slot, mark ? tiny_name(f, name, mark, i) : name);
}

static inline void tiny_stack(struct tiny_file *f, const struct stack_spec *s) {
    for (const struct slot_name *slot = s->names; slot->name; slot++) {
        const char *mark = strstr(slot->name, "%u");
        if (!tiny_is_first_name(s->names, slot))
            continue;
        for (uint32_t layer = 0; layer < (mark ? s->layers : 1); layer++) {
            const char *name = slot->name;
            if (mark)
                name = tiny_name(f, name, mark, layer);
            tiny_of_experts(f, s, slot, name);
        }
    }
}

static inline void tiny_head(struct tiny_file *f) {
    const struct head_spec *head = &f->arch->head;
    size_t in = arch_last(f->arch)->hidden_size;
    for (uint32_t i = 0; i < head->n_steps; i++) {
        const struct head_step *step = &head->steps[i];
        if (!step->tied)
            tiny_linear(f, step->linear, step->outputs, in, false);
        if (step->bias)
            tiny_tensor(f, step->bias, "", step->outputs, 0, 0.0f, 0.3f);
        if (step->norm)
            tiny_norm(f, step->norm, step->outputs);
        in = step->outputs;
    }
}

/* Writes folder/model.safetensors with all that the arch asks for. */
static inline void tiny_write(const char *folder, const struct arch *arch,
                              const struct tiny_spoil *spoil) {
    struct tiny_file f = {.arch = arch, .spoil = spoil};
    buf_init(&f.header, 4 * MiB);
    buf_init(&f.data, 64 * MiB);
    f.out = json_out_begin(&f.header);
    json_open_object(&f.out);
    for (uint32_t i = 0; i < arch->n_stacks; i++)
        tiny_stack(&f, &arch->stacks[i]);
    tiny_head(&f);
    json_close_object(&f.out);
    while (f.header.len % 8)
        buf_putc(&f.header, ' ');
    assert_false(f.header.overflow || f.data.overflow);
    const uint64_t header_len = f.header.len;
    char *path = path_join(&f.arena, folder, "model.safetensors");
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(&header_len, 1, 8, file), 8);
    assert_int_equal(fwrite(f.header.data, 1, f.header.len, file), f.header.len);
    assert_int_equal(fwrite(f.data.data, 1, f.data.len, file), f.data.len);
    assert_int_equal(fclose(file), 0);
    buf_deinit(&f.header);
    buf_deinit(&f.data);
    arena_deinit(&f.arena);
}

/* A folder of its own under the system's, gone with tiny_folder_remove. */
static inline char *tiny_folder(void) {
    const char *tmp = getenv("TMPDIR");
    struct arena arena = {0};
    char *path = mem_strdup(path_join(&arena, tmp ? tmp : "/tmp", "brisk-test-XXXXXX"));
    arena_deinit(&arena);
    assert_non_null(mkdtemp(path));
    return path;
}

static inline void tiny_folder_remove(char *folder) {
    struct arena arena = {0};
    unlink(path_join(&arena, folder, "model.safetensors"));
    unlink(path_join(&arena, folder, "config.json"));
    rmdir(folder);
    arena_deinit(&arena);
    mem_free(folder);
}

static inline struct team *tiny_team(uint32_t threads) {
    struct error err;
    struct team *team = NULL;
    if (team_create(&team, threads, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return team;
}

/* The error of loading, or OK and the model. */
static inline enum status tiny_try(struct model **model, const struct arch *arch,
                                   const struct tiny_spoil *spoil,
                                   const struct model_options *options, struct error *err) {
    char *folder = tiny_folder();
    tiny_write(folder, arch, spoil);
    struct checkpoint *checkpoint = NULL;
    enum status status = checkpoint_open(&checkpoint, folder, err);
    if (status == STATUS_OK) {
        status = model_create(model, arch, checkpoint, options, err);
        checkpoint_close(checkpoint);
    }
    tiny_folder_remove(folder);
    return status;
}

static inline struct model *tiny_model(const struct arch *arch, struct team *team,
                                       enum precision precision) {
    struct error err = {0};
    struct model *model = NULL;
    const struct tiny_spoil none = {0};
    const struct model_options options = {.precision = precision, .team = team};
    if (tiny_try(&model, arch, &none, &options, &err) != STATUS_OK)
        fail_msg("%s: %s", arch->family, err.text);
    return model;
}

/* Token i of text t, below `vocab`. */
static inline int32_t tiny_token(uint32_t t, uint32_t i, uint32_t vocab) {
    return (int32_t)((t * 7919u + i * 104729u + (t * i) % 31u + 3u) % vocab);
}

#define assert_floats_equal(a, b, n)                                                               \
    do {                                                                                           \
        const float *a_ = (a), *b_ = (b);                                                          \
        for (size_t i_ = 0; i_ < (n); i_++)                                                        \
            if (memcmp(a_ + i_, b_ + i_, sizeof(float)) != 0)                                      \
                fail_msg("%s differs from %s at %zu of %zu: %.9g, %.9g", #a, #b, i_, (size_t)(n),  \
                         (double)a_[i_], (double)b_[i_]);                                          \
    } while (0)

#endif
