/* Chats: which templates a model's folder has, which special tokens they see, and what
 * `transformers`' apply_chat_template makes of messages. Tokenizing is left to the caller. */
#include "template/template.h"

#include <string.h>

#include "template/builtin.h"

#include "base/banned.h"

#define JINJA "jinja"

struct named_template {
    const char *name, *source;
    size_t len;
    struct template *tmpl; /* NULL: bad, `failure` says why */
    struct error failure;
};

struct chat {
    struct arena arena;
    struct named_template items[LIMIT_CHAT_TEMPLATES];
    size_t n;
    struct json_member *tokens; /* special tokens by their attribute's name */
    uint32_t n_tokens;
};

/* ---- finding the templates ---- */

static void add_template(struct chat *chat, const char *name, const char *source, size_t len) {
    if (chat->n == LIMIT_CHAT_TEMPLATES)
        return;
    struct named_template *item = &chat->items[chat->n++];
    item->name = arena_strndup(&chat->arena, name, strlen(name));
    item->source = source;
    item->len = len;
    if (template_parse(&item->tmpl, source, len, &item->failure) != STATUS_OK)
        (void)error_prefix(&item->failure, "chat template \"%.64s\": ", name);
}

/* Either a text, or a list of {"name", "template"}. */
static enum status add_json(struct chat *chat, const struct json *value, const char *file,
                            struct error *err) {
    if (json_is_null(value))
        return STATUS_OK;
    if (json_is(value, JSON_STRING)) {
        add_template(chat, "default", value->text, value->len);
        return STATUS_OK;
    }
    for (size_t i = 0; json_is(value, JSON_ARRAY) && i < value->len; i++) {
        const struct json *row = json_at(value, i), *source = json_get(row, "template");
        const char *name = json_get_string(row, "name", NULL);
        if (!json_is(row, JSON_OBJECT) || name == NULL || !json_is(source, JSON_STRING))
            return ERR(err, MODEL,
                       "%s: an element of \"chat_template\" must have a \"name\" and a "
                       "\"template\" that are strings",
                       file);
        add_template(chat, name, source->text, source->len);
    }
    if (!json_is(value, JSON_ARRAY))
        return ERR(err, MODEL, "%s: \"chat_template\" is a %s, must be a string or a list", file,
                   json_type_name(value->type));
    return STATUS_OK;
}

static enum status add_file(struct chat *chat, const char *folder, const char *file,
                            const char *name, struct error *err) {
    char *source = NULL;
    size_t len = 0;
    const char *path = path_join(&chat->arena, folder, file);
    if (!file_exists(path))
        return STATUS_OK;
    if (file_read(&source, &len, &chat->arena, path, LIMIT_TEMPLATE_SOURCE, err) != STATUS_OK)
        return STATUS_ERROR;
    add_template(chat, name, source, len);
    return STATUS_OK;
}

static enum status add_folder(struct chat *chat, const char *folder, struct error *err) {
    const char *place = path_join(&chat->arena, folder, "additional_chat_templates");
    char **names = folder_list(&chat->arena, place);
    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        const size_t len = strlen(names[i]), end = strlen("." JINJA);
        if (len <= end || strcmp(names[i] + len - end, "." JINJA) != 0)
            continue;
        const char *name = arena_strndup(&chat->arena, names[i], len - end);
        if (add_file(chat, place, names[i], name, err) != STATUS_OK)
            return STATUS_ERROR;
    }
    return STATUS_OK;
}

/* What processors wrote before there was chat_template.jinja. */
static enum status add_json_file(struct chat *chat, const char *folder, struct error *err) {
    static const char file[] = "chat_template.json";
    const struct json *json = NULL;
    char *text = NULL;
    size_t len = 0;
    const char *path = path_join(&chat->arena, folder, file);
    if (!file_exists(path))
        return STATUS_OK;
    if (file_read(&text, &len, &chat->arena, path, LIMIT_CONFIG_FILE, err) != STATUS_OK)
        return STATUS_ERROR;
    if (json_parse(&json, &chat->arena, text, len, JSON_PYTHON, err) != STATUS_OK) {
        err->code = ERROR_MODEL;
        return error_prefix(err, "%s: ", file);
    }
    return add_json(chat, json_get(json, "chat_template"), file, err);
}

