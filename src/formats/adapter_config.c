/* What adapter_config.json says: which base model, which settings, which class the merged model is.
 * As peft's LoraConfig; settings that change the result and are not merged here are refused. */
#include "formats/adapter.h"

#include <math.h>

#define MERGE                                                                                      \
    "merge it in Python: PeftModel.from_pretrained(BASE, ADAPTER).merge_and_unload()"              \
    ".save_pretrained(FOLDER)"

bool adapter_exists(const char *folder) {
    static const char *const weights[] = {"adapter_model.safetensors", "adapter_model.bin"};
    struct arena scratch = {0};
    bool exists = file_exists(path_join(&scratch, folder, ADAPTER_CONFIG));
    bool has_weights = !file_exists(path_join(&scratch, folder, "config.json"));
    for (size_t i = 0; i < ARRAY_LEN(weights); i++)
        has_weights |= file_exists(path_join(&scratch, folder, weights[i]));
    exists = exists && has_weights;
    arena_deinit(&scratch);
    return exists;
}

enum status adapter_base(char **base, const struct json *config, const char *folder,
                         const struct locate *locate, struct arena *arena, struct error *err) {
    const struct json *name = json_get(config, "base_model_name_or_path");
    if (!json_is(name, JSON_STRING) || name->len == 0 || strlen(name->text) != name->len)
        return ERR(err, MODEL,
                   ADAPTER_CONFIG ": \"base_model_name_or_path\" is %s, must be the base model's "
                                  "id: write it there",
                   name == NULL                 ? "missing"
                   : json_is(name, JSON_STRING) ? "empty"
                                                : json_type_name(name->type));
    struct error why = {0};
    if (locate == NULL ||
        locate->find(locate->user, folder, name->text, arena, base, &why) != STATUS_OK)
        return ERR(err, MODEL,
                   "this is an adapter for the model %.150s, which is not here: download it into a "
                   "model folder (under that id; else write the id it has here into " ADAPTER_CONFIG
                   ", base_model_name_or_path)",
                   name->text);
    if (file_exists(path_join(arena, *base, ADAPTER_CONFIG)) &&
        !file_exists(path_join(arena, *base, "config.json")))
        return ERR(err, MODEL,
                   "this is an adapter for the adapter %.150s: " MERGE " for the inner one first",
                   name->text);
    return STATUS_OK;
}

/* ---- the merged model's configuration ---- */

/* The class's part before its head: "Bert" of "BertForMaskedLM". */
static size_t class_prefix(const char *class) {
    static const char *const ends[] = {"DoubleHeadsModel", "LMHeadModel", "Model"};
    const char *head = strstr(class, "For");
    if (head != NULL)
        return (size_t)(head - class);
    const size_t len = strlen(class);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        const size_t end = strlen(ends[i]);
        if (len > end && strcmp(class + len - end, ends[i]) == 0)
            return len - end;
    }
    return len;
}

/* The class that the adapter was trained as; NULL: the base's own. */
static const char *trained_class(struct arena *arena, const struct json *adapter,
                                 const struct json *base) {
    static const struct {
        const char *task, *head;
    } heads[] = {
        {"SEQ_CLS", "ForSequenceClassification"},     {"TOKEN_CLS", "ForTokenClassification"},
        {"QUESTION_ANS", "ForQuestionAnswering"},     {"FEATURE_EXTRACTION", "Model"},
        {"SEQ_2_SEQ_LM", "ForConditionalGeneration"},
    };
    const char *told = json_get_string(json_get(adapter, "auto_mapping"), "base_model_class", NULL);
    if (told != NULL)
        return told;
    const struct json *own = json_at(json_get(base, "architectures"), 0);
    const char *task = json_get_string(adapter, "task_type", "");
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        if (strcmp(heads[i].task, task) == 0 && json_is(own, JSON_STRING))
            return arena_printf(arena, "%.*s%s", (int)class_prefix(own->text), own->text,
                                heads[i].head);
    }
    return NULL;
}

/* What the tensors that the adapter brings whole (modules_to_save, embeddings of more tokens) say
 * about the merged model. */
