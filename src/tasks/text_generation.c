/* Text generation: goes on with a prompt (`transformers`' TextGenerationPipeline; the `details` of
 * text-generation-inference on demand). The answer is the prompt's own text and what the decoded
 * tokens have beyond the decoded prompt, as the pipeline cuts it. A chat, a list of messages, is
 * made a prompt by the model's template, and answered as the chat with its new or longer last
 * message. */
#include "tasks/task.h"

struct text_generation_args {
    struct generation_args generation;
    struct arg return_full_text, prefix, add_special_tokens, truncate, details;
    struct arg continue_final_message;
};
#define ARG(field) offsetof(struct text_generation_args, field)

static const struct param text_generation_params[] = {
#define GENERATION_PARAM(...) GENERATION_PARAM_ROW(struct text_generation_args, __VA_ARGS__)
#include "tasks/generation_params.inc"
#undef GENERATION_PARAM
    {.name = "return_full_text",
     .type = PARAM_BOOL,
     .preset = "true",
     .help = "answer with the prompt in front",
     .offset = ARG(return_full_text)},
    {.name = "prefix",
     .type = PARAM_STRING,
     .help = "text in front of the prompt that is not in the answer",
     .offset = ARG(prefix)},
    {.name = "add_special_tokens",
     .type = PARAM_BOOL,
     .preset = "true",
     .help = "let the tokenizer add its special tokens to the prompt",
     .offset = ARG(add_special_tokens)},
    {.name = "truncate",
     .type = PARAM_INT,
     .min = 1,
     .max = 1e9,
     .help = "keep so many tokens of the prompt, from its end",
     .offset = ARG(truncate)},
    {.name = "details",
     .type = PARAM_BOOL,
     .preset = "false",
     .help = "answer with why it ended, and with each token",
     .offset = ARG(details)},
    {.name = "continue_final_message",
     .type = PARAM_BOOL,
     .help = "in a chat: go on with the last message; without it, if it is the assistant's",
     .offset = ARG(continue_final_message)},
};

struct text_generation_state {
    struct text prompt;
    struct encoding encoding;
    struct item *item;
    bool from_bos;  /* the prompt was empty */
    bool is_chat;   /* part->input is a list of messages */
    bool continues; /* its last message goes on */
};

static enum status text_generation_supports(const struct task_model *model, struct error *err) {
    const struct arch *arch = model->arch;
    if (arch->head.kind == HEAD_LM && !arch_has_decoder(arch) &&
        stack_has(arch_last(arch), STACK_CAUSAL)) {
        return STATUS_OK;
    }
    if (arch->head.kind != HEAD_LM) {
        return needs_head(model, HEAD_LM, "text-generation", "language modelling head", err);
    }
    return ERR(err, INPUT, "model %s cannot do text-generation: it %s", model->id,
               arch_has_decoder(arch) ? "reads a text and writes another; ask for summarization, "
                                        "translation or text2text-generation"
                                      : "fills in masked tokens; ask for fill-mask");
}

/* Messages stand where other inputs do: a list of them is one input, not many. */
static void take_chat_as_one(struct job *job) {
    if (job->single || !json_is(json_at(job->inputs, 0), JSON_OBJECT))
        return;
    job->single = true;
    job->n_parts = 1;
    job->parts[0].input = job->inputs;
}

static enum status text_generation_open(struct job *job, struct error *err) {
    static const struct generation_presets presets = {
        .do_sample = true, .temperature = 0.7f, .max_new_tokens = 256};
    const struct text_generation_args *args = job->args;
    struct generation_config *config = NULL;
    take_chat_as_one(job);
    const enum status status =
        generation_open(job, &args->generation, &presets, "text-generation", &config, err);
    job->state = config;
    return status;
}

static struct text joined(struct job *job, struct text a, struct text b) {
    char *both = arena_alloc(&job->arena, a.len + b.len + 1);
    if (a.len > 0)
        memcpy(both, a.data, a.len);
    memcpy(both + a.len, b.data, b.len);
    both[a.len + b.len] = 0;
    return (struct text){both, a.len + b.len};
}

static struct text with_prefix(struct job *job, struct text prompt) {
    const struct text_generation_args *args = job->args;
    const struct text prefix =
        args->prefix.given ? args->prefix.text : generation_prefix(job, "text-generation");
    return prefix.len == 0 ? prompt : joined(job, prefix, prompt);
}

/* A prompt of no tokens begins with the start token. */
static enum status use_bos(struct part *part, struct encoding *encoding, struct error *err) {
    const struct generation_config *config = part->job->state;
    if (config->bos < 0) {
        return ERR(err, INPUT,
                   "the prompt is empty and the model has no start token to begin with");
    }
    int32_t *ids = arena_alloc(&part->job->arena, sizeof(*ids));
    ids[0] = config->bos;
    *encoding = (struct encoding){.n = 1, .ids = ids};
    return check_start(part->job, "bos_token_id", ids[0], err);
}

/* ---- chats ---- */

