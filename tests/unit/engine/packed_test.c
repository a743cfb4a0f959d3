/* A model from the packed cache is the model that was packed, in every arch and precision, also
 * while its weights move into huge pages; what is packed otherwise is never taken for it. */
#include "unit/engine/tiny.h"

#include <ftw.h>

#include "unit/engine/arches.h"
#include "unit/engine/runs.h"

static char *folder;
static struct packed_cache *cache;
static struct team *team;
static const atomic_bool never;

static int setup(void **state) {
    struct error err = {0};
    folder = tiny_folder();
    team = tiny_team(2);
    const struct packed_options options = {.folder = folder};
    return packed_cache_create(&cache, &options, &err) == STATUS_OK ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at) {
    return remove(path);
}

static int teardown(void **state) {
    packed_cache_destroy(cache);
    team_destroy(team);
    nftw(folder, remove_one, 4, FTW_DEPTH | FTW_PHYS);
    mem_free(folder);
    return 0;
}

static struct model *load(const struct arch *arch, enum precision precision) {
    struct error err = {0};
    struct model *model = NULL;
    const struct tiny_spoil none = {0};
    const struct model_options options = {.precision = precision, .team = team, .cache = cache};
    if (tiny_try(&model, arch, &none, &options, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return model;
}

static void run(struct model *model, struct outputs *outputs) {
    outputs_init(outputs, model);
    run_batch(model, outputs);
}

static void a_model_from_the_cache_is_the_same(void **state) {
    const struct arch *const arches[] = {&encoder_arch, &decoder_arch, &seq2seq_arch, &expert_arch};
    const enum precision precisions[] = {PRECISION_FP32, PRECISION_BF16, PRECISION_INT8,
                                         PRECISION_INT4};
    for (size_t i = 0; i < ARRAY_LEN(arches) * ARRAY_LEN(precisions); i++) {
        const struct arch *arch = arches[i / ARRAY_LEN(precisions)];
        struct outputs packed, stored, mapped;
        const enum precision precision = precisions[i % ARRAY_LEN(precisions)];
        struct model *model = load(arch, precision);
        /* Whatever stands in the cache by now, but for an encoder, whose int4 is its int8. */
        assert_int_equal(model_is_from_cache(model),
                         arch == &encoder_arch && precision == PRECISION_INT4);
        run(model, &packed);
        model_settle(model, &never);
        run(model, &stored); /* tables are looked up in the file now */
        assert_outputs_equal(&packed, &stored, model);
        const size_t bytes = model_bytes(model), moved = model_weight_bytes_per_token(model, 0);
        model_destroy(model);
        model = load(arch, precision);
        assert_true(model_is_from_cache(model));
        assert_int_equal(model_weight_bytes_per_token(model, 0), moved);
        assert_true(model_bytes(model) <= bytes);
        run(model, &mapped);
        assert_outputs_equal(&packed, &mapped, model);
        model_destroy(model);
        outputs_deinit(&packed);
        outputs_deinit(&stored);
        outputs_deinit(&mapped);
    }
}

struct settling {
    struct model *model;
    atomic_bool done;
};

static void settle(void *arg) {
    struct settling *settling = arg;
    model_settle(settling->model, &never);
    atomic_store(&settling->done, true);
}

/* Large enough to be moved: more than two huge pages of weights. */
static void passes_go_on_while_weights_move(void **state) {
    struct arch arch = decoder_arch;
    struct error err = {0};
    arch.stacks[0].hidden_size = 240;
    arch.stacks[0].intermediate_size = 700;
    struct outputs before, after;
    struct model *model = load(&arch, PRECISION_FP32);
    run(model, &before);
    model_settle(model, &never);
    model_destroy(model);
    model = load(&arch, PRECISION_FP32);
    assert_true(model_is_from_cache(model) && model_weight_bytes_per_token(model, 0) > 5 * MiB);
    struct settling settling = {.model = model};
    struct thread *thread = NULL;
    assert_int_equal(thread_start(&thread, "settle", settle, &settling, &err), STATUS_OK);
    do {
        run(model, &after);
        assert_outputs_equal(&before, &after, model);
        outputs_deinit(&after);
    } while (!atomic_load(&settling.done));
    thread_join(thread);
    run(model, &after);
    assert_outputs_equal(&before, &after, model);
    outputs_deinit(&after);
    outputs_deinit(&before);
    model_destroy(model);
}

/* Each packs something else from the same tensors, or the same from others. */
static void what_is_packed_otherwise_is_another_file(void **state) {
    struct arch other[4] = {encoder_arch, encoder_arch, encoder_arch, encoder_arch};
    other[0].stacks[0].layers = 2;
    other[1].head.steps[2].tied = false;
    other[1].head.steps[2].linear = "enc.tokens"; /* the same weights, found otherwise */
    other[2].head.n_steps = 1;
    other[2].head.outputs = 52;
    other[3].stacks[0].flags &= ~STACK_EMBED_NORM;
    struct model *model = load(&encoder_arch, PRECISION_FP32);
    model_settle(model, &never);
    model_destroy(model);
    for (size_t i = 0; i < ARRAY_LEN(other); i++) {
        struct checkpoint *checkpoint = NULL;
        struct error err = {0};
        char *weights = tiny_folder();
        const struct tiny_spoil none = {0};
        const struct model_options options = {.team = team, .cache = cache};
        tiny_write(weights, &encoder_arch, &none);
        assert_int_equal(checkpoint_open(&checkpoint, weights, &err), STATUS_OK);
        if (model_create(&model, &other[i], checkpoint, &options, &err) != STATUS_OK)
            fail_msg("%zu: %s", i, err.text);
        if (model_is_from_cache(model) != (i == 1))
            fail_msg("row %zu", i);
        model_destroy(model);
        checkpoint_close(checkpoint);
        tiny_folder_remove(weights);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_from_the_cache_is_the_same),
        cmocka_unit_test(passes_go_on_while_weights_move),
        cmocka_unit_test(what_is_packed_otherwise_is_another_file),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
