/* Ranking: the order, the scores, what the answer holds, and what is refused. The model is made up:
 * the i-th text's logit is fixed. */
#include "unit/tasks/fake.h"

#define BERT "tests/golden/bert/cross-encoder"

static void fill(const struct fake *fake, const struct item *item, uint32_t index, uint32_t row,
                 float *out, size_t n) {
    static const float logits[] = {-1.5f, 2, 0, 2};
    out[0] = logits[index % 4];
}

#define ASK(p)                                                                                     \
    "{\"inputs\":{\"query\":\"Rain?\",\"texts\":[\"It rains.\",\"Tea.\",\"A film.\",\"Rain.\"]},"  \
    "\"parameters\":{" p "}}"
static const struct fake_row rows[] = {
    {ASK("\"raw_scores\":true"),
     "[{\"index\":1,\"score\":2},{\"index\":3,\"score\":2},{\"index\":2,\"score\":0},{\"index\":0,"
     "\"score\":-1.5}]",
     NULL},
    {ASK(""),
     "[{\"index\":1,\"score\":0.880797},{\"index\":3,\"score\":0.880797},{\"index\":2,\"score\":0."
     "5}"
     ",{\"index\":0,\"score\":0.182426}]",
     NULL},
    {"{\"query\":\"Rain?\",\"texts\":[\"a\",\"b\"],\"return_text\":true}",
     "[{\"index\":1,\"score\":0.880797,\"text\":\"b\"},{\"index\":0,\"score\":0.182426,\"text\":"
     "\"a\"}]",
     NULL},
    {"{\"inputs\":{\"query\":\"Rain?\"}}", NULL, "inputs must be {\"query\""},
    {"{\"inputs\":{\"texts\":[\"a\"]}}", NULL, "inputs must be {\"query\""},
    {"{\"inputs\":{\"query\":\"Rain?\",\"texts\":[]}}", NULL, "inputs.texts is empty"},
    {"{\"inputs\":{\"query\":\"Rain?\",\"texts\":[\"a\",5]}}", NULL,
     "inputs.texts[1] is 5 (number), must be a string"},
    {"{\"inputs\":{\"query\":7,\"texts\":[\"a\"]}}", NULL, "inputs.query is 7 (number)"},
    {"{\"inputs\":\"Rain.\"}", NULL, "inputs must be {\"query\""},
};

static void texts_are_ranked(void **state) {
    struct fake fake;
    fake_init(&fake, BERT, HEAD_SEQUENCE, 1, "{}");
    fake.fill = fill;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        fake_check(&fake, "text-ranking", &rows[i]);
    }
    fake_check(&fake, "rerank", &rows[0]);
    fake_deinit(&fake);
}

static void other_models_do_not_rank(void **state) {
    struct fake fake;
    fake_init(&fake, BERT, HEAD_SEQUENCE, 3, "{}");
    fake_check(&fake, "text-ranking", &(struct fake_row){ASK(""), NULL, "it has 3 labels"});
    fake.arch.head.kind = HEAD_LM;
    fake_check(&fake, "text-ranking", &(struct fake_row){ASK(""), NULL, "text-ranking"});
    fake_deinit(&fake);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_ranked),
        cmocka_unit_test(other_models_do_not_rank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
