/* What summarization, translation and text2text-generation share: the prefix, encoding the input,
 * generating with the decoder, decoding. */
#include "tasks/seq2seq.h"

#define ARG(field) offsetof(struct seq2seq_args, field)

const struct param seq2seq_params[SEQ2SEQ_PARAMS] = {
#define GENERATION_PARAM(...) GENERATION_PARAM_ROW(struct seq2seq_args, __VA_ARGS__)
#include "tasks/generation_params.inc"
#undef GENERATION_PARAM
    {.name = "truncation",
     .type = PARAM_TRUNCATION,
     .preset = "true",
     .help = "false: refuse an input that is too long, rather than cut it",
     .offset = ARG(truncation)},
    {.name = "src_lang",
     .type = PARAM_STRING,
     .help = "language of the input where the model knows several, as it calls it: en_XX (mBART), "
             "en (M2M100), eng_Latn (NLLB)",
     .offset = ARG(src_lang)},
    {.name = "tgt_lang",
     .type = PARAM_STRING,
     .help = "language of the answer, likewise; translation_en_to_fr as the task's name says both",
     .offset = ARG(tgt_lang)},
};

struct seq2seq_job {
    struct generation_config *config;
    struct text prefix;
    int32_t start;    /* what the decoder begins with */
    int32_t language; /* of the input */
};

enum status seq2seq_supports(const struct task_model *model, struct error *err) {
    const struct arch *arch = model->arch;
    if (arch->head.kind == HEAD_LM && arch_has_decoder(arch)) {
        return STATUS_OK;
    }
    if (arch->head.kind != HEAD_LM) {
        return needs_head(model, HEAD_LM, "this task", "language modelling head", err);
    }
    return ERR(err, INPUT, "model %s has no decoder: it cannot make a text of another; ask for %s",
               model->id,
               stack_has(arch_last(arch), STACK_CAUSAL) ? "text-generation" : "fill-mask");
}

/* The key of task_specific_params: with the languages for translation, of the parameters or of the
 * name that the task was asked under. */
static const char *specific_name(struct job *job) {
    const struct seq2seq_args *args = job->args;
    if (!args->src_lang.given || !args->tgt_lang.given) {
        return job->name;
    }
    return arena_printf(&job->arena, "%s_%.*s_to_%.*s", job->task->name,
                        (int)args->src_lang.text.len, args->src_lang.text.data,
                        (int)args->tgt_lang.text.len, args->tgt_lang.text.data);
}

enum status seq2seq_open(struct job *job, struct error *err) {
    static const struct generation_presets presets = {.max_new_tokens = 256, .num_beams = 4};
    const struct seq2seq_args *args = job->args;
    struct seq2seq_job *state = arena_zalloc(&job->arena, 1, sizeof(*state));
    const char *name = specific_name(job);
    job->state = state;
    state->prefix = generation_prefix(job, name);
    enum status status =
        generation_open(job, &args->generation, &presets, name, &state->config, err);
    if (status == STATUS_OK) {
        status = languages_open(job, state->config, &state->language, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    return generation_start(job, state->config, &state->start, err);
}

enum status seq2seq_begin(struct part *part, struct error *err) {
    struct job *job = part->job;
    const struct seq2seq_args *args = job->args;
    const struct seq2seq_job *state = job->state;
    struct text text;
    enum status status = part_text(part, part->input, "inputs", &text, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (state->prefix.len > 0) {
        char *joined = arena_alloc(&job->arena, state->prefix.len + text.len + 1);
        memcpy(joined, state->prefix.data, state->prefix.len);
        memcpy(joined + state->prefix.len, text.data, text.len);
        text = (struct text){joined, state->prefix.len + text.len};
    }
    struct fit fit = fit_of(&args->truncation, NULL);
    fit.language = state->language;
    fit.generates = true;
    struct encoding encoding;
    status = part_encode(part, text, NULL, fit, &encoding, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct item *item = part_item(part, &encoding);
    int32_t *start = arena_alloc(&job->arena, sizeof(*start));
    *start = state->start;
    item->decoder_tokens = start;
    item->n_decoder = 1;
    item_generates(part, item, state->config);
    part->state = item;
    return STATUS_OK;
}

enum status seq2seq_next(struct part *part, struct error *err) {
    count_generated(part, part->state);
    return STATUS_OK;
}

static void write_output(struct part *part, const struct generation_output *output, const char *key,
                         struct json_out *out) {
    struct job *job = part->job;
    const struct seq2seq_args *args = job->args;
    const struct seq2seq_job *state = job->state;
    int32_t *ids = arena_alloc(&job->arena, (output->n + 1) * sizeof(*ids));
    ids[0] = state->start;
    if (output->n > 0) {
        memcpy(ids + 1, output->ids, output->n * sizeof(*ids));
    }
    struct buf buf;
    buf_init(&buf, LIMIT_RESPONSE);
    tokenizer_decode(
        job->model->tokenizer, &buf, ids, output->n + 1,
        (struct decode_options){
            .clean_up = arg_bool(&args->generation.clean_up_tokenization_spaces, false) ? 1 : -1});
    json_open_object(out);
    json_key(out, key);
    json_string_n(out, buf.data ? buf.data : "", buf.len);
    json_close_object(out);
    buf_deinit(&buf);
}

/* One input: a list of texts. Several: a list of texts, or of lists when each has several. */
void seq2seq_write(struct part *part, struct json_out *out, const char *key) {
    const struct item *item = part->state;
    const bool list = part->job->single || item->n_outputs > 1;
    if (list) {
        json_open_array(out);
    }
    for (uint32_t i = 0; i < item->n_outputs; i++) {
        write_output(part, &item->outputs[i], key, out);
    }
    if (list) {
        json_close_array(out);
    }
}
