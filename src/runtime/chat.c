/* The front for chat templates: JSON in, JSON out, for `brisk template`. No model is loaded for it;
 * requests that generate get their templates from the loaded model. */
#include "runtime/state.h"

#include <stdio.h>

#include "base/banned.h"

struct brisk_chat {
    struct chat *chat;
};

/* folder/name parsed, or NULL when it is absent. */
static enum status read_json(struct arena *arena, const char *folder, const char *name,
                             const struct json **out, struct error *err) {
    const char *path = path_join(arena, folder, name);
    char *text = NULL;
    size_t len = 0;
    *out = NULL;
    if (!file_exists(path))
        return STATUS_OK;
    if (file_read(&text, &len, arena, path, LIMIT_CONFIG_FILE, err) != STATUS_OK)
        return STATUS_ERROR;
    if (json_parse(out, arena, text, len, JSON_PYTHON, err) == STATUS_OK)
        return STATUS_OK;
    err->code = ERROR_MODEL;
    return error_prefix(err, "%s: ", name);
}

/* A folder of a tokenizer alone, without config.json. */
static enum status open_folder(struct chat **out, const char *folder, struct error *err) {
    struct arena arena = {0};
    const struct json *config = NULL, *map = NULL;
    enum status status = read_json(&arena, folder, "tokenizer_config.json", &config, err);
    if (status == STATUS_OK)
        status = read_json(&arena, folder, "special_tokens_map.json", &map, err);
    if (status == STATUS_OK)
        *out = chat_open(folder, config, map);
    arena_deinit(&arena);
    return status;
}

static enum status open_chat(struct chat **out, const struct repos *repos, const char *folder,
                             struct error *err) {
    const struct locate locate = repos_locate(repos);
    struct repository repository;
    struct error ignored = {0};
    if (repository_open_located(&repository, folder, &locate, &ignored) != STATUS_OK)
        return open_folder(out, folder, err);
    *out = loaded_chat(&repository);
    repository_close(&repository);
    return STATUS_OK;
}

int brisk_chat_open(struct brisk_chat **out, struct brisk *brisk, const char *model, char *error,
                    size_t error_size) {
    struct error err = {0};
    struct arena arena = {0};
    char *folder = NULL;
    struct chat *chat = NULL;
    enum status status = repos_find(&brisk->repos, model, false, &arena, &folder, &err);
    if (status == STATUS_OK)
        status = open_chat(&chat, &brisk->repos, folder, &err);
    arena_deinit(&arena);
    if (status != STATUS_OK) {
        if (error_size > 0)
            snprintf(error, error_size, "%s", err.text);
        return error_exit_code(err.code);
    }
    *out = mem_zalloc(1, sizeof(**out));
    (*out)->chat = chat;
    return 0;
}

void brisk_chat_close(struct brisk_chat *chat) {
    if (chat == NULL)
        return;
    chat_close(chat->chat);
    mem_free(chat);
}

static enum status render(const struct brisk_chat *chat, struct buf *text, const char *json,
                          size_t len, struct arena *arena, struct error *err) {
    const struct json *body = NULL;
    if (json_parse(&body, arena, json, len, JSON_STRICT, err) != STATUS_OK)
        return error_prefix(err, "the chat: ");
    const bool is_list = json_is(body, JSON_ARRAY);
    const struct json *object = is_list ? NULL : body;
    const struct chat_request request = {
        .messages = is_list ? body : json_get(object, "messages"),
        .tools = json_get(object, "tools"),
        .documents = json_get(object, "documents"),
        .variables = json_get(object, "chat_template_kwargs"),
        .template_name = json_get_string(object, "template", NULL),
        .continue_final_message = json_get_bool(object, "continue_final_message", false),
        .add_generation_prompt =
            json_get_bool(object, "add_generation_prompt",
                          !json_get_bool(object, "continue_final_message", false)),
    };
    return chat_render(chat->chat, text, &request, NULL, err);
}

void brisk_chat_render(const struct brisk_chat *chat, const char *json, size_t len,
                       struct brisk_answer *answer) {
    struct arena arena = {0};
    struct error err = {0};
    struct buf text, buf;
    buf_init(&text, LIMIT_TEMPLATE_OUTPUT);
    buf_init(&buf, LIMIT_RESPONSE);
    if (render(chat, &text, json, len, &arena, &err) == STATUS_OK) {
        struct json_out out = json_out_begin(&buf);
        json_string_n(&out, text.data == NULL ? "" : text.data, text.len);
        answer_from_buf(answer, &buf);
    } else {
        answer_from_error(answer, &err);
    }
    buf_deinit(&buf);
    buf_deinit(&text);
    arena_deinit(&arena);
}
