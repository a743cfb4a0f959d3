/* From a repository's folder to a model that can run: reads the small files, describes the
 * architecture, loads tokenizer and weights. Knows no queues and no other models. */
#include "runtime/loaded.h"

#include <string.h>

#include "runtime/pass.h"
#include "runtime/sentence.h"
#include "base/banned.h"

/* Below this many parameters the weights of a model stay in the processor's caches: int8 would save
 * little there, and fp32 is the reference. */
#define AUTO_INT8_PARAMETERS (8u * 1000 * 1000)

bool precision_choice_parse(const char *text, struct precision_choice *out) {
    *out = (struct precision_choice){.automatic = true};
    if (text == NULL || strcmp(text, "auto") == 0)
        return true;
    out->automatic = false;
    return precision_parse(text, &out->precision);
}

enum precision precision_for(const struct precision_choice *choice, uint64_t parameters) {
    if (!choice->automatic)
        return choice->precision;
    return parameters < AUTO_INT8_PARAMETERS ? PRECISION_FP32 : PRECISION_INT8;
}

uint64_t checkpoint_parameters(const struct checkpoint *checkpoint) {
    uint64_t parameters = 0;
    for (size_t i = 0; i < checkpoint_count(checkpoint); i++)
        parameters += checkpoint_at(checkpoint, i)->elements;
    return parameters;
}

/* A tag that no task has ("text-ranking") says nothing against what the head can do; when that is
 * nothing either, the tag is what requests are refused with. */
static const char *default_task(const struct repository *repository, const struct arch *arch) {
    const char *said = models_default_task(repository, arch);
    if (said == NULL || task_find(said) != NULL)
        return said;
    const char *own = models_own_task(repository, arch);
    return own != NULL ? own : said;
}

enum status described_open(struct described *described, const char *folder,
                           const struct repos *repos, struct error *err) {
    const struct locate locate = repos_locate(repos);
    *described = (struct described){0};
    if (repository_open_located(&described->repository, folder, &locate, err) != STATUS_OK)
        return STATUS_ERROR;
    if (models_describe(&described->arch, &described->repository, err) != STATUS_OK) {
        repository_close(&described->repository);
        return STATUS_ERROR;
    }
    described->default_task = default_task(&described->repository, &described->arch);
    return STATUS_OK;
}

static bool generates(const struct arch *arch) {
    return arch->head.kind == HEAD_LM && stack_has(arch_last(arch), STACK_CAUSAL);
}

/* What every request that generates would start from: wrong here, it would fail them all. */
static enum status check_generation(const struct repository *repository, const struct arch *arch,
                                    struct error *err) {
    if (!generates(arch))
        return STATUS_OK;
    struct generation_config config;
    struct arena arena = {0};
    generation_config_default(&config);
    enum status status = generation_config_read(&config, &arena, repository->generation_config,
                                                repository->config, NULL, err);
    if (status == STATUS_OK && generation_config_check(&config, err) != STATUS_OK) {
        status = error_prefix(err, "%s: ",
                              repository->generation_config != NULL ? "generation_config.json"
                                                                    : "config.json");
        err->code = ERROR_MODEL;
    }
    arena_deinit(&arena);
    return status;
}

/* A sentence-transformers folder may name the class that its base was trained as and lack that
 * class's head: its modules read the hidden states alone. */
static void drop_absent_head(struct arch *arch, const struct repository *repository,
                             const struct checkpoint *checkpoint) {
    struct error ignored = {0};
    struct arch bare = *arch;
    bare.head = (struct head_spec){0};
    if (repository->modules && arch->head.kind != HEAD_NONE &&
        model_check(arch, checkpoint, &ignored) != STATUS_OK &&
        model_check(&bare, checkpoint, &ignored) == STATUS_OK)
        *arch = bare;
}

enum status described_check(struct described *described, const struct checkpoint *checkpoint,
                            struct error *err) {
    struct repository *repository = &described->repository;
    struct arch *arch = &described->arch;
    drop_absent_head(arch, repository, checkpoint);
    if (check_generation(repository, arch, err) != STATUS_OK ||
        sentence_check(repository, stack_out_size(&arch->stacks[ARCH_TEXT_STACK]), err) !=
            STATUS_OK)
        return STATUS_ERROR;
    return model_check(arch, checkpoint, err);
}

void described_close(struct described *described) {
    repository_close(&described->repository);
}

