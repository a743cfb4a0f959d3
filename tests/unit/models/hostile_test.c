/* Configs that nobody meant: every number, word, list and object of every golden folder's
 * config.json in turn becomes something else, which must be described or refused with a readable
 * text, and never more than the limits allow. What a few families must say of their own keys is a
 * table; fuzz/config.c goes on from here at random. */
#include "unit/models/repos.h"

#define GOLDEN_FOLDER "tests/golden"

static const char *const hostile[] = {
    "0",    "-1",   "1",    "3",  "2.5", "1e30", "-1e300", "2147483647",  "4294967296", "\"x\"",
    "\"\"", "true", "null", "[]", "{}",  "[0]",  "[-1,7]", "[[1],\"x\"]", "{\"x\":-1}"};

static void check(const struct json *config, const char *path, const char *key, const char *value) {
    struct repository repository = {.folder = ".", .config = config};
    struct error err = {0};
    struct arch arch;
    if (models_describe(&arch, &repository, &err) != STATUS_OK) {
        if (err.code != ERROR_MODEL || strlen(err.text) < 12 ||
            !utf8_valid(err.text, strlen(err.text), NULL))
            fail_msg("%s: \"%s\": %s: code %d, %s", path, key, value, err.code, err.text);
    } else {
        for (uint32_t i = 0; i < arch.n_stacks; i++) {
            const struct stack_spec *stack = &arch.stacks[i];
            if (stack->layers > LIMIT_LAYERS || stack->hidden_size > LIMIT_HIDDEN_SIZE ||
                stack->vocab_size > LIMIT_VOCAB_SIZE || stack->kv_heads == 0 ||
                stack->heads % stack->kv_heads != 0)
                fail_msg("%s: \"%s\": %s: described beyond the limits", path, key, value);
        }
        assert_true(model_estimate_bytes(&arch, PRECISION_FP32) > 0);
    }
    arena_deinit(&repository.arena);
}

/* The object with another value at member i; the keys, and so their index, stay. */
static struct json with_value(struct arena *arena, const struct json *object, uint32_t i,
                              const struct json *value) {
    struct json changed = *object;
    struct json_member *members =
        arena_copy(arena, object->members, object->len * sizeof(*members));
    members[i].value = *value;
    changed.members = members;
    return changed;
}

/* All members of an object, which is the config itself or stands at member `at` of it. */
static size_t change_all(struct arena *arena, const char *path, const struct json *config,
                         const struct json *object, uint32_t at, const struct json *const *values) {
    size_t n = 0;
    for (uint32_t i = 0; i < object->len; i++) {
        for (size_t v = 0; v < ARRAY_LEN(hostile); v++, n++) {
            struct json changed = with_value(arena, object, i, values[v]);
            if (object != config)
                changed = with_value(arena, config, at, &changed);
            check(&changed, path, object->members[i].key, hostile[v]);
        }
        if (object == config && json_is(&object->members[i].value, JSON_OBJECT))
            n += change_all(arena, path, config, &object->members[i].value, i, values);
    }
    return n;
}

static size_t change_folder(const char *path) {
    struct arena arena = {0};
    struct error err = {0};
    char *text = NULL;
    size_t len = 0, n = 0;
    const struct json *config = NULL, *values[ARRAY_LEN(hostile)];
    for (size_t v = 0; v < ARRAY_LEN(hostile); v++)
        assert_int_equal(
            json_parse(&values[v], &arena, hostile[v], strlen(hostile[v]), JSON_STRICT, &err),
            STATUS_OK);
    if (file_exists(path)) {
        if (file_read(&text, &len, &arena, path, LIMIT_JSON_FILE, &err) != STATUS_OK ||
            json_parse(&config, &arena, text, len, JSON_PYTHON, &err) != STATUS_OK)
            fail_msg("%s: %s", path, err.text);
        n = change_all(&arena, path, config, config, 0, values);
    }
    arena_deinit(&arena);
    return n;
}

static void any_value_is_described_or_refused(void **state) {
    struct arena arena = {0};
    char **families = folder_list(&arena, GOLDEN_FOLDER);
    size_t n = 0;
    for (size_t f = 0; families && families[f]; f++) {
        const char *family = path_join(&arena, GOLDEN_FOLDER, families[f]);
        char **heads = folder_list(&arena, family);
        for (size_t h = 0; heads && heads[h]; h++)
            n += change_folder(arena_printf(&arena, "%s/%s/config.json", family, heads[h]));
    }
    arena_deinit(&arena);
    assert_true(n > 50000);
}

#define DEBERTA "{\"model_type\":\"deberta-v2\"," BERT_SIZES ",\"relative_attention\":true"
#define OLD     "{\"model_type\":\"deberta\"," BERT_SIZES ",\"relative_attention\":true"
#define LONG    "{\"model_type\":\"longformer\"," BERT_SIZES
#define T5(type)                                                                                   \
    "{\"model_type\":\"" type "\",\"vocab_size\":97,\"d_model\":40,\"d_ff\":72,\"num_layers\":2,"  \
    "\"num_heads\":4"
