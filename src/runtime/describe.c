/* Telling about models without running them: info, status, list, and the check of a repository.
 * Weights are looked at, never loaded. */
#include "runtime/state.h"

#include <string.h>

#include "base/banned.h"

/* ---- what is written of a model ---- */

static const char *state_name(enum shelf_state state) {
    switch (state) {
    case SHELF_LOADED:
    case SHELF_RETIRING:
        return "Loaded";
    case SHELF_FAILED:
        return "error";
    case SHELF_WAITING:
    case SHELF_LOADING:
        return "Loading";
    case SHELF_LOADABLE:
        break;
    }
    return "Loadable";
}

static bool is_loaded(const struct shelf_view *view) {
    return view->state == SHELF_LOADED || view->state == SHELF_RETIRING;
}

static void member(struct json_out *out, const char *key, const char *value) {
    json_key(out, key);
    if (value == NULL)
        json_null(out);
    else
        json_string(out, value);
}

/* The tasks that this architecture can do. */
static void write_tasks(struct json_out *out, const struct described *described) {
    const struct task_model model = {
        .id = "", .arch = &described->arch, .config = described->repository.config};
    json_key(out, "tasks");
    json_open_array(out);
    for (size_t i = 0; i < task_count(); i++) {
        struct error err = {0};
        if (task_supports(task_at(i), &model, &err) == STATUS_OK)
            json_string(out, task_name(task_at(i)));
    }
    json_close_array(out);
}

static void write_described(struct json_out *out, const struct brisk *brisk, const char *folder) {
    struct described described;
    struct error err = {0};
    if (described_open(&described, folder, &brisk->repos, &err) != STATUS_OK) {
        member(out, "error", err.text);
        return;
    }
    member(out, "task", described.default_task);
    member(out, "family", described.arch.family);
    write_tasks(out, &described);
    described_close(&described);
}

static void write_info(struct json_out *out, struct brisk *brisk, const char *id,
                       const char *folder) {
    const struct shelf_view view = shelf_view(brisk->shelf, id);
    json_open_object(out);
    member(out, "id", id);
    json_key(out, "loaded");
    json_bool(out, is_loaded(&view));
    member(out, "state", state_name(view.state));
    member(out, "framework", "transformers");
    if (is_loaded(&view)) {
        member(out, "compute_type", view.compute_type);
        member(out, "precision", view.precision);
        json_key(out, "memory_bytes");
        json_int(out, (int64_t)view.bytes);
    }
    if (view.state == SHELF_FAILED)
        member(out, "error", view.failure.text);
    else
        write_described(out, brisk, folder);
    json_close_object(out);
}

/* Finds the model and writes about it. */
static void about(struct brisk *brisk, const char *model, struct brisk_answer *answer,
                  void (*write)(struct json_out *out, struct brisk *brisk, const char *id,
                                const char *folder)) {
    struct arena arena = {0};
    struct error err = {0};
    char *folder = NULL;
    if (repos_find(&brisk->repos, model, true, &arena, &folder, &err) != STATUS_OK) {
        answer_from_error(answer, &err);
    } else {
        struct buf buf;
        buf_init(&buf, LIMIT_RESPONSE);
        struct json_out out = json_out_begin(&buf);
        write(&out, brisk, model, folder);
        answer_from_buf(answer, &buf);
        buf_deinit(&buf);
    }
    arena_deinit(&arena);
}

void brisk_model_info(struct brisk *brisk, const char *model, struct brisk_answer *answer) {
    about(brisk, model, answer, write_info);
}

static void write_status(struct json_out *out, struct brisk *brisk, const char *id,
                         const char *folder) {
    const struct shelf_view view = shelf_view(brisk->shelf, id);
    const bool loading = view.state == SHELF_WAITING || view.state == SHELF_LOADING;
    json_open_object(out);
    json_key(out, "loaded");
    json_bool(out, is_loaded(&view));
    /* Clients know no "Loading" here: what is being loaded is Loadable. */
    member(out, "state", loading ? "Loadable" : state_name(view.state));
    member(out, "compute_type", is_loaded(&view) ? view.compute_type : "cpu");
    member(out, "framework", "transformers");
    if (view.state == SHELF_FAILED)
        member(out, "error", view.failure.text);
    json_close_object(out);
}

void brisk_model_status(struct brisk *brisk, const char *model, struct brisk_answer *answer) {
    about(brisk, model, answer, write_status);
}

struct listing {
    struct brisk *brisk;
    struct json_out *out;
};

static void list_one(void *user, const char *id) {
    struct listing *listing = user;
    struct arena arena = {0};
    struct error err = {0};
    char *folder = NULL;
    if (repos_find(&listing->brisk->repos, id, true, &arena, &folder, &err) == STATUS_OK)
        write_info(listing->out, listing->brisk, id, folder);
    arena_deinit(&arena);
}

void brisk_model_list(struct brisk *brisk, struct brisk_answer *answer) {
    struct buf buf;
    buf_init(&buf, LIMIT_RESPONSE);
    struct json_out out = json_out_begin(&buf);
    struct listing listing = {.brisk = brisk, .out = &out};
    json_open_array(&out);
    repos_each(&brisk->repos, list_one, &listing);
    json_close_array(&out);
    answer_from_buf(answer, &buf);
}

/* ---- check ---- */

/* Which chat templates there are, and what is wrong with those that are bad. */
static void write_chat_templates(struct json_out *out, const struct repository *repository) {
    struct chat *chat = loaded_chat(repository);
    if (chat_count(chat) > 0) {
        json_key(out, "chat_templates");
        json_open_array(out);
        for (size_t i = 0; i < chat_count(chat); i++) {
            struct error err = {0};
            const bool good = chat_check(chat, i, &err) == STATUS_OK;
            json_string(out, good ? chat_name(chat, i) : err.text);
        }
        json_close_array(out);
    }
    chat_close(chat);
}

