/* Families' own attention (engine/hook.h): who sees whom, and how far distances are told apart, in
 * one layer of random weights. That the numbers are right is the goldens' business. */
#include "unit/models/repos.h"

#define TEXT   20
#define HIDDEN 40
#define SEP    2
#define SIZES                                                                                      \
    "\"vocab_size\":97,\"hidden_size\":40,\"num_hidden_layers\":1,\"num_attention_heads\":4,"      \
    "\"intermediate_size\":72,\"max_position_embeddings\":66"

/* What a hook reads beside the slots, under slots of the same shapes that these models leave free.
 */
static void make(struct model **model, struct team *team, const char *config,
                 const struct slot_name *more, uint32_t token_types) {
    struct repo repo;
    struct arch arch, written;
    struct error err = {0};
    struct slot_name names[64] = {0};
    const struct tiny_spoil none = {0};
    struct checkpoint *checkpoint = NULL;
    repo_describe(&repo, config, &arch);
    written = arch;
    size_t n = 0;
    for (; more[n].name; n++)
        names[n] = more[n];
    for (size_t i = 0; arch.stacks[0].names[i].name; i++)
        names[n++] = arch.stacks[0].names[i];
    written.stacks[0].names = names;
    written.stacks[0].token_types = token_types;
    tiny_write(repo.folder, &written, &none);
    const struct model_options options = {.precision = PRECISION_FP32, .team = team};
    if (checkpoint_open(&checkpoint, repo.folder, &err) != STATUS_OK ||
        model_create(model, &arch, checkpoint, &options, &err) != STATUS_OK)
        fail_msg("%s: %s", config, err.text);
    checkpoint_close(checkpoint);
    repo_close(&repo);
}

static void run(struct model *model, const int32_t *text, float *hidden) {
    const struct segment segment = {.tokens = text, .n = TEXT, .n_rows = TEXT, .hidden = hidden};
    model_forward(model, 0, &segment, 1);
}

static void write_text(int32_t *text) {
    for (int32_t i = 0; i < TEXT; i++)
        text[i] = 10 + i * 7 % 80;
}

/* Which rows change with token k: those that `sees` says. */
static void check_sight(struct model *model, int32_t *text,
                        bool (*sees)(uint32_t row, uint32_t k, uint32_t option), uint32_t option,
                        const char *config) {
    static float before[TEXT * HIDDEN], after[TEXT * HIDDEN];
    run(model, text, before);
    for (uint32_t k = 0; k < TEXT; k++) {
        const int32_t kept = text[k];
        if (kept == SEP)
            continue; /* another one would move the end of the question */
        text[k] = 93;
        run(model, text, after);
        text[k] = kept;
        for (uint32_t row = 0; row < TEXT; row++) {
            const bool differs =
                memcmp(before + row * HIDDEN, after + row * HIDDEN, HIDDEN * sizeof(float)) != 0;
            if (sees(row, k, option) != differs)
                fail_msg("%s: row %u %s token %u", config, row, differs ? "sees" : "misses", k);
        }
    }
}

/* ---- Longformer ---- */

#define LONGFORMER(class)                                                                          \
    "{\"model_type\":\"longformer\"," SIZES ",\"attention_window\":8" CLASS("Longformer" class) "}"
#define SELF "encoder.layer.%u.attention.self."

static const struct slot_name global_names[] = {{SLOT_CROSS_Q, SELF "query_global", false},
                                                {SLOT_CROSS_K, SELF "key_global", false},
                                                {SLOT_CROSS_V, SELF "value_global", false},
                                                {0}};

/* Those within half a window, all if k is global, and the global ones. */
static bool longformer_sees(uint32_t row, uint32_t k, uint32_t globals) {
    return (row > k ? row - k : k - row) <= 4 || k < globals || row < globals;
}

static void longformer_sees_its_window_and_the_globals(void **state) {
    static const struct {
        const char *config;
        uint32_t separator, globals; /* separator: where one stands; 0: nowhere */
    } rows[] = {
        {LONGFORMER("Model"), 0, 0},
        {LONGFORMER("ForMaskedLM"), 5, 0},
        {LONGFORMER("ForTokenClassification"), 0, 0},
        {LONGFORMER("ForSequenceClassification"), 0, 1},
        {LONGFORMER("ForSequenceClassification"), 6, 1},
        {LONGFORMER("ForQuestionAnswering"), 3, 3},
        {LONGFORMER("ForQuestionAnswering"), 7, 7},
        {LONGFORMER("ForQuestionAnswering"), 0, 0},
    };
    for (uint32_t lanes = 1; lanes <= 2; lanes++) {
        struct team *team = tiny_team(lanes);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            struct model *model = NULL;
            int32_t text[TEXT];
            write_text(text);
            if (rows[i].separator > 0)
                text[rows[i].separator] = SEP;
            make(&model, team, rows[i].config, global_names, 2);
            check_sight(model, text, longformer_sees, rows[i].globals, rows[i].config);
            model_destroy(model);
        }
        team_destroy(team);
    }
}