#define GPTJ "{\"model_type\":\"gptj\",\"vocab_size\":97,\"n_embd\":40,\"n_layer\":2,\"n_head\":4"
#define NEO                                                                                        \
    "{\"model_type\":\"gpt_neo\",\"vocab_size\":97,\"hidden_size\":40,\"num_layers\":2,"           \
    "\"num_heads\":4"
#define FALCON                                                                                     \
    "{\"model_type\":\"falcon\",\"vocab_size\":97,\"hidden_size\":40,\"num_hidden_layers\":2,"     \
    "\"num_attention_heads\":4"
#define MPT "{\"model_type\":\"mpt\",\"vocab_size\":97,\"d_model\":40,\"n_layers\":2,\"n_heads\":4"

static const struct {
    const char *config, *says;
} refused[] = {
    {DEBERTA ",\"pos_att_type\":\"p2p\"}", "p2p"},
    {DEBERTA ",\"position_buckets\":2}", "\"position_buckets\" is 2"},
    {DEBERTA ",\"position_buckets\":64,\"max_relative_positions\":32}",
     "\"position_buckets\" is 64, must be below twice max_relative_positions 32"},
    {DEBERTA ",\"max_relative_positions\":1}", "\"max_relative_positions\" is 1"},
    {DEBERTA ",\"max_relative_positions\":7.5}", "must be a whole number"},
    {DEBERTA ",\"conv_kernel_size\":4}", "\"conv_kernel_size\" is 4, must be odd"},
    {DEBERTA ",\"conv_kernel_size\":17}", "\"conv_kernel_size\" is 17"},
    {DEBERTA ",\"conv_kernel_size\":3,\"conv_groups\":2}", "\"conv_groups\""},
    {DEBERTA ",\"attention_head_size\":11}", "\"attention_head_size\" must be 10"},
    {DEBERTA ",\"embedding_size\":20}", "\"embedding_size\""},
    {OLD ",\"talking_head\":true}", "\"talking_head\""},
    {OLD ",\"type_vocab_size\":1.5}", "\"type_vocab_size\""},
    {LONG ",\"attention_window\":0}", "\"attention_window\" is 0, must be even"},
    {LONG ",\"attention_window\":[4,6]}", "other numbers for other layers"},
    {LONG ",\"attention_window\":[4,\"x\"]}", "\"attention_window\""},
    {LONG ",\"attention_window\":7}", "\"attention_window\" is 7, must be even"},
    {LONG ",\"attention_window\":1e30}", "\"attention_window\""},
    {T5("t5") ",\"feed_forward_proj\":\"gated-\"}", "\"feed_forward_proj\" is \"gated-\""},
    {T5("t5") ",\"feed_forward_proj\":\"swoosh\"}", "\"feed_forward_proj\" is \"swoosh\""},
    {T5("t5") ",\"relative_attention_num_buckets\":2}", "must be 4 or more"},
    {T5("t5") ",\"relative_attention_num_buckets\":32,\"relative_attention_max_distance\":16}",
     "more than half of it"},
    {T5("t5") ",\"num_decoder_layers\":-1}", "\"num_decoder_layers\""},
    {T5("mt5") ",\"d_kv\":0}", "\"d_kv\""},
    {T5("umt5") ",\"layer_norm_epsilon\":-1}", "\"layer_norm_epsilon\""},
    {GPTJ ",\"rotary_dim\":null}", "\"rotary_dim\" is null"},
    {GPTJ ",\"rotary_dim\":5}", "an even number"},
    {GPTJ ",\"n_inner\":-4}", "\"n_inner\""},
    {NEO ",\"attention_types\":[[[\"global\",\"far\"],1]]}", "attention_types"},
    {NEO ",\"attention_types\":[[[\"global\"],1000000000]]}", "attention_types"},
    {NEO ",\"attention_types\":7}", "attention_types"},
    {FALCON ",\"new_decoder_architecture\":true,\"num_kv_heads\":3}", "num_kv_heads"},
    {FALCON ",\"num_attention_heads\":7}", "\"num_attention_heads\""},
    {MPT ",\"attn_config\":{\"clip_qkv\":-1}}", "clip_qkv"},
    {MPT ",\"attn_config\":{\"softmax_scale\":\"x\"}}", "softmax_scale"},
};

static void own_keys_are_refused_by_name(void **state) {
    size_t wrong = 0;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct repo repo;
        struct arch arch;
        struct error err = {0};
        repo_open(&repo, refused[i].config);
        if (models_describe(&arch, &repo.repository, &err) == STATUS_OK ||
            err.code != ERROR_MODEL || !strstr(err.text, refused[i].says)) {
            print_error("%s: lacks \"%s\": %s\n", refused[i].config, refused[i].says, err.text);
            wrong++;
        }
        repo_close(&repo);
    }
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_value_is_described_or_refused),
        cmocka_unit_test(own_keys_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