static enum status load_weights(struct loaded *loaded, const struct load *load, struct error *err) {
    struct checkpoint *checkpoint = NULL;
    if (checkpoint_open_repository(&checkpoint, &loaded->repository, err) != STATUS_OK)
        return STATUS_ERROR;
    loaded->parameters = checkpoint_parameters(checkpoint);
    drop_absent_head(&loaded->arch, &loaded->repository, checkpoint);
    const struct model_options options = {
        .precision = precision_for(&load->precision, loaded->parameters),
        .team = load->team,
        .load_team = load->load_team,
        .page_limit = load->page_bytes,
        .cache = load->packed,
        .progress = load->progress,
        .user = load->user,
    };
    enum status status = model_create(&loaded->model, &loaded->arch, checkpoint, &options, err);
    if (status == STATUS_OK)
        status = checkpoint_intact(checkpoint, err);
    checkpoint_close(checkpoint);
    return status;
}

static void fill_task_model(struct loaded *loaded, const char *id) {
    struct repository *repository = &loaded->repository;
    const uint32_t n_labels = models_label_count(repository);
    const char **labels = arena_zalloc(&repository->arena, n_labels + 1, sizeof(char *));
    for (uint32_t i = 0; i < n_labels; i++)
        labels[i] = models_label(repository, &repository->arena, i);
    struct task_model *task_model = &loaded->task_model;
    task_model->id = arena_strndup(&repository->arena, id, strlen(id));
    task_model->arch = &loaded->arch;
    task_model->model = loaded->model;
    task_model->tokenizer = loaded->tokenizer;
    task_model->chat = loaded->chat;
    task_model->config = repository->config;
    task_model->generation_config = repository->generation_config;
    task_model->labels = labels;
    task_model->n_labels = n_labels;
}

enum status loaded_tokenizer(struct tokenizer **out, const struct repository *repository,
                             struct error *err) {
    struct arena arena = {0}; /* the tree of a large vocabulary, not kept */
    const struct json *tree = NULL;
    enum status status = repository_tokenizer(repository, &arena, &tree, err);
    if (status == STATUS_OK)
        status = tree == NULL ? tokenizer_load(out, repository->tokenizer_folder, err)
                              : tokenizer_load_json(out, repository->tokenizer_folder, tree,
                                                    repository->tokenizer_config, err);
    arena_deinit(&arena);
    return status;
}

struct chat *loaded_chat(const struct repository *repository) {
    return chat_open(repository->tokenizer_folder, repository->tokenizer_config,
                     repository->special_tokens_map);
}

static enum status load_all(struct loaded *loaded, const struct load *load, struct error *err) {
    struct repository *repository = &loaded->repository;
    if (models_describe(&loaded->arch, repository, err) != STATUS_OK ||
        check_generation(repository, &loaded->arch, err) != STATUS_OK ||
        loaded_tokenizer(&loaded->tokenizer, repository, err) != STATUS_OK)
        return STATUS_ERROR;
    const uint32_t hidden_size = stack_out_size(&loaded->arch.stacks[ARCH_TEXT_STACK]);
    if (sentence_read(&loaded->task_model.sentence, repository, hidden_size, err) != STATUS_OK ||
        load_weights(loaded, load, err) != STATUS_OK)
        return STATUS_ERROR;
    loaded->chat = loaded_chat(repository);
    fill_task_model(loaded, load->id);
    loaded->default_task = default_task(repository, &loaded->arch);
    loaded->compute_type =
        model_precision(loaded->model) == PRECISION_FP32 ? "cpu" : "cpu+optimized";
    loaded->bytes = model_bytes(loaded->model);
    return STATUS_OK;
}

enum status loaded_create(struct loaded **out, const struct load *load, struct error *err) {
    const struct locate locate = repos_locate(load->repos);
    struct loaded *loaded = mem_zalloc(1, sizeof(*loaded));
    if (repository_open_located(&loaded->repository, load->folder, &locate, err) != STATUS_OK) {
        mem_free(loaded);
        return STATUS_ERROR;
    }
    if (load_all(loaded, load, err) != STATUS_OK) {
        loaded_destroy(loaded);
        return STATUS_ERROR;
    }
    *out = loaded;
    return STATUS_OK;
}

void loaded_destroy(struct loaded *loaded) {
    if (loaded == NULL)
        return;
    model_queue_destroy(loaded->queue);
    model_destroy(loaded->model);
    tokenizer_destroy(loaded->tokenizer);
    chat_close(loaded->chat);
    repository_close(&loaded->repository);
    mem_free(loaded);
}

enum status loaded_task(const struct loaded *loaded, const char *name, const struct task **out,
                        struct error *err) {
    if (name == NULL)
        name = loaded->default_task;
    if (name == NULL)
        return ERR(err, INPUT, "Model %s names no task of its own: use /pipeline/{task}/%s",
                   loaded->task_model.id, loaded->task_model.id);
    const struct task *task = task_find(name);
    if (task == NULL)
        return ERR(err, INPUT, "task \"%.64s\" is not known", name);
    if (task_supports(task, &loaded->task_model, err) != STATUS_OK)
        return STATUS_ERROR;
    *out = task;
    return STATUS_OK;
}