/* ---- BigBird ---- */

#define BIG_BIRD(more) "{\"model_type\":\"big_bird\"," SIZES more CLASS("BigBirdModel") "}"

/* Blocks around its own, the first and the last; those two see all, and so does who has no blocks
 * (size 0). */
static bool big_bird_sees(uint32_t row, uint32_t k, uint32_t size) {
    if (size == 0)
        return true;
    const uint32_t last = (TEXT - 1) / size, at = row / size, of = k / size;
    return at == 0 || at == last || of == 0 || of == last || (of + 1 >= at && of <= at + 1);
}

static void big_bird_sees_its_blocks(void **state) {
    static const struct {
        const char *config;
        uint32_t size; /* 0: the text is not long enough */
    } rows[] = {
        {BIG_BIRD(",\"block_size\":2,\"num_random_blocks\":1"), 2},
        {BIG_BIRD(",\"block_size\":1,\"num_random_blocks\":3"), 1},
        {BIG_BIRD(",\"block_size\":2,\"num_random_blocks\":2"), 2},
        {BIG_BIRD(",\"block_size\":3,\"num_random_blocks\":1"), 0},
        {BIG_BIRD(",\"block_size\":4,\"num_random_blocks\":1"), 0},
        {BIG_BIRD(",\"block_size\":2,\"attention_type\":\"original_full\""), 0},
    };
    static const struct slot_name none[] = {{0}};
    for (uint32_t lanes = 1; lanes <= 2; lanes++) {
        struct team *team = tiny_team(lanes);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            struct model *model = NULL;
            int32_t text[TEXT];
            write_text(text);
            make(&model, team, rows[i].config, none, 2);
            check_sight(model, text, big_bird_sees, rows[i].size, rows[i].config);
            model_destroy(model);
        }
        team_destroy(team);
    }
}

/* ---- DeBERTa ---- */

#define DEBERTA(more)                                                                              \
    "{\"model_type\":\"deberta-v2\"," SIZES ",\"relative_attention\":true,\"share_att_key\":true," \
    "\"position_biased_input\":false,\"type_vocab_size\":0," more CLASS("DebertaV2Model") "}"

static const struct slot_name table_names[] = {{SLOT_EMBED_TYPES, "encoder.rel_embeddings", false},
                                               {0}};

/* How much the row changes when two tokens change places. */
static float change(struct model *model, uint32_t row, uint32_t a, uint32_t b) {
    static float before[TEXT * HIDDEN], after[TEXT * HIDDEN];
    int32_t text[TEXT];
    float most = 0;
    write_text(text);
    run(model, text, before);
    const int32_t kept = text[a];
    text[a] = text[b];
    text[b] = kept;
    run(model, text, after);
    for (uint32_t i = row * HIDDEN; i < (row + 1) * HIDDEN; i++)
        most = fmaxf(most, fabsf(before[i] - after[i]));
    return most;
}

/* Beyond the reach all distances are one, so that two far tokens may change places; a near one may
 * not, nor may they on different sides. */
static void deberta_tells_distances_apart_up_to_its_reach(void **state) {
    static const struct {
        const char *config;
        uint32_t table; /* rows of rel_embeddings */
        uint32_t far;   /* from this distance on all are one */
    } rows[] = {
        {DEBERTA("\"pos_att_type\":\"c2p\",\"max_relative_positions\":3"), 6, 4},
        {DEBERTA("\"pos_att_type\":\"p2c\",\"max_relative_positions\":3"), 6, 4},
        {DEBERTA("\"pos_att_type\":[\"p2c\",\"c2p\"],\"max_relative_positions\":3"), 6, 4},
        {DEBERTA("\"pos_att_type\":\"p2c|c2p\",\"max_relative_positions\":8,"
                 "\"position_buckets\":4"),
         8, 9},
    };
    struct team *team = tiny_team(2);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct model *model = NULL;
        const uint32_t far = rows[i].far, last = TEXT - 1;
        make(&model, team, rows[i].config, table_names, rows[i].table);
        const float same = change(model, 0, far, last) + change(model, last, 0, last - far);
        const float near = change(model, 0, 1, last), sides = change(model, far, 0, 2 * far);
        if (same > 1e-4f || near < 1e-2f || sides < 1e-2f)
            fail_msg("%s: far ones change by %g, near ones by %g, sides by %g", rows[i].config,
                     (double)same, (double)near, (double)sides);
        model_destroy(model);
    }
    team_destroy(team);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(longformer_sees_its_window_and_the_globals),
        cmocka_unit_test(big_bird_sees_its_blocks),
        cmocka_unit_test(deberta_tells_distances_apart_up_to_its_reach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
