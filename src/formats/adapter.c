/* Merging an adapter: W becomes W + scale B A where the adapter has lora_A and lora_B for it, is
 * replaced where the adapter brings the whole tensor (modules_to_save, biases), and keeps the
 * length of its outputs where there is a lora_magnitude_vector (DoRA). Names as peft 0.17 saves
 * them:
 *
 *     base_model.model.<module>.lora_A.weight          [r, in]
 *     base_model.model.<module>.lora_B.weight          [out, r], also .bias [out]
 *     base_model.model.<module>.lora_embedding_A, _B   [r, rows], [cols, r]
 *     base_model.model.<module>.lora_magnitude_vector  [out]
 *     base_model.model.<module>[.base_layer].bias, <saved module>.weight
 *
 * Products are computed when floats are read (change.c). */
#include "formats/adapter.h"

#define PREFIX "base_model.model."

/* What a tensor's name says it is. */
enum role { ROLE_WHOLE, ROLE_A, ROLE_EMBEDDING_A, ROLE_PARTNER, ROLE_IGNORED, ROLE_UNKNOWN };

/* A, and what belongs to it. */
struct pair {
    const char *module; /* of the base model */
    const struct tensor *a, *b;
    const struct tensor *bias, *magnitude; /* or NULL */
    bool embedding;
};

/* A tensor's name behind its first part. */
struct tail {
    const char *name;
    size_t item; /* of the list */
};

struct merging {
    struct tensor_list *list;
    const struct tensor_list *given;
    const struct adapter_settings *settings;
    struct arena names;
    size_t n_known; /* tensors of the list that are in order; behind them stand those just added */
    struct tail *tails; /* [n_tails], of those in order; sorted */
    size_t n_tails;
    bool transposed; /* square weights are [in, out]: others of this adapter are, or the settings
                        say so */
};

static const struct {
    const char *end;
    enum role role;
} ends[] = {
    {".lora_A.weight", ROLE_A},
    {".lora_embedding_A", ROLE_EMBEDDING_A},
    {".lora_B.weight", ROLE_PARTNER},
    {".lora_B.bias", ROLE_PARTNER},
    {".lora_embedding_B", ROLE_PARTNER},
    {".lora_magnitude_vector", ROLE_PARTNER},
    {".lora_magnitude_vector.weight", ROLE_PARTNER},
};

/* The role, and how long the module's name is. */
static enum role role_of(const char *name, size_t *module_len) {
    const size_t len = strlen(name);
    *module_len = len;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        const size_t end = strlen(ends[i].end);
        if (len > end && strcmp(name + len - end, ends[i].end) == 0) {
            *module_len = len - end;
            return ends[i].role;
        }
    }
    if (strstr(name, ".original_module.") != NULL)
        return ROLE_IGNORED;
    return strstr(name, ".lora_") != NULL || strstr(name, ".token_adapter.") != NULL ? ROLE_UNKNOWN
                                                                                     : ROLE_WHOLE;
}

/* Without a part that only peft's wrappers have. */
static char *without(struct arena *arena, const char *name, const char *part) {
    const char *at = strstr(name, part);
    return at == NULL ? arena_strndup(arena, name, strlen(name))
                      : arena_printf(arena, "%.*s%s", (int)(at - name), name, at + strlen(part));
}

static const char *base_name(const char *name) {
    const size_t len = sizeof PREFIX - 1;
    return strncmp(name, PREFIX, len) == 0 ? name + len : name;
}

/* ---- finding tensors of the base ---- */

static int compare_tails(const void *a, const void *b) {
    return strcmp(((const struct tail *)a)->name, ((const struct tail *)b)->name);
}

/* All tensors of the list are in order now. */
static void know_all(struct merging *m) {
    m->n_known = m->list->len;
    m->n_tails = 0;
    m->tails = arena_zalloc(&m->names, m->n_known + 1, sizeof *m->tails);
    for (size_t i = 0; i < m->n_known; i++) {
        const char *dot = strchr(m->list->items[i].tensor.name, '.');
        if (dot != NULL)
            m->tails[m->n_tails++] = (struct tail){dot + 1, i};
    }
    qsort(m->tails, m->n_tails, sizeof *m->tails, compare_tails);
}