struct brought {
    uint32_t labels; /* rows of the classifier; 0: it brings none */
    uint32_t tokens; /* rows of the embedding; likewise */
    bool has_head;   /* the language model's head, which is then no longer the embedding */
};

/* The last parts of names that mean the same in all families. */
static const char *const classifiers[] = {".classifier.weight", ".classifier.out_proj.weight",
                                          ".score.weight", ".classification_head.out_proj.weight",
                                          NULL};
static const char *const embeddings[] = {".wte.weight",
                                         ".word_embeddings.weight",
                                         ".embed_tokens.weight",
                                         ".shared.weight",
                                         ".wte.base_layer.weight",
                                         ".word_embeddings.base_layer.weight",
                                         ".embed_tokens.base_layer.weight",
                                         NULL};
static const char *const lm_heads[] = {".lm_head.weight", ".lm_head.base_layer.weight", NULL};

static bool ends_with(const char *name, const char *const *ends) {
    const size_t len = strlen(name);
    for (; *ends != NULL; ends++) {
        const size_t end = strlen(*ends);
        if (len >= end && strcmp(name + len - end, *ends) == 0)
            return true;
    }
    return false;
}

static struct brought look(const struct checkpoint *given) {
    struct brought brought = {0};
    for (size_t i = 0; i < checkpoint_count(given); i++) {
        const struct tensor *tensor = checkpoint_at(given, i);
        const int64_t rows = tensor->n_dims == 2 ? tensor->dims[0] : 0;
        if (rows <= LIMIT_LABELS && ends_with(tensor->name, classifiers))
            brought.labels = (uint32_t)rows;
        if (rows <= LIMIT_VOCAB_SIZE && ends_with(tensor->name, embeddings))
            brought.tokens = (uint32_t)rows;
        brought.has_head |= ends_with(tensor->name, lm_heads);
    }
    return brought;
}

static bool labels_fit(const struct json *config, uint32_t labels) {
    const struct json *names = json_get(config, "id2label");
    return labels == 0 || (json_is(names, JSON_OBJECT) && names->len == labels);
}

static void write_class(struct json_out *out, const char *class) {
    json_key(out, "architectures");
    json_open_array(out);
    json_string(out, class);
    json_close_array(out);
}

static void write_size(struct json_out *out, const char *key, uint32_t size) {
    json_key(out, key);
    json_int(out, size);
}

/* The configuration with these members in place of its own. */
static void write_merged(struct json_out *out, const struct json *config, const char *class,
                         const struct brought *brought) {
    const bool relabel = !labels_fit(config, brought->labels);
    const struct {
        const char *key;
        bool drop;
    } own[] = {
        {"id2label", relabel},
        {"label2id", relabel},
        {"num_labels", relabel},
        {"architectures", class != NULL},
        {"vocab_size", brought->tokens != 0},
        {"tie_word_embeddings", brought->has_head},
    };
    json_open_object(out);
    for (uint32_t i = 0; i < config->len; i++) {
        const struct json_member *member = &config->members[i];
        bool keep = true;
        for (size_t j = 0; j < ARRAY_LEN(own); j++)
            keep = keep && !(own[j].drop && strcmp(own[j].key, member->key) == 0);
        if (!keep)
            continue;
        json_key_n(out, member->key, member->key_len);
        json_value(out, &member->value);
    }
    if (class != NULL)
        write_class(out, class);
    if (relabel)
        write_size(out, "num_labels", brought->labels);
    if (brought->tokens != 0)
        write_size(out, "vocab_size", brought->tokens);
    if (brought->has_head) {
        json_key(out, "tie_word_embeddings");
        json_bool(out, false);
    }
    json_close_object(out);
}

