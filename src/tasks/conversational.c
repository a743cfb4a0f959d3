/* Conversational: the next answer of a talk (`transformers`' ConversationalPipeline, gone since
 * 4.42, which old clients still ask for; reference, section 5.11). The turns become a prompt by the
 * model's chat template; without one a decoder reads them with the end token behind each, as
 * DialoGPT does, and an encoder reads them in one line, as Blenderbot does. Chats as lists of
 * messages are text_generation.c's. */
#include "tasks/task.h"

#define ROOM_TO_ANSWER 10  /* tokens of a decoder's context that the talk leaves free */
#define NEW_TOKENS     256 /* of an answer, where nothing says how long it may be */

struct conversational_args {
    struct generation_args generation;
    struct arg minimum_tokens;
};

static const struct param conversational_params[] = {
#define GENERATION_PARAM(...) GENERATION_PARAM_ROW(struct conversational_args, __VA_ARGS__)
#include "tasks/generation_params.inc"
#undef GENERATION_PARAM
    {.name = "minimum_tokens",
     .aliases = "min_length_for_response",
     .type = PARAM_INT,
     .min = 1,
     .max = 1e9,
     .preset = "10",
     .help = "tokens that a long talk leaves to the answer; its beginning is cut off",
     .offset = offsetof(struct conversational_args, minimum_tokens)},
};

struct conversational_job {
    struct generation_config *config;
    int32_t start; /* what an encoder-decoder's decoder begins with */
};

struct conversational_state {
    const struct json *past, *answers; /* lists of as many strings, or NULL */
    uint32_t n_past;
    struct text text;
    int32_t *ids; /* the prompt's */
    size_t n, cut;
    struct item *item;
};

static enum status conversational_supports(const struct task_model *model, struct error *err) {
    const struct arch *arch = model->arch;
    const enum status status =
        needs_head(model, HEAD_LM, "conversational", "language modelling head", err);
    if (status != STATUS_OK || arch_has_decoder(arch) || stack_has(arch_last(arch), STACK_CAUSAL)) {
        return status;
    }
    return ERR(err, INPUT,
               "model %s cannot do conversational: it fills in masked tokens; ask for fill-mask",
               model->id);
}

static enum status conversational_open(struct job *job, struct error *err) {
    static const struct generation_presets presets = {0};
    const struct conversational_args *args = job->args;
    struct conversational_job *state = arena_zalloc(&job->arena, 1, sizeof(*state));
    job->state = state;
    enum status status =
        generation_open(job, &args->generation, &presets, "conversational", &state->config, err);
    if (status == STATUS_OK) {
        state->config->num_return_sequences = 1; /* the answer has place for one */
        if (state->config->max_length == 0 && state->config->max_new_tokens == 0) {
            state->config->max_new_tokens = NEW_TOKENS;
        }
    }
    if (status == STATUS_OK && arch_has_decoder(job->model->arch)) {
        status = generation_start(job, state->config, &state->start, err);
    }
    return status;
}

/* ---- the input ---- */

static enum status read_turns(struct part *part, const char *name, const struct json **out,
                              struct error *err) {
    const struct json *list = json_get(part->input, name);
    if (json_is_null(list)) {
        return STATUS_OK;
    }
    if (!json_is(list, JSON_ARRAY)) {
        return ERR(err, INPUT, "inputs.%s is %s, must be a list of strings", name,
                   describe_value(&part->job->arena, list));
    }
    for (uint32_t i = 0; i < list->len; i++) {
        struct text text;
        if (part_text(part, json_at(list, i), name, &text, err) != STATUS_OK) {
            return error_prefix(err, "inputs.");
        }
    }
    *out = list;
    return STATUS_OK;
}

static enum status read_input(struct part *part, struct error *err) {
    struct conversational_state *state = part->state;
    if (json_get(part->input, "role")) {
        return ERR(err, INPUT,
                   "inputs has messages with \"role\": ask for text-generation, or send {\"text\": "
                   "\"...\", \"past_user_inputs\": [...], \"generated_responses\": [...]}");
    }
    if (!json_is(part->input, JSON_OBJECT)) {
        return part_text(part, part->input, "inputs", &state->text, err);
    }
    enum status status =
        part_text(part, json_get(part->input, "text"), "inputs.text", &state->text, err);
    if (status == STATUS_OK) {
        status = read_turns(part, "past_user_inputs", &state->past, err);
    }
    if (status == STATUS_OK) {
        status = read_turns(part, "generated_responses", &state->answers, err);
    }
    state->n_past = state->past ? state->past->len : 0;
    const uint32_t n_answers = state->answers ? state->answers->len : 0;
    if (status == STATUS_OK && state->n_past != n_answers) {
        return ERR(err, INPUT,
                   "past_user_inputs has %u texts and generated_responses has %u: each input has "
                   "one answer",
                   state->n_past, n_answers);
    }
    return status;
}

