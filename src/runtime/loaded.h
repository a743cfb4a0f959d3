/* A loaded model: all that a repository gave, immutable once made. Private to runtime.
 * Who uses it and when it goes is the shelf's business. */
#ifndef BRISK_RUNTIME_LOADED_H
#define BRISK_RUNTIME_LOADED_H

#include "formats/formats.h"
#include "models/models.h"
#include "tasks/tasks.h"
#include "template/template.h"
#include "runtime/repos.h"
#include "tokenizer/tokenizer.h"

/* What `--precision` says: a precision, or the fastest for the model's size. */
struct precision_choice {
    bool automatic;
    enum precision precision;
};
bool precision_choice_parse(const char *text, struct precision_choice *out); /* NULL: auto */

struct loaded {
    struct repository repository;
    struct arch arch;
    struct tokenizer *tokenizer;
    struct chat *chat; /* its chat templates, parsed */
    struct model *model;
    struct task_model task_model; /* points into the others */
    const char *default_task;     /* or NULL */
    const char *compute_type;     /* "cpu", "cpu+optimized" */
    uint64_t parameters;
    uint64_t stamp; /* of the folder, set by who loads it */
    size_t bytes;
    struct model_queue *queue; /* the scheduler's own, NULL at first */
};

struct load {
    const char *id, *folder;
    const struct repos *repos; /* where an adapter's base model is looked for */
    struct precision_choice precision;
    struct team *team, *load_team; /* of passes; of loading, which goes on beside them */
    size_t page_bytes;             /* most for keys and values */
    struct packed_cache *packed;   /* or NULL */
    void (*progress)(void *user, double share); /* may be NULL */
    void *user;
};
enum status loaded_create(struct loaded **out, const struct load *load,
                          struct error *err) MUST_CHECK;
void loaded_destroy(struct loaded *loaded); /* NULL is fine */

/* What can be told without loading weights: repository and description. */
struct described {
    struct repository repository;
    struct arch arch;
    const char *default_task; /* or NULL */
};
enum status described_open(struct described *described, const char *folder,
                           const struct repos *repos, struct error *err) MUST_CHECK;
/* Everything about the repository that loading would find wrong, but for its tokenizer; weights are
 * looked at, not loaded. */
enum status described_check(struct described *described, const struct checkpoint *checkpoint,
                            struct error *err) MUST_CHECK;
void described_close(struct described *described);
/* The chat templates of a repository; chat_close() them. */
struct chat *loaded_chat(const struct repository *repository);
/* The repository's tokenizer, from its files or from its GGUF file. */
enum status loaded_tokenizer(struct tokenizer **out, const struct repository *repository,
                             struct error *err) MUST_CHECK;
/* The precision that the choice means for this many parameters, and what the weights then need. */
enum precision precision_for(const struct precision_choice *choice, uint64_t parameters);
uint64_t checkpoint_parameters(const struct checkpoint *checkpoint);
/* The task of the request, else the model's own: with a text that names what it can do. */
enum status loaded_task(const struct loaded *loaded, const char *name, const struct task **out,
                        struct error *err) MUST_CHECK;

#endif
