/* The languages of a translation: which tokens say them, as TranslationPipeline of transformers
 * finds out with its tokenizers' _build_translation_inputs. The request's src_lang and tgt_lang
 * count, for those it leaves out the task's name ("translation_en_to_fr"), and then, where the
 * pipeline gives up, what the model's files are set to. A code that is no language of the model is
 * refused; there the pipeline goes on with the unknown token. */
#include "tasks/seq2seq.h"

/* One of the two. */
struct side {
    const char *key; /* of the parameters */
    struct text code;
};

/* "translation_en_XX_to_fr_XX": en_XX, fr_XX. */
static void read_name(const char *name, struct side sides[2]) {
    static const char prefix[] = "translation_", between[] = "_to_";
    const size_t head = sizeof(prefix) - 1;
    const char *middle = strncmp(name, prefix, head) == 0 ? strstr(name + head, between) : NULL;
    if (middle) {
        sides[0].code = (struct text){name + head, (size_t)(middle - name) - head};
        sides[1].code = text_of(middle + sizeof(between) - 1);
    }
}

static void read_args(const struct seq2seq_args *args, struct side sides[2]) {
    const struct arg *given[] = {&args->src_lang, &args->tgt_lang};
    for (size_t i = 0; i < ARRAY_LEN(given); i++) {
        if (given[i]->given) {
            sides[i].code = given[i]->text;
        }
    }
}

/* How many languages the model knows; `nearest` sees them all. */
static uint32_t all_languages(struct job *job, struct nearest *nearest) {
    const char *code = NULL;
    uint32_t n = 0;
    int32_t id = -1;
    while ((id = tokenizer_next_language(job->model->tokenizer, id, &job->arena, &code)) >= 0) {
        nearest_see(nearest, code);
        n++;
    }
    return n;
}

static enum status unknown(struct job *job, const struct side *side, struct error *err) {
    const struct text code = side->code; /* a task's name need not be UTF-8 */
    const size_t shown = utf8_valid(code.data, code.len, NULL)
                             ? utf8_offset(code.data, code.len, NEAREST_BYTES / 2)
                             : 0;
    const char *name = arena_strndup(&job->arena, code.data, shown);
    struct nearest nearest;
    nearest_init(&nearest, name);
    const uint32_t n = all_languages(job, &nearest);
    return ERR(err, INPUT,
               "%s is \"%s\", which is none of the %u languages of model %s; the nearest names are "
               "%s",
               side->key, name, n, job->model->id, nearest_list(&nearest, &job->arena));
}

static enum status missing(struct job *job, bool source, bool target, struct error *err) {
    struct nearest nearest;
    nearest_init(&nearest, ""); /* the shortest */
    const uint32_t n = all_languages(job, &nearest);
    return ERR(err, INPUT,
               "model %s translates between %u languages: the parameter%s %s%s%s %s missing; some "
               "of the languages are %s",
               job->model->id, n, source && target ? "s" : "",
               source ? "src_lang (of the input)" : "", source && target ? " and " : "",
               target ? "tgt_lang (of the answer)" : "", source && target ? "are" : "is",
               nearest_list(&nearest, &job->arena));
}

/* The token of a side; -1: it names none. */
static enum status read_token(struct job *job, const struct side *side, int32_t *token,
                              struct error *err) {
    *token = -1;
    if (!side->code.data) {
        return STATUS_OK;
    }
    const char *code = arena_strndup(&job->arena, side->code.data, side->code.len);
    if (strlen(code) == side->code.len) {
        *token = tokenizer_language(job->model->tokenizer, code);
    }
    return *token >= 0 ? STATUS_OK : unknown(job, side, err);
}

enum status languages_open(struct job *job, struct generation_config *config, int32_t *source,
                           struct error *err) {
    const struct tokenizer *tokenizer = job->model->tokenizer;
    const struct seq2seq_args *args = job->args;
    struct side sides[2] = {{.key = "src_lang"}, {.key = "tgt_lang"}};
    const bool translates = job->task == &task_translation;
    int32_t target = -1;
    *source = 0;
    if (!tokenizer_has_languages(tokenizer)) {
        return STATUS_OK;
    }
    read_name(job->name, sides);
    read_args(args, sides);
    if (read_token(job, &sides[0], source, err) != STATUS_OK ||
        read_token(job, &sides[1], &target, err) != STATUS_OK) {
        return STATUS_ERROR;
    }
    *source = *source >= 0 ? *source : tokenizer_source_language(tokenizer);
    if (target >= 0 && args->generation.forced_bos_token_id.given) {
        return ERR(err, INPUT,
                   "forced_bos_token_id and tgt_lang both say what the answer begins with: give "
                   "one of them");
    }
    if (target < 0 && translates && config->forced_bos < 0) {
        target = tokenizer_target_language(tokenizer);
    }
    config->forced_bos = target >= 0 ? target : config->forced_bos;
    if (translates && (*source < 0 || config->forced_bos < 0)) {
        return missing(job, *source < 0, config->forced_bos < 0, err);
    }
    *source = *source >= 0 ? *source : 0;
    return STATUS_OK;
}