/* The one tensor that has this name behind another first part. */
static struct tensor *find_tail(const struct merging *m, const char *name) {
    const struct tail key = {.name = name}, *end = m->tails + m->n_tails;
    const struct tail *tail = bsearch(&key, m->tails, m->n_tails, sizeof key, compare_tails);
    if (tail == NULL || (tail > m->tails && compare_tails(tail - 1, &key) == 0) ||
        (tail + 1 < end && compare_tails(tail + 1, &key) == 0))
        return NULL;
    return &m->list->items[tail->item].tensor;
}

/* Base and head checkpoints differ in the base model's name at the beginning ("bert."): as it is,
 * without the first part, or behind another one, when there is one such tensor only. */
static struct tensor *find_tensor(const struct merging *m, const char *name) {
    struct tensor_list known = *m->list;
    known.len = m->n_known;
    const struct listed *item = tensor_list_find(&known, name);
    const char *dot = strchr(name, '.');
    if (item == NULL && dot != NULL && strchr(dot + 1, '.') != NULL)
        item = tensor_list_find(&known, dot + 1);
    return item != NULL ? &m->list->items[item - known.items].tensor : find_tail(m, name);
}

static enum status need_tensor(struct tensor **out, struct merging *m, const char *module,
                               const char *part, struct error *err) {
    char *name = arena_printf(&m->names, "%s.%s", module, part);
    *out = find_tensor(m, name);
    if (*out == NULL)
        return ERR(
            err, MODEL,
            "the adapter changes the tensor %.150s, which the base model's weights lack: the "
            "adapter belongs to another model, or the tensor is tied to one of another name",
            name);
    return STATUS_OK;
}

/* ---- whole tensors ---- */

static enum status take_whole(struct merging *m, const struct tensor *given, struct error *err) {
    char *name = without(&m->names, base_name(given->name), ".base_layer");
    name = without(&m->names, name, ".modules_to_save.default");
    name = without(&m->names, name, ".modules_to_save");
    struct tensor *tensor = find_tensor(m, name);
    if (tensor == NULL && tensor_list_add(m->list, &tensor, name, strlen(name), err) != STATUS_OK)
        return STATUS_ERROR;
    const char *kept = tensor->name;
    *tensor = *given;
    tensor->name = kept;
    return STATUS_OK;
}

/* Those that peft keeps as a copy of a module, or the others. Two added ones of one name are found
 * when the list is put in order. */
static enum status take_those(struct merging *m, bool copies, const char *const *files,
                              struct error *err) {
    for (size_t i = 0; i < m->given->len; i++) {
        const struct tensor *given = &m->given->items[i].tensor;
        size_t len = 0;
        const enum role role = role_of(given->name, &len);
        if (role == ROLE_UNKNOWN)
            return ERR(err, MODEL,
                       "the adapter's tensor %.150s is of a kind that is not merged here: merge it "
                       "in Python (peft: merge_and_unload)",
                       given->name);
        if (role == ROLE_WHOLE && copies == (strstr(given->name, ".modules_to_save") != NULL) &&
            take_whole(m, given, err) != STATUS_OK)
            return STATUS_ERROR;
    }
    if (m->list->len > m->n_known && tensor_list_finish(m->list, files, err) != STATUS_OK)
        return STATUS_ERROR;
    know_all(m);
    return STATUS_OK;
}

/* The copy of a module is what runs: it comes second, also where neither is of the base. */
static enum status take_all_whole(struct merging *m, const char *const *files, struct error *err) {
    if (take_those(m, false, files, err) != STATUS_OK)
        return STATUS_ERROR;
    return take_those(m, true, files, err);
}

/* ---- products ---- */

static const struct tensor *partner(struct merging *m, const struct tensor *a, size_t len,
                                    const char *end) {
    char *name = arena_printf(&m->names, "%.*s%s", (int)len, a->name, end);
    const struct listed *item = tensor_list_find(m->given, name);
    return item == NULL ? NULL : &item->tensor;
}