/* ---- special tokens ---- */

/* A token is a text, or an added token: an object that has it as "content". Empty ones are none. */
static bool token_text(const struct json *value, struct json *out) {
    if (json_is(value, JSON_OBJECT))
        value = json_get(value, "content");
    if (!json_is(value, JSON_STRING) || value->len == 0)
        return false;
    *out = *value;
    return true;
}

static bool token_list(struct chat *chat, const struct json *value, struct json *out) {
    if (!json_is(value, JSON_ARRAY) || value->len == 0)
        return false;
    struct json *items = arena_zalloc(&chat->arena, value->len, sizeof(*items));
    uint32_t n = 0;
    for (size_t i = 0; i < value->len; i++)
        n += token_text(json_at(value, i), &items[n]);
    *out = (struct json){.type = JSON_ARRAY, .len = n, .items = items};
    return n > 0;
}

static void add_token(struct chat *chat, const char *name, size_t len, const struct json *value) {
    struct json token;
    if (!token_text(value, &token) && !token_list(chat, value, &token))
        return;
    chat->tokens[chat->n_tokens++] =
        (struct json_member){.key = name, .key_len = (uint32_t)len, .value = token};
}

/* Files of before added_tokens_decoder keep their special tokens in special_tokens_map.json. */
static void read_tokens(struct chat *chat, const struct json *config, const struct json *map) {
    static const char *const names[] = {
        "bos_token", "eos_token", "unk_token",  "sep_token",
        "pad_token", "cls_token", "mask_token", "additional_special_tokens"};
    const bool config_first = json_get(config, "added_tokens_decoder") != NULL;
    const struct json *extra = json_get(config, "extra_special_tokens");
    const uint32_t n_extra = json_is(extra, JSON_OBJECT) ? extra->len : 0;
    chat->tokens = arena_zalloc(&chat->arena, ARRAY_LEN(names) + n_extra, sizeof(*chat->tokens));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct json *first = json_get(config_first ? config : map, names[i]);
        const struct json *second = json_get(config_first ? map : config, names[i]);
        add_token(chat, names[i], strlen(names[i]), json_is_null(first) ? second : first);
    }
    for (uint32_t i = 0; i < n_extra; i++)
        add_token(chat, extra->members[i].key, extra->members[i].key_len, &extra->members[i].value);
}

/* A copy that lives as long as the chat. */
static enum status keep(struct chat *chat, const struct json *value, const struct json **out,
                        struct error *err) {
    struct buf buf;
    *out = NULL;
    if (value == NULL)
        return STATUS_OK;
    buf_init(&buf, LIMIT_CONFIG_FILE * 2);
    struct json_out writer = json_out_begin(&buf);
    json_value(&writer, value);
    const enum status status = json_parse(out, &chat->arena, buf.data, buf.len, JSON_PYTHON, err);
    buf_deinit(&buf);
    return status;
}

/* Only what is read later: tokenizer_config lists each added token. */
static enum status keep_config(struct chat *chat, const struct json *config,
                               const struct json **out, struct error *err) {
    struct json *kept = arena_zalloc(&chat->arena, 1, sizeof(*kept));
    struct json_member *members = NULL;
    uint32_t n = 0;
    *kept = (struct json){.type = JSON_OBJECT};
    *out = kept;
    if (!json_is(config, JSON_OBJECT))
        return STATUS_OK;
    members = arena_zalloc(&chat->arena, config->len, sizeof(*members));
    for (uint32_t i = 0; i < config->len; i++) {
        const struct json_member *from = &config->members[i];
        const struct json *value = NULL;
        const bool decoder = strcmp(from->key, "added_tokens_decoder") == 0;
        if (!decoder && keep(chat, &from->value, &value, err) != STATUS_OK)
            return STATUS_ERROR;
        members[n] = (struct json_member){.key_len = from->key_len};
        members[n].key = arena_strndup(&chat->arena, from->key, from->key_len);
        members[n++].value = decoder ? (struct json){.type = JSON_BOOL} : *value;
    }
    kept->members = members;
    kept->len = n;
    return STATUS_OK;
}

