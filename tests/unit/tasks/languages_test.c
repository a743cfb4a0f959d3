/* The languages of a translation: what the request, the task's name and the model's files say, in
 * this order; what is refused, and in which words. */
#include "unit/tasks/fake.h"

#define MBART   "tests/golden/mbart/translation"   /* en_XX, to none */
#define NLLB    "tests/golden/tokenizer/class-nllb" /* names no languages */
#define MBART50 "tests/golden/mbart/mbart50"       /* fr_XX to uk_UA, in front of the text */
#define M2M     "tests/golden/m2m_100/translation" /* en, to none */
#define T5      "tests/golden/t5/text2text-generation"

#define ASK(p) "{\"inputs\":\"Rain.\",\"parameters\":{" p "}}"
#define SOME   "some of the languages are ace_Arab, ace_Latn, acm_Arab, acq_Arab, aeb_Arab"

/* The codes of the input and of the answer, NULL: none; or the words of the error. */
static const struct row {
    const char *folder, *task, *body, *source, *target, *error;
} rows[] = {
    {MBART, "translation", ASK("\"src_lang\":\"fr_XX\",\"tgt_lang\":\"de_DE\""), "fr_XX", "de_DE",
     NULL},
    {MBART, "translation_en_XX_to_ro_RO", ASK(""), "en_XX", "ro_RO", NULL},
    {MBART, "translation_en_XX_to_ro_RO", ASK("\"tgt_lang\":\"fr_XX\""), "en_XX", "fr_XX", NULL},
    {M2M, "translation_en_to_fr", ASK(""), "en", "fr", NULL},
    {M2M, "translation", ASK("\"src_lang\":\"__ilo__\",\"tgt_lang\":\"zu\""), "ilo", "zu", NULL},
    {MBART50, "translation", ASK(""), "fr_XX", "uk_UA", NULL},
    {MBART50, "translation", ASK("\"src_lang\":\"de_DE\""), "de_DE", "uk_UA", NULL},
    {MBART50, "translation", ASK("\"tgt_lang\":\"de_DE\""), "fr_XX", "de_DE", NULL},
    /* other tasks go on without: the tokenizer has a language of its own */
    {MBART, "text2text-generation", ASK(""), "en_XX", NULL, NULL},
    {MBART50, "summarization", ASK(""), "fr_XX", NULL, NULL},
    {MBART50, "text2text-generation", ASK("\"src_lang\":\"ja_XX\",\"tgt_lang\":\"de_DE\""), "ja_XX",
     "de_DE", NULL},
    {T5, "translation", ASK("\"src_lang\":\"English\",\"tgt_lang\":\"de\""), NULL, NULL, NULL},

    {NLLB, "translation", ASK(""), NULL, NULL,
     "translates between 202 languages: the parameters src_lang (of the input) and tgt_lang (of the "
     "answer) are missing; " SOME},
    {NLLB, "translation", ASK("\"src_lang\":\"eng_Latn\""), NULL, NULL,
     "the parameter tgt_lang (of the answer) is missing; " SOME},
    {MBART, "translation", ASK(""), NULL, NULL,
     "the parameter tgt_lang (of the answer) is missing; some of the languages are ar_AR, cs_CZ"},
    {NLLB, "translation", ASK("\"tgt_lang\":\"eng_Latn\""), NULL, NULL,
     "the parameter src_lang (of the input) is missing; " SOME},
    {MBART, "translation_en_to_ro", ASK(""), NULL, NULL,
     "src_lang is \"en\", which is none of the 25 languages of model org/fake; the nearest names "
     "are en_XX, "},
    {MBART, "translation", ASK("\"src_lang\":\"en_XX\",\"tgt_lang\":\"ro_R0\""), NULL, NULL,
     "tgt_lang is \"ro_R0\", which is none of the 25 languages of model org/fake; the nearest "
     "names are ro_RO, "},
    {MBART, "translation", ASK("\"src_lang\":\"en_XX\",\"tgt_lang\":\"</s>\""), NULL, NULL,
     "tgt_lang is \"</s>\""},
    {MBART, "translation", ASK("\"src_lang\":\"en_XX\",\"tgt_lang\":\"\""), NULL, NULL,
     "tgt_lang is \"\""},
    {MBART, "translation", ASK("\"src_lang\":\"en_XX\",\"tgt_lang\":\"ro_RO\\u0000\""), NULL, NULL,
     "tgt_lang is \"ro_RO\""},
    {MBART, "translation", ASK("\"src_lang\":5"), NULL, NULL, "src_lang is 5 (number), must be"},
    {M2M, "translation_english_to_fr", ASK(""), NULL, NULL,
     "src_lang is \"english\", which is none of the 100 languages"},
    {MBART50, "translation", ASK("\"tgt_lang\":\"de_DE\",\"forced_bos_token_id\":5"), NULL, NULL,
     "forced_bos_token_id and tgt_lang both say"},
};

static bool has(const struct fake *fake, int32_t token) {
    for (uint32_t i = 0; i < fake->n_first; i++) {
        if (fake->first[i] == token) {
            return true;
        }
    }
    return false;
}

static void open_fake(struct fake *fake, const char *folder, const char *config) {
    fake_init(fake, folder, HEAD_LM, 0, config);
    fake->arch.head.outputs = tokenizer_vocab_size(fake->tokenizer);
    fake_add_decoder(fake);
    fake->arch.decoder_start = fake->arch.eos = 2;
}

static void check(const struct row *row) {
    struct fake fake;
    open_fake(&fake, row->folder, "{}");
    fake_check(&fake, row->task, &(struct fake_row){row->body, NULL, row->error});
    if (!row->error) {
        const bool knows = tokenizer_has_languages(fake.tokenizer);
        const int32_t target = row->target ? tokenizer_language(fake.tokenizer, row->target) : -1;
        if (fake.config.forced_bos != target || knows != (row->source != NULL) ||
            (knows && !has(&fake, tokenizer_language(fake.tokenizer, row->source)))) {
            fail_msg("%s %s %s: the answer begins with %d, wanted %d; or the input is not of %s",
                     row->folder, row->task, row->body, fake.config.forced_bos, target,
                     row->source);
        }
    }
    fake_deinit(&fake);
}

static void languages_win_in_order(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check(&rows[i]);
    }
}

/* generation_config.json counts before tokenizer_config.json, the request before both. */
static void a_forced_token_is_a_language(void **state) {
    struct fake fake;
    open_fake(&fake, MBART50, "{}");
    fake.model.generation_config = fake_json(&fake, "{\"forced_bos_token_id\":7}");
    fake_check(&fake, "translation", &(struct fake_row){ASK(""), NULL, NULL});
    assert_int_equal(fake.config.forced_bos, 7);
    fake_check(&fake, "translation", &(struct fake_row){ASK("\"tgt_lang\":\"de_DE\""), NULL, NULL});
    assert_int_equal(fake.config.forced_bos, tokenizer_language(fake.tokenizer, "de_DE"));
    fake_check(&fake, "translation",
               &(struct fake_row){ASK("\"forced_bos_token_id\":9"), NULL, NULL});
    assert_int_equal(fake.config.forced_bos, 9);
    fake_deinit(&fake);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(languages_win_in_order),
        cmocka_unit_test(a_forced_token_is_a_language),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