/* Gathers what belongs to A; len: of the module's name in it. */
static enum status make_pair(struct pair *pair, struct merging *m, const struct tensor *a,
                             size_t len, bool embedding, struct error *err) {
    *pair = (struct pair){.a = a, .embedding = embedding};
    pair->b = partner(m, a, len, embedding ? ".lora_embedding_B" : ".lora_B.weight");
    pair->bias = partner(m, a, len, ".lora_B.bias");
    pair->magnitude = partner(m, a, len, ".lora_magnitude_vector");
    if (pair->magnitude == NULL)
        pair->magnitude = partner(m, a, len, ".lora_magnitude_vector.weight");
    const char *module = base_name(arena_strndup(&m->names, a->name, len));
    pair->module = without(&m->names, module, ".base_layer");
    const double rank = adapter_rank(m->settings, pair->module);
    if (pair->b == NULL)
        return ERR(err, MODEL, "the adapter has %.150s without its lora_B: download it again",
                   a->name);
    if (a->n_dims != 2 || pair->b->n_dims != 2)
        return ERR(err, MODEL,
                   "the adapter's %.150s belongs to a convolution, which is not merged here: merge "
                   "it in Python (peft: merge_and_unload)",
                   a->name);
    if (a->dims[0] < 1 || a->dims[0] != pair->b->dims[1] || (double)a->dims[0] != rank)
        return ERR(err, MODEL,
                   "the adapter's %.100s has rank %lld, its lora_B %lld, " ADAPTER_CONFIG
                   " says %g: they must be one",
                   a->name, (long long)a->dims[0], (long long)pair->b->dims[1], rank);
    if (pair->embedding && pair->magnitude != NULL)
        return ERR(err, MODEL,
                   "the adapter's %.150s is DoRA of an embedding, which is not merged here: merge "
                   "it in Python (peft: merge_and_unload)",
                   a->name);
    return STATUS_OK;
}

/* W is [out, in], or, for Conv1D and embeddings, [in, out]. Squares are as the others are. */
static enum status find_way(bool *transposed, const struct merging *m, const struct pair *pair,
                            const struct tensor *w, struct error *err) {
    const int64_t in = pair->a->dims[1], out = pair->b->dims[0];
    const bool plain = w->n_dims == 2 && w->dims[0] == out && w->dims[1] == in;
    const bool turned = w->n_dims == 2 && w->dims[0] == in && w->dims[1] == out;
    *transposed = turned && (!plain || pair->embedding || m->transposed != w->turned);
    if ((!plain && !turned) || (pair->embedding && !turned))
        return ERR(err, MODEL,
                   "the adapter changes %.100s by %lld inputs and %lld outputs, the tensor has "
                   "another shape: the adapter belongs to another model",
                   w->name, (long long)in, (long long)out);
    return STATUS_OK;
}

/* out[j, i] = factor * in[i, j]. */
static void turn(const float *in, size_t rows, size_t cols, float factor, float *out) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            out[j * rows + i] = factor * in[i * cols + j];
}

/* The floats of A and B in the order that a row of W wants: left [rows, r], right [r, cols]. */
static enum status add_factors(struct merging *m, struct change *change, const struct pair *pair,
                               bool transposed, struct error *err) {
    const size_t r = (size_t)pair->a->dims[0];
    const size_t in = (size_t)pair->a->dims[1], out = (size_t)pair->b->dims[0];
    const float scale = adapter_scale(m->settings, pair->module);
    void *block = NULL;
    if (tensor_list_own(m->list, &block, r * (in + out) * sizeof(float), err) != STATUS_OK)
        return STATUS_ERROR;
    float *left = block, *right = left + r * (transposed ? in : out);
    if (transposed) { /* rows are inputs: W += A' B' */
        float *a = mem_alloc(r * in * sizeof *a), *b = mem_alloc(r * out * sizeof *b);
        tensor_to_floats(pair->a, 0, r * in, a);
        tensor_to_floats(pair->b, 0, r * out, b);
        turn(a, r, in, scale, left);
        turn(b, out, r, 1.0f, right);
        mem_free(a);
        mem_free(b);
    } else {
        tensor_to_floats(pair->b, 0, r * out, left);
        tensor_to_floats(pair->a, 0, r * in, right);
        for (size_t i = 0; i < r * out; i++)
            left[i] *= scale;
    }
    *change =
        (struct change){.left = left, .right = right, .rank = r, .cols = transposed ? out : in};
    return STATUS_OK;
}