static enum status open_all(struct chat *chat, const char *folder,
                            const struct json *tokenizer_config,
                            const struct json *special_tokens_map, struct error *err) {
    const struct json *config = NULL, *map = NULL;
    if (keep_config(chat, tokenizer_config, &config, err) != STATUS_OK ||
        keep(chat, special_tokens_map, &map, err) != STATUS_OK)
        return STATUS_ERROR;
    read_tokens(chat, config, map);
    if (add_file(chat, folder, "chat_template." JINJA, "default", err) != STATUS_OK ||
        add_folder(chat, folder, err) != STATUS_OK)
        return STATUS_ERROR;
    if (chat->n == 0 && add_json(chat, json_get(config, "chat_template"), "tokenizer_config.json",
                                 err) != STATUS_OK)
        return STATUS_ERROR;
    return chat->n > 0 ? STATUS_OK : add_json_file(chat, folder, err);
}

static void forget(struct chat *chat) {
    for (size_t i = 0; i < chat->n; i++)
        template_destroy(chat->items[i].tmpl);
    chat->n = 0;
}

struct chat *chat_open(const char *folder, const struct json *tokenizer_config,
                       const struct json *special_tokens_map) {
    struct chat *chat = mem_zalloc(1, sizeof(*chat));
    struct error err = {0};
    if (open_all(chat, folder, tokenizer_config, special_tokens_map, &err) != STATUS_OK) {
        forget(chat);
        chat->items[chat->n++] = (struct named_template){.name = "default", .failure = err};
    }
    return chat;
}

void chat_close(struct chat *chat) {
    if (chat == NULL)
        return;
    forget(chat);
    arena_deinit(&chat->arena);
    mem_free(chat);
}

size_t chat_count(const struct chat *chat) {
    return chat == NULL ? 0 : chat->n;
}

const char *chat_name(const struct chat *chat, size_t i) {
    return chat->items[i].name;
}

enum status chat_check(const struct chat *chat, size_t i, struct error *err) {
    if (chat->items[i].tmpl != NULL)
        return STATUS_OK;
    *err = chat->items[i].failure;
    return STATUS_ERROR;
}

bool chat_tells_time(const struct chat *chat) {
    static const char name[] = "strftime_now";
    for (size_t i = 0; i < chat_count(chat); i++) {
        const struct named_template *item = &chat->items[i];
        if (item->source != NULL && find_bytes(item->source, item->len, name, strlen(name)) != NULL)
            return true;
    }
    return false;
}

/* ---- choosing one ---- */

static const struct named_template *find(const struct chat *chat, const char *name) {
    /* The last of a name, as a dict keeps it. */
    for (size_t i = chat->n; i > 0; i--) {
        if (strcmp(chat->items[i - 1].name, name) == 0)
            return &chat->items[i - 1];
    }
    return NULL;
}

static enum status choose(const struct chat *chat, const struct chat_request *request,
                          const struct named_template **out, struct error *err) {
    if (chat_count(chat) == 0)
        return ERR(err, INPUT,
                   "the model has no chat template: send the prompt as one string, or choose a "
                   "model that was made for chats");
    const char *name = request->template_name;
    *out = name != NULL                    ? find(chat, name)
           : !json_is_null(request->tools) ? find(chat, "tool_use")
                                           : NULL;
    if (*out == NULL && name == NULL)
        *out = find(chat, "default");
    if (*out == NULL && name == NULL)
        return ERR(err, INPUT,
                   "the model has %zu chat templates and no default: name one, for example "
                   "\"%.64s\"",
                   chat->n, chat->items[0].name);
    if (*out == NULL)
        return ERR(err, INPUT, "the model has no chat template named \"%.64s\"", name);
    if ((*out)->tmpl == NULL)
        *err = (*out)->failure;
    return (*out)->tmpl == NULL ? STATUS_ERROR : STATUS_OK;
}

/* ---- the last message goes on ---- */