/* ---- the prompt ---- */

/* The turns in their order: 0 and even ones are the user's, the last is the new text. */
static uint32_t n_turns(const struct conversational_state *state) {
    return 2 * state->n_past + 1;
}

static struct text turn_at(const struct conversational_state *state, uint32_t i) {
    if (i == 2 * state->n_past) {
        return state->text;
    }
    const struct json *text = json_at(i % 2 == 0 ? state->past : state->answers, i / 2);
    return (struct text){text->text, text->len};
}

static void write_messages(const struct conversational_state *state, struct json_out *out) {
    json_open_array(out);
    for (uint32_t i = 0; i < n_turns(state); i++) {
        json_open_object(out);
        json_key(out, "role");
        json_string(out, i % 2 == 0 ? "user" : "assistant");
        json_key(out, "content");
        write_text(out, turn_at(state, i));
        json_close_object(out);
    }
    json_close_array(out);
}

/* By the model's template, appended to `prompt`. */
static enum status chat_prompt(struct part *part, struct buf *prompt, struct error *err) {
    struct job *job = part->job;
    struct chat_request request = {.add_generation_prompt = true};
    struct buf text;
    buf_init(&text, LIMIT_JOB_TEXT);
    struct json_out out = json_out_begin(&text);
    write_messages(part->state, &out);
    enum status status =
        json_parse(&request.messages, &job->arena, text.data, text.len, JSON_STRICT, err);
    if (status == STATUS_OK) {
        status = chat_render(job->model->chat, prompt, &request, NULL, err);
        job->facts.deterministic &= !chat_tells_time(job->model->chat);
    }
    buf_deinit(&text);
    return status;
}

/* In one line: the user's texts have a space in front, two stand between turns. */
static void line_prompt(const struct conversational_state *state, struct buf *prompt) {
    for (uint32_t i = 0; i < n_turns(state); i++) {
        const struct text turn = turn_at(state, i);
        buf_append(prompt, "  ", i > 0 ? 2 : 0);
        buf_append(prompt, " ", i % 2 == 0 ? 1 : 0);
        buf_append(prompt, turn.data, turn.len);
    }
}

/* Adds the text's tokens, and `end` where there is one, to the prompt's. */
static enum status add_tokens(struct part *part, struct text text, int32_t end, struct error *err) {
    struct conversational_state *state = part->state;
    const struct fit fit = {.plain = true, .whole = true, .may_be_empty = true};
    struct encoding encoding;
    if (part_encode(part, text, NULL, fit, &encoding, err) != STATUS_OK) {
        return STATUS_ERROR;
    }
    int32_t *ids = arena_alloc(&part->job->arena, (state->n + encoding.n + 1) * sizeof(*ids));
    if (state->n > 0) {
        memcpy(ids, state->ids, state->n * sizeof(*ids));
    }
    if (encoding.n > 0) {
        memcpy(ids + state->n, encoding.ids, encoding.n * sizeof(*ids));
    }
    ids[state->n + encoding.n] = end;
    state->ids = ids;
    state->n += encoding.n + (end >= 0 ? 1 : 0);
    return STATUS_OK;
}

static enum status make_prompt(struct part *part, struct error *err) {
    struct job *job = part->job;
    const struct conversational_state *state = part->state;
    const struct conversational_job *own = job->state;
    const bool has_template = chat_count(job->model->chat) > 0;
    int32_t end = tokenizer_special(job->model->tokenizer, TOKEN_EOS);
    enum status status = STATUS_OK;
    if (end < 0 && own->config->n_eos > 0) {
        end = own->config->eos[0];
    }
    if (!has_template && !arch_has_decoder(job->model->arch)) {
        for (uint32_t i = 0; i < n_turns(state) && status == STATUS_OK; i++) {
            status = add_tokens(part, turn_at(state, i), end, err);
        }
        return status;
    }
    struct buf prompt;
    buf_init(&prompt, LIMIT_JOB_TEXT);
    if (has_template) {
        status = chat_prompt(part, &prompt, err);
    } else {
        line_prompt(state, &prompt);
    }
    if (status == STATUS_OK) {
        const struct text text = {
            arena_strndup(&job->arena, prompt.data ? prompt.data : "", prompt.len), prompt.len};
        status = add_tokens(part, text, has_template ? -1 : end, err);
    }
    buf_deinit(&prompt);
    return status;
}