/* The pipeline wants both of every message; a tool's call may come without content. */
static enum status check_messages(struct part *part, struct error *err) {
    const struct json *messages = part->input;
    for (size_t i = 0; i < messages->len; i++) {
        const struct json *message = json_at(messages, i);
        if (!json_is(message, JSON_OBJECT))
            return ERR(err, INPUT, "message %zu of the chat is %s, must be an object", i,
                       describe_value(&part->job->arena, message));
        if (!json_is(json_get(message, "role"), JSON_STRING) || !json_get(message, "content"))
            return ERR(err, INPUT,
                       "message %zu of the chat has no %s: each needs \"role\" and \"content\"", i,
                       json_is(json_get(message, "role"), JSON_STRING) ? "\"content\""
                                                                       : "\"role\"");
    }
    return STATUS_OK;
}

/* The prompt that the model's template makes of the chat. */
static enum status chat_prompt(struct part *part, struct text *prompt, struct error *err) {
    struct job *job = part->job;
    const struct text_generation_args *args = job->args;
    struct text_generation_state *state = part->state;
    const struct json *messages = part->input;
    state->is_chat = true;
    if (chat_count(job->model->chat) > 0 && check_messages(part, err) != STATUS_OK)
        return STATUS_ERROR;
    const struct json *last = messages->len > 0 ? json_at(messages, messages->len - 1) : NULL;
    state->continues =
        arg_bool(&args->continue_final_message, json_equals(json_get(last, "role"), "assistant"));
    if (state->continues && last != NULL && !json_is(json_get(last, "content"), JSON_STRING))
        return ERR(err, INPUT,
                   "the last message is to go on, but its \"content\" is no string: send one, or "
                   "\"continue_final_message\": false");
    const struct chat_request request = {
        .messages = messages,
        .add_generation_prompt = !state->continues,
        .continue_final_message = state->continues,
    };
    struct buf buf;
    buf_init(&buf, LIMIT_JOB_TEXT);
    const enum status status = chat_render(job->model->chat, &buf, &request, NULL, err);
    if (status == STATUS_OK) {
        prompt->len = buf.len;
        prompt->data = arena_strndup(&job->arena, buf.data ? buf.data : "", buf.len);
        job->facts.characters += utf8_count(prompt->data, prompt->len);
        job->facts.deterministic &= !chat_tells_time(job->model->chat);
    }
    buf_deinit(&buf);
    return status;
}

static void write_message(struct json_out *out, const struct json *role, const char *role_name,
                          struct text content) {
    json_open_object(out);
    json_key(out, "role");
    if (role)
        json_value(out, role);
    else
        json_string(out, role_name);
    json_key(out, "content");
    write_text(out, content);
    json_close_object(out);
}

/* The chat with its new message, or with the last one as far as it goes now. */
static void write_chat(struct part *part, struct text text, struct json_out *out) {
    const struct text_generation_state *state = part->state;
    const struct json *messages = part->input;
    const size_t kept = messages->len - (state->continues ? 1 : 0);
    json_open_array(out);
    for (size_t i = 0; i < kept; i++)
        json_value(out, json_at(messages, i));
    if (state->continues) {
        const struct json *last = json_at(messages, kept);
        const struct json *content = json_get(last, "content");
        const size_t before = json_is(content, JSON_STRING) ? content->len : 0;
        char *whole = arena_alloc(&part->job->arena, before + text.len + 1);
        if (before > 0)
            memcpy(whole, content->text, before);
        memcpy(whole + before, text.data, text.len);
        write_message(out, json_get(last, "role"), NULL, (struct text){whole, before + text.len});
    } else {
        write_message(out, NULL, "assistant", text);
    }
    json_close_array(out);
}

/* ---- running ---- */