#define TAG     "CONTINUE_FINAL_MESSAGE_TAG"
#define TAG_LEN (sizeof(TAG) - 1)

struct continued {
    struct json messages; /* a copy whose last text ends with the tag */
    struct text_part {
        const char *data;
        size_t len;
    } text; /* what it was */
};

static struct json tagged(struct arena *arena, const struct json *text) {
    struct json out = *text;
    out.text = arena_printf(arena, "%.*s" TAG " ", (int)text->len, text->text);
    out.len = text->len + (uint32_t)TAG_LEN + 1;
    return out;
}

/* A copy of the object in which one member is another. */
static struct json replaced(struct arena *arena, const struct json *object, const char *key,
                            struct json value) {
    struct json out = *object;
    struct json_member *members =
        arena_copy(arena, object->members, object->len * sizeof(*members));
    for (uint32_t i = 0; i < object->len; i++) {
        if (strcmp(members[i].key, key) == 0)
            members[i].value = value;
    }
    out.members = members;
    return out;
}

/* The last part of a list that has a text gets the tag. */
static bool tag_parts(struct arena *arena, struct json *content, struct continued *out) {
    struct json *parts = arena_copy(arena, content->items, content->len * sizeof(*parts));
    content->items = parts;
    for (uint32_t i = content->len; i > 0; i--) {
        const struct json *text = json_get(&parts[i - 1], "text");
        if (!json_is(text, JSON_STRING))
            continue;
        out->text = (struct text_part){text->text, text->len};
        parts[i - 1] = replaced(arena, &parts[i - 1], "text", tagged(arena, text));
        return true;
    }
    return false;
}

static enum status tag_messages(struct arena *arena, const struct json *messages,
                                struct continued *out, struct error *err) {
    struct json *items = arena_copy(arena, messages->items, messages->len * sizeof(*items));
    struct json *last = &items[messages->len - 1];
    const struct json *content = json_get(last, "content");
    out->messages = *messages;
    out->messages.items = items;
    if (json_is(content, JSON_STRING)) {
        out->text = (struct text_part){content->text, content->len};
        *last = replaced(arena, last, "content", tagged(arena, content));
        return STATUS_OK;
    }
    struct json parts = json_is(content, JSON_ARRAY) ? *content : (struct json){0};
    if (!json_is(content, JSON_ARRAY) || !tag_parts(arena, &parts, out))
        return ERR(err, INPUT,
                   "the last message is to go on, but its \"content\" has no text: send one, or "
                   "leave out continue_final_message");
    *last = replaced(arena, last, "content", parts);
    return STATUS_OK;
}

static struct text_part strip(struct text_part text, bool left) {
    while (text.len > 0) {
        size_t last = text.len - 1, at = 0;
        while (last > 0 && ((unsigned char)text.data[last] & 0xC0) == 0x80)
            last--;
        at = last;
        if (!char_is_space(utf8_next_lossy(text.data, text.len, &at)))
            break;
        text.len = last;
    }
    while (left && text.len > 0) {
        size_t at = 0;
        if (!char_is_space(utf8_next_lossy(text.data, text.len, &at)))
            break;
        text.data += at;
        text.len -= at;
    }
    return text;
}

/* Cuts the text where the tag is, which the template may have trimmed. */
static enum status cut_at_tag(struct buf *text, const struct continued *continued,
                              struct error *err) {
    const struct text_part wanted = strip(continued->text, true);
    const char *data = text->data == NULL ? "" : text->data;
    const char *tag = rfind_bytes(data, text->len, TAG, TAG_LEN);
    if (tag == NULL || find_bytes(data, text->len, wanted.data, wanted.len) == NULL)
        return ERR(err, INPUT,
                   "the last message is to go on, but the chat template changes it or leaves it "
                   "out: leave out continue_final_message");
    struct text_part kept = {data, (size_t)(tag - data)};
    if (tag[TAG_LEN] != ' ')
        kept = strip(kept, false);
    text->len = kept.len;
    text->data[text->len] = 0;
    return STATUS_OK;
}

/* ---- rendering ---- */