/* What is too long loses its beginning. A decoder's answer stands in the same context. */
static void cut_prompt(struct part *part) {
    struct conversational_state *state = part->state;
    const struct conversational_args *args = part->job->args;
    const struct conversational_job *own = part->job->state;
    const struct generation_config *config = own->config;
    size_t limit = model_limit(part->job->model);
    if (!arch_has_decoder(part->job->model->arch)) {
        const size_t room = (size_t)arg_int(&args->minimum_tokens, ROOM_TO_ANSWER);
        if (config->max_new_tokens == 0 && config->max_length < limit) {
            limit = config->max_length;
        }
        limit = limit > room ? limit - room : 1;
    }
    if (state->n > limit) {
        state->cut = state->n - limit;
        state->ids += state->cut;
        state->n = limit;
        part->truncated += state->cut;
        part->job->facts.truncated_tokens += state->cut;
    }
}

static enum status conversational_begin(struct part *part, struct error *err) {
    struct job *job = part->job;
    const struct conversational_job *own = job->state;
    struct conversational_state *state = arena_zalloc(&job->arena, 1, sizeof(*state));
    part->state = state;
    enum status status = read_input(part, err);
    if (status == STATUS_OK) {
        status = make_prompt(part, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    cut_prompt(part);
    const struct encoding encoding = {.n = state->n, .ids = state->ids};
    if (check_encoding(part, &encoding, err) != STATUS_OK) {
        return STATUS_ERROR;
    }
    state->item = part_item(part, &encoding);
    if (arch_has_decoder(job->model->arch)) {
        state->item->decoder_tokens = &own->start;
        state->item->n_decoder = 1;
    }
    item_generates(part, state->item, own->config);
    return STATUS_OK;
}

static enum status conversational_next(struct part *part, struct error *err) {
    const struct conversational_state *state = part->state;
    count_generated(part, state->item);
    return STATUS_OK;
}

/* ---- the answer ---- */

static struct text answer_of(struct part *part) {
    struct job *job = part->job;
    const struct conversational_args *args = job->args;
    const struct conversational_state *state = part->state;
    const struct generation_output *output = &state->item->outputs[0];
    struct buf buf;
    buf_init(&buf, LIMIT_RESPONSE);
    tokenizer_decode(
        job->model->tokenizer, &buf, output->ids, output->n,
        (struct decode_options){
            .clean_up = arg_bool(&args->generation.clean_up_tokenization_spaces, true) ? 1 : -1});
    const struct text text = {arena_strndup(&job->arena, buf.data ? buf.data : "", buf.len),
                              buf.len};
    buf_deinit(&buf);
    return text;
}

static void write_turns(struct json_out *out, const char *key, const struct json *before,
                        struct text last) {
    json_key(out, key);
    json_open_array(out);
    for (uint32_t i = 0; before && i < before->len; i++) {
        json_value(out, json_at(before, i));
    }
    write_text(out, last);
    json_close_array(out);
}

static void write_warnings(const struct part *part, struct json_out *out) {
    struct job *job = part->job;
    const struct conversational_state *state = part->state;
    const struct conversational_job *own = job->state;
    json_key(out, "warnings");
    json_open_array(out);
    if (own->config->pad < 0 && own->config->n_eos > 0) {
        json_string(out, arena_printf(&job->arena,
                                      "Setting `pad_token_id` to `eos_token_id`:%d for open-end "
                                      "generation.",
                                      own->config->eos[0]));
    }
    if (state->cut > 0) {
        json_string(out, arena_printf(&job->arena,
                                      "The conversation has %zu tokens, of which the first %zu "
                                      "were cut off.",
                                      state->n + state->cut, state->cut));
    }
    json_close_array(out);
}

static void conversational_write(struct part *part, struct json_out *out) {
    const struct conversational_state *state = part->state;
    const struct text answer = answer_of(part);
    json_open_object(out);
    json_key(out, "generated_text");
    write_text(out, answer);
    json_key(out, "conversation");
    json_open_object(out);
    write_turns(out, "past_user_inputs", state->past, state->text);
    write_turns(out, "generated_responses", state->answers, answer);
    json_close_object(out);
    write_warnings(part, out);
    json_close_object(out);
}

static const char *const conversational_fields[] = {"text", "past_user_inputs",
                                                    "generated_responses", NULL};

const struct task task_conversational = {
    .name = "conversational",
    .summary = "the next answer of a talk",
    .params = conversational_params,
    .n_params = ARRAY_LEN(conversational_params),
    .args_size = sizeof(struct conversational_args),
    .fields = conversational_fields,
    .supports = conversational_supports,
    .open = conversational_open,
    .begin = conversational_begin,
    .next = conversational_next,
    .write = conversational_write,
};