static enum status text_generation_begin(struct part *part, struct error *err) {
    struct job *job = part->job;
    const struct text_generation_args *args = job->args;
    const struct generation_config *config = job->state;
    struct text_generation_state *state = arena_zalloc(&job->arena, 1, sizeof(*state));
    part->state = state;
    const bool is_chat = json_is(part->input, JSON_ARRAY) || json_get(part->input, "role");
    struct text prompt = {0};
    if (json_get(part->input, "role")) {
        return ERR(err, INPUT,
                   "inputs is one chat message: send a list of them, or the prompt as one string");
    }
    enum status status = is_chat ? chat_prompt(part, &prompt, err)
                                 : part_text(part, part->input, "inputs", &state->prompt, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct fit fit = {.whole = !args->truncate.given, .left = true};
    fit.limit = args->truncate.given ? (uint32_t)args->truncate.integer : 0;
    fit.plain = is_chat || (args->add_special_tokens.given && !args->add_special_tokens.boolean);
    fit.may_be_empty = true;
    status = part_encode(part, is_chat ? prompt : with_prefix(job, state->prompt), NULL, fit,
                         &state->encoding, err);
    if (status == STATUS_OK && state->encoding.n == 0) {
        state->from_bos = true;
        status = use_bos(part, &state->encoding, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    const size_t n = state->encoding.n;
    if (config->max_new_tokens == 0 && config->max_length > 0 && n >= config->max_length) {
        return ERR(err, INPUT,
                   "the prompt has %zu tokens, but max_length is %u and counts them: make it "
                   "larger, or give max_new_tokens",
                   n, config->max_length);
    }
    state->item = part_item(part, &state->encoding);
    item_generates(part, state->item, config);
    return STATUS_OK;
}

static enum status text_generation_next(struct part *part, struct error *err) {
    const struct text_generation_state *state = part->state;
    count_generated(part, state->item);
    return STATUS_OK;
}

/* Text of the prompt's ids and n new ones; without the characters that the prompt alone gives. */
static struct text new_text(struct part *part, const struct generation_output *output) {
    struct job *job = part->job;
    const struct text_generation_args *args = job->args;
    const struct text_generation_state *state = part->state;
    const struct decode_options options = {
        .clean_up = arg_bool(&args->generation.clean_up_tokenization_spaces, true) ? 1 : -1};
    const size_t n_prompt = state->encoding.n;
    int32_t *ids = arena_alloc(&job->arena, (n_prompt + output->n) * sizeof(*ids));
    memcpy(ids, state->encoding.ids, n_prompt * sizeof(*ids));
    if (output->n > 0) {
        memcpy(ids + n_prompt, output->ids, output->n * sizeof(*ids));
    }
    struct buf buf;
    buf_init(&buf, LIMIT_RESPONSE);
    tokenizer_decode(job->model->tokenizer, &buf, ids, state->from_bos ? 0 : n_prompt, options);
    const size_t skip = utf8_count(buf.data ? buf.data : "", buf.len);
    buf_reset(&buf);
    tokenizer_decode(job->model->tokenizer, &buf, ids, n_prompt + output->n, options);
    const size_t start = utf8_offset(buf.data ? buf.data : "", buf.len, skip);
    const size_t len = buf.len - start;
    char *text = arena_strndup(&job->arena, buf.data ? buf.data + start : "", len);
    buf_deinit(&buf);
    return (struct text){text, len};
}

static void write_token(struct part *part, const struct generation_output *output, uint32_t i,
                        struct json_out *out) {
    const struct tokenizer *tokenizer = part->job->model->tokenizer;
    struct buf buf;
    buf_init(&buf, LIMIT_RESPONSE);
    tokenizer_decode(tokenizer, &buf, &output->ids[i], 1,
                     (struct decode_options){.keep_special = true, .clean_up = -1});
    json_open_object(out);
    json_key(out, "id");
    json_int(out, output->ids[i]);
    json_key(out, "text");
    json_string_n(out, buf.data ? buf.data : "", buf.len);
    json_key(out, "logprob");
    if (output->logprobs) {
        json_float(out, output->logprobs[i]);
    } else {
        json_null(out);
    }
    json_key(out, "special");
    json_bool(out, tokenizer_is_special(tokenizer, output->ids[i]));
    json_close_object(out);
    buf_deinit(&buf);
}

static void write_details(struct part *part, const struct generation_output *output,
                          struct json_out *out) {
    const struct generation_config *config = part->job->state;
    json_key(out, "details");
    json_open_object(out);
    json_key(out, "finish_reason");
    json_string(out, finish_reason_name(output->reason));
    json_key(out, "generated_tokens");
    json_int(out, output->n);
    json_key(out, "seed");
    if (config->has_seed) {
        json_int(out, (int64_t)config->seed);
    } else {
        json_null(out);
    }
    json_key(out, "prefill");
    json_open_array(out);
    json_close_array(out);
    json_key(out, "tokens");
    json_open_array(out);
    for (uint32_t i = 0; i < output->n; i++) {
        write_token(part, output, i, out);
    }
    json_close_array(out);
    json_close_object(out);
}

static void text_generation_write(struct part *part, struct json_out *out) {
    struct job *job = part->job;
    const struct text_generation_args *args = job->args;
    const struct text_generation_state *state = part->state;
    json_open_array(out);
    for (uint32_t i = 0; i < state->item->n_outputs; i++) {
        const struct text text = new_text(part, &state->item->outputs[i]);
        const bool full = arg_bool(&args->return_full_text, true);
        json_open_object(out);
        json_key(out, "generated_text");
        if (state->is_chat && full)
            write_chat(part, text, out);
        else
            write_text(out, full ? joined(job, state->prompt, text) : text);
        if (arg_bool(&args->details, false)) {
            write_details(part, &state->item->outputs[i], out);
        }
        json_close_object(out);
    }
    json_close_array(out);
}

const struct task task_text_generation = {
    .name = "text-generation",
    .summary = "goes on with a text",
    .params = text_generation_params,
    .n_params = ARRAY_LEN(text_generation_params),
    .args_size = sizeof(struct text_generation_args),
    .supports = text_generation_supports,
    .open = text_generation_open,
    .begin = text_generation_begin,
    .next = text_generation_next,
    .write = text_generation_write,
};