enum status adapter_config(struct repository *repository, struct error *err) {
    struct arena *arena = &repository->arena;
    const struct json *config = repository->config;
    struct checkpoint *given = NULL;
    if (checkpoint_open_adapter(&given, repository->folder, err) != STATUS_OK)
        return STATUS_ERROR;
    const struct brought brought = look(given);
    checkpoint_close(given);
    struct buf buf;
    buf_init(&buf, 2 * LIMIT_CONFIG_FILE);
    struct json_out out = json_out_begin(&buf);
    write_merged(&out, config, trained_class(arena, repository->adapter, config), &brought);
    const enum status status =
        json_parse(&repository->config, arena, buf.data, buf.len, JSON_PYTHON, err);
    buf_deinit(&buf);
    return status;
}

/* ---- settings ---- */

/* Settings of peft's LoraConfig whose result is not made here. */
static const char *const unmerged[] = {
    "alora_invocation_tokens", "arrow_config",      "corda_config", "kasa_config",
    "layer_replication",       "monteclora_config", "pvera_config", "target_parameters",
    "trainable_token_indices", "use_bdlora",        "use_qalora",   "velora_config",
};

/* Neither null, false, nor empty. */
static bool is_set(const struct json *value) {
    if (json_is_null(value))
        return false;
    if (json_is(value, JSON_BOOL))
        return value->boolean;
    return json_is(value, JSON_NUMBER) || value->len > 0;
}

/* Initializations that also change the base's weights: what was saved belongs on those. */
static enum status check_initialization(const struct json *config, struct error *err) {
    static const char *const harmless[] = {"gaussian", "eva", "orthogonal"};
    const struct json *how = json_get(config, "init_lora_weights");
    if (!json_is(how, JSON_STRING))
        return STATUS_OK;
    for (size_t i = 0; i < ARRAY_LEN(harmless); i++) {
        if (json_equals(how, harmless[i]))
            return STATUS_OK;
    }
    return ERR(err, MODEL,
               ADAPTER_CONFIG ": \"init_lora_weights\" is \"%.40s\", which changes the base model "
                              "too: " MERGE,
               how->text);
}

static enum status read_number(double *out, const struct json *config, const char *key,
                               struct error *err) {
    const struct json *value = json_get(config, key);
    if (!json_is(value, JSON_NUMBER) || !isfinite(value->number) || value->number <= 0 ||
        value->number > LIMIT_ADAPTER_NUMBER)
        return ERR(err, MODEL, ADAPTER_CONFIG ": \"%s\" must be a number over 0, at most %g", key,
                   LIMIT_ADAPTER_NUMBER);
    *out = value->number;
    return STATUS_OK;
}

/* ---- patterns of module names ----
 * A key of rank_pattern is a regular expression that ends where the name does and begins at a dot
 * or where the name does. What is read of them: letters, "." for any, "\." for a dot, and "*"
 * behind one of these. As a set of states, so that no pattern takes more than one step a letter. */

#define PATTERN_ATOMS 63

struct atoms {
    uint32_t n;
    bool whole;                 /* "^": from the name's beginning only */
    char letter[PATTERN_ATOMS]; /* 0: any */
    bool star[PATTERN_ATOMS];
};

/* False when the pattern has something else. */
static bool atoms_parse(struct atoms *atoms, const char *pattern) {
    *atoms = (struct atoms){.whole = *pattern == '^'};
    pattern += atoms->whole;
    for (; *pattern != 0; pattern++) {
        if (*pattern == '$' && pattern[1] == 0)
            break;
        if (*pattern == '*' && atoms->n > 0) {
            atoms->star[atoms->n - 1] = true;
            continue;
        }
        const bool escaped = *pattern == '\\' && (pattern[1] == '.' || pattern[1] == '_');
        if (atoms->n == PATTERN_ATOMS || (!escaped && strchr("\\^$*+?{}[]()|", *pattern) != NULL))
            return false;
        pattern += escaped;
        atoms->letter[atoms->n++] = escaped || *pattern != '.' ? *pattern : '\0';
    }
    return true;
}

/* The states that are reached without a letter. */
static uint64_t skip_stars(const struct atoms *atoms, uint64_t states) {
    for (uint32_t i = 0; i < atoms->n; i++) {
        if ((states >> i & 1) != 0 && atoms->star[i])
            states |= (uint64_t)1 << (i + 1);
    }
    return states;
}