/* The types of the weights' numbers, that of the most numbers first. */
struct types {
    struct type {
        const char *name;
        uint64_t elements;
    } at[32]; /* more than there are */
    size_t n;
};

static void count_types(struct types *types, const struct checkpoint *checkpoint) {
    for (size_t i = 0; i < checkpoint_count(checkpoint); i++) {
        const struct tensor *tensor = checkpoint_at(checkpoint, i);
        const char *name = dtype_name(tensor->dtype);
        size_t at = 0;
        while (at < types->n && types->at[at].name != name)
            at++;
        ASSERT(at < ARRAY_LEN(types->at));
        types->at[at].name = name;
        types->at[at].elements += tensor->elements;
        types->n += at == types->n;
    }
    for (size_t i = 1; i < types->n; i++) {
        for (size_t j = i; j > 0 && types->at[j].elements > types->at[j - 1].elements; j--) {
            const struct type old = types->at[j];
            types->at[j] = types->at[j - 1];
            types->at[j - 1] = old;
        }
    }
}

static void write_types(struct json_out *out, const struct types *types) {
    json_key(out, "weights");
    json_open_array(out);
    for (size_t i = 0; i < types->n; i++)
        json_string(out, types->at[i].name);
    json_close_array(out);
}

static void write_check(struct json_out *out, const struct brisk *brisk, const char *model,
                        const struct described *described, const struct types *types,
                        uint64_t parameters, enum precision precision, size_t bytes) {
    const struct arch *arch = &described->arch;
    const struct stack_spec *stack = arch_last(arch);
    json_open_object(out);
    member(out, "id", model);
    json_key(out, "runs");
    json_bool(out, bytes <= brisk->memory_bytes);
    member(out, "family", arch->family);
    member(out, "task", described->default_task);
    write_tasks(out, described);
    json_key(out, "parameters");
    json_int(out, (int64_t)parameters);
    write_types(out, types);
    member(out, "precision", precision_name(precision));
    json_key(out, "memory_bytes");
    json_int(out, (int64_t)bytes);
    json_key(out, "memory_limit_bytes");
    json_int(out, (int64_t)brisk->memory_bytes);
    json_key(out, "max_tokens");
    json_int(out, arch->stacks[ARCH_TEXT_STACK].max_positions);
    if (arch_has_decoder(arch)) {
        json_key(out, "max_generated_tokens");
        json_int(out, stack->max_positions);
    }
    json_key(out, "vocab_size");
    json_int(out, arch->stacks[ARCH_TEXT_STACK].vocab_size);
    write_chat_templates(out, &described->repository);
    json_close_object(out);
}

static enum status check_files(struct described *described, struct types *types,
                               struct error *err) {
    struct checkpoint *checkpoint = NULL;
    struct tokenizer *tokenizer = NULL;
    if (checkpoint_open_repository(&checkpoint, &described->repository, err) != STATUS_OK)
        return STATUS_ERROR;
    enum status status = described_check(described, checkpoint, err);
    count_types(types, checkpoint);
    checkpoint_close(checkpoint);
    if (status == STATUS_OK)
        status = loaded_tokenizer(&tokenizer, &described->repository, err);
    tokenizer_destroy(tokenizer);
    return status;
}

static enum status check(struct brisk *brisk, const char *model, const char *folder,
                         struct buf *buf, bool *fits, struct error *err) {
    struct described described;
    if (described_open(&described, folder, &brisk->repos, err) != STATUS_OK)
        return STATUS_ERROR;
    uint64_t parameters = 0;
    enum precision precision = PRECISION_FP32;
    size_t bytes = 0;
    struct types types = {0};
    enum status status =
        shelf_estimate(&brisk->precision, &described, &parameters, &precision, &bytes, err);
    if (status == STATUS_OK)
        status = check_files(&described, &types, err);
    if (status == STATUS_OK) {
        struct json_out out = json_out_begin(buf);
        *fits = bytes <= brisk->memory_bytes;
        write_check(&out, brisk, model, &described, &types, parameters, precision, bytes);
    }
    described_close(&described);
    return status;
}

void brisk_model_check(struct brisk *brisk, const char *model, struct brisk_answer *answer) {
    struct arena arena = {0};
    struct error err = {0};
    struct buf buf;
    char *folder = NULL;
    bool fits = true;
    buf_init(&buf, LIMIT_RESPONSE);
    if (repos_find(&brisk->repos, model, true, &arena, &folder, &err) == STATUS_OK &&
        check(brisk, model, folder, &buf, &fits, &err) == STATUS_OK) {
        answer_from_buf(answer, &buf);
        answer->exit_code = fits ? 0 : error_exit_code(ERROR_MEMORY);
    } else {
        answer_from_error(answer, &err);
    }
    buf_deinit(&buf);
    arena_deinit(&arena);
}

/* ---- registries ---- */

void runtime_write_families(struct json_out *out) {
    json_open_array(out);
    for (size_t i = 0; i < models_count(); i++)
        models_write(i, out);
    json_close_array(out);
}

void runtime_write_tasks(struct json_out *out) {
    json_open_array(out);
    for (size_t i = 0; i < task_count(); i++) {
        json_open_object(out);
        member(out, "task", task_name(task_at(i)));
        json_key(out, "parameters");
        task_write_parameters(task_at(i), out);
        json_close_object(out);
    }
    json_close_array(out);
}