static enum status check_list(const struct json *list, const char *name, struct error *err) {
    if (json_is_null(list))
        return STATUS_OK;
    if (!json_is(list, JSON_ARRAY))
        return ERR(err, INPUT, "\"%s\" is a %s, must be a list of objects", name,
                   json_type_name(list->type));
    for (size_t i = 0; i < list->len; i++) {
        if (!json_is(json_at(list, i), JSON_OBJECT))
            return ERR(err, INPUT, "%s[%zu] is a %s, must be an object", name, i,
                       json_type_name(json_at(list, i)->type));
    }
    return STATUS_OK;
}

static enum status check_request(const struct chat_request *request, struct error *err) {
    if (!json_is(request->messages, JSON_ARRAY) || request->messages->len == 0)
        return ERR(err, INPUT,
                   "a chat is a list of at least one message: "
                   "[{\"role\": \"user\", \"content\": \"…\"}]");
    if (check_list(request->messages, "messages", err) != STATUS_OK ||
        check_list(request->tools, "tools", err) != STATUS_OK)
        return STATUS_ERROR;
    if (request->continue_final_message && request->add_generation_prompt)
        return ERR(err, INPUT,
                   "continue_final_message and add_generation_prompt exclude each other: the last "
                   "message goes on, or a new one begins");
    return check_list(request->documents, "documents", err);
}

static void put(struct json *object, struct json_member *members, const char *key,
                struct json value) {
    members[object->len++] =
        (struct json_member){.key = key, .key_len = (uint32_t)strlen(key), .value = value};
}

/* The special tokens, what the caller adds, and the chat itself: later ones win. */
static struct json variables_of(const struct chat *chat, struct arena *arena,
                                const struct chat_request *request, const struct json *messages) {
    const struct json null = {.type = JSON_NULL};
    const struct json *more = request->variables;
    const uint32_t n_more = json_is(more, JSON_OBJECT) ? more->len : 0;
    struct json_member *members =
        arena_zalloc(arena, chat->n_tokens + n_more + 4, sizeof(*members));
    struct json object = {.type = JSON_OBJECT};
    for (uint32_t i = 0; i < chat->n_tokens; i++)
        members[object.len++] = chat->tokens[i];
    for (uint32_t i = 0; i < n_more; i++)
        members[object.len++] = more->members[i];
    put(&object, members, "messages", *messages);
    put(&object, members, "tools", request->tools == NULL ? null : *request->tools);
    put(&object, members, "documents", request->documents == NULL ? null : *request->documents);
    put(&object, members, "add_generation_prompt",
        (struct json){.type = JSON_BOOL, .boolean = request->add_generation_prompt});
    object.members = members;
    return object;
}

static enum status render(const struct chat *chat, const struct named_template *item,
                          struct buf *out, const struct chat_request *request,
                          const struct template_options *options, struct arena *arena,
                          struct error *err) {
    struct continued continued = {.messages = *request->messages};
    if (request->continue_final_message &&
        tag_messages(arena, request->messages, &continued, err) != STATUS_OK)
        return STATUS_ERROR;
    const struct json variables = variables_of(chat, arena, request, &continued.messages);
    struct buf text;
    buf_init(&text, LIMIT_TEMPLATE_OUTPUT);
    enum status status = template_render(item->tmpl, &text, &variables, options, err);
    if (status != STATUS_OK)
        status = error_prefix(err, "chat template: ");
    else if (request->continue_final_message)
        status = cut_at_tag(&text, &continued, err);
    if (status == STATUS_OK && text.len > 0)
        buf_append(out, text.data, text.len);
    if (status == STATUS_OK && out->overflow)
        status = ERR(err, TOO_LARGE, "the chat's text is too long");
    buf_deinit(&text);
    return status;
}

enum status chat_render(const struct chat *chat, struct buf *out,
                        const struct chat_request *request, const struct template_options *options,
                        struct error *err) {
    const struct named_template *item = NULL;
    struct arena arena = {0};
    if (choose(chat, request, &item, err) != STATUS_OK || check_request(request, err) != STATUS_OK)
        return STATUS_ERROR;
    const enum status status = render(chat, item, out, request, options, &arena, err);
    arena_deinit(&arena);
    return status;
}