static bool matches(const struct atoms *atoms, const char *name) {
    uint64_t states = 0;
    for (const char *at = name;; at++) {
        if (at == name || (at[-1] == '.' && !atoms->whole))
            states |= 1;
        states = skip_stars(atoms, states);
        if (*at == 0)
            return (states >> atoms->n & 1) != 0;
        uint64_t after = 0;
        for (uint32_t i = 0; i < atoms->n; i++) {
            if ((states >> i & 1) == 0 || (atoms->letter[i] != 0 && atoms->letter[i] != *at))
                continue;
            after |= (uint64_t)1 << (atoms->star[i] ? i : i + 1);
        }
        states = after;
    }
}

static enum status read_pattern(const struct json **out, const struct json *config, const char *key,
                                struct error *err) {
    const struct json *patterns = json_get(config, key);
    *out = NULL;
    if (json_is_null(patterns))
        return STATUS_OK;
    if (!json_is(patterns, JSON_OBJECT))
        return ERR(err, MODEL, ADAPTER_CONFIG ": \"%s\" is a JSON %s, must be an object", key,
                   json_type_name(patterns->type));
    for (uint32_t i = 0; i < patterns->len; i++) {
        const struct json_member *member = &patterns->members[i];
        struct atoms atoms;
        double number = 0;
        if (!atoms_parse(&atoms, member->key))
            return ERR(err, MODEL,
                       ADAPTER_CONFIG ": \"%s\" has the pattern \"%.100s\", of which only names, "
                                      "\".\" and \"*\" are read: " MERGE,
                       key, member->key);
        if (read_number(&number, patterns, member->key, err) != STATUS_OK)
            return STATUS_ERROR;
    }
    *out = patterns;
    return STATUS_OK;
}

enum status adapter_settings_read(struct adapter_settings *settings, const struct json *config,
                                  struct error *err) {
    *settings = (struct adapter_settings){0};
    const char *type = json_get_string(config, "peft_type", "");
    if (strcmp(type, "LORA") != 0)
        return ERR(err, MODEL,
                   ADAPTER_CONFIG ": \"peft_type\" is \"%.40s\", of which only LORA is merged%s",
                   type,
                   strstr(type, "PROMPT") != NULL || strstr(type, "TUNING") != NULL
                       ? ": train a LoRA instead, or serve the base model"
                       : ": " MERGE);
    for (size_t i = 0; i < ARRAY_LEN(unmerged); i++) {
        if (is_set(json_get(config, unmerged[i])))
            return ERR(err, MODEL, ADAPTER_CONFIG ": \"%s\" is not merged here: " MERGE,
                       unmerged[i]);
    }
    if (check_initialization(config, err) != STATUS_OK ||
        read_number(&settings->r, config, "r", err) != STATUS_OK ||
        read_number(&settings->alpha, config, "lora_alpha", err) != STATUS_OK ||
        read_pattern(&settings->rank_pattern, config, "rank_pattern", err) != STATUS_OK ||
        read_pattern(&settings->alpha_pattern, config, "alpha_pattern", err) != STATUS_OK)
        return STATUS_ERROR;
    settings->rslora = json_get_bool(config, "use_rslora", false);
    settings->transposed = json_get_bool(config, "fan_in_fan_out", false);
    return STATUS_OK;
}

/* The number of the first key that fits the module, in the file's order. */
static double by_pattern(const struct json *patterns, const char *module, double otherwise) {
    for (uint32_t i = 0; patterns != NULL && i < patterns->len; i++) {
        struct atoms atoms;
        if (atoms_parse(&atoms, patterns->members[i].key) && matches(&atoms, module))
            return patterns->members[i].value.number;
    }
    return otherwise;
}

double adapter_rank(const struct adapter_settings *settings, const char *module) {
    return by_pattern(settings->rank_pattern, module, settings->r);
}

float adapter_scale(const struct adapter_settings *settings, const char *module) {
    const double r = adapter_rank(settings, module);
    const double alpha = by_pattern(settings->alpha_pattern, module, settings->alpha);
    return (float)(alpha / (settings->rslora ? sqrt(r) : r));
}