/* lora_bias: B has a bias of its own, which is scaled like the product. */
static enum status add_bias(struct merging *m, const struct pair *pair, struct error *err) {
    struct tensor *bias = NULL;
    void *block = NULL;
    const size_t n = pair->bias->elements;
    if (need_tensor(&bias, m, pair->module, "bias", err) != STATUS_OK)
        return STATUS_ERROR;
    if (n == 0 || bias->elements != n)
        return ERR(err, MODEL, "the adapter's %.100s has %zu elements, %.100s has %zu",
                   pair->bias->name, n, bias->name, bias->elements);
    if (tensor_list_own(m->list, &block, (n + 1) * sizeof(float), err) != STATUS_OK)
        return STATUS_ERROR;
    float *floats = block;
    floats[n] = adapter_scale(m->settings, pair->module);
    tensor_to_floats(pair->bias, 0, n, floats);
    struct change *change = change_add(m->list, bias);
    change->left = floats + n;
    change->right = floats;
    change->rank = 1;
    change->cols = n;
    return STATUS_OK;
}

static enum status merge_pair(struct merging *m, const struct pair *pair, struct error *err) {
    struct tensor *w = NULL;
    struct change product = {0};
    bool transposed = false;
    if (need_tensor(&w, m, pair->module, "weight", err) != STATUS_OK ||
        find_way(&transposed, m, pair, w, err) != STATUS_OK ||
        add_factors(m, &product, pair, transposed, err) != STATUS_OK)
        return STATUS_ERROR;
    struct change *change = change_add(m->list, w);
    *change = product;
    if (pair->magnitude != NULL) {
        if (pair->magnitude->elements != (size_t)pair->b->dims[0])
            return ERR(err, MODEL, "the adapter's %.150s must have %lld elements",
                       pair->magnitude->name, (long long)pair->b->dims[0]);
        change_scale(m->list, change, w, transposed ? 1 : 0, pair->magnitude);
    }
    return pair->bias != NULL ? add_bias(m, pair, err) : STATUS_OK;
}

/* Whether a weight that is no square stands turned: then its squares do, too. */
static void learn_way(struct merging *m, const struct pair *pair) {
    struct error ignored = {0};
    struct tensor *w = NULL;
    if (pair->embedding || need_tensor(&w, m, pair->module, "weight", &ignored) != STATUS_OK)
        return;
    m->transposed |= w->n_dims == 2 && w->dims[0] != w->dims[1] && w->dims[0] == pair->a->dims[1] &&
                     w->dims[1] == pair->b->dims[0];
}

static enum status each_pair(struct merging *m, bool merge, struct error *err) {
    for (size_t i = 0; i < m->given->len; i++) {
        const struct tensor *a = &m->given->items[i].tensor;
        size_t len = 0;
        const enum role role = role_of(a->name, &len);
        struct pair pair;
        if (role != ROLE_A && role != ROLE_EMBEDDING_A)
            continue;
        if (make_pair(&pair, m, a, len, role == ROLE_EMBEDDING_A, err) != STATUS_OK)
            return STATUS_ERROR;
        if (!merge)
            learn_way(m, &pair);
        else if (merge_pair(m, &pair, err) != STATUS_OK)
            return STATUS_ERROR;
    }
    return STATUS_OK;
}

/* B, bias and magnitude are taken with their A; alone they are nothing. */
static enum status check_partners(struct merging *m, struct error *err) {
    for (size_t i = 0; i < m->given->len; i++) {
        const struct tensor *given = &m->given->items[i].tensor;
        size_t len = 0;
        if (role_of(given->name, &len) == ROLE_PARTNER &&
            partner(m, given, len, ".lora_A.weight") == NULL &&
            partner(m, given, len, ".lora_embedding_A") == NULL)
            return ERR(err, MODEL, "the adapter has %.150s without its lora_A: download it again",
                       given->name);
    }
    return STATUS_OK;
}

enum status adapter_merge(struct tensor_list *list, const char *const *files,
                          const struct tensor_list *given, const struct adapter_settings *settings,
                          struct error *err) {
    struct merging m = {
        .list = list, .given = given, .settings = settings, .transposed = settings->transposed};
    know_all(&m);
    enum status status = check_partners(&m, err);
    if (status == STATUS_OK)
        status = take_all_whole(&m, files, err);
    if (status == STATUS_OK)
        status = each_pair(&m, false, err);
    if (status == STATUS_OK)
        status = each_pair(&m, true, err);
    arena_deinit(&m.names);
    return status;
}
