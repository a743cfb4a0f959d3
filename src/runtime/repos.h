/* Where repositories lie: from an id ("org/name", "name") to a folder under the model folders.
 * Private to runtime. Reads names only, no file's content
 * but the name of an adapter's base model. */
#ifndef BRISK_RUNTIME_REPOS_H
#define BRISK_RUNTIME_REPOS_H

#include "formats/formats.h"
#include "runtime/runtime.h"

struct repos {
    char **folders; /* NULL-terminated, owned */
    bool paths;     /* an id that begins with '/' is a folder itself */
};

/* NOT_FOUND when one of the folders does not exist. folders may be NULL: none. */
enum status repos_init(struct repos *repos, const char *const *folders, bool paths,
                       struct error *err) MUST_CHECK;
void repos_deinit(struct repos *repos);

/* Folder of the model in the arena. NOT_FOUND: "Model X does not exist". need_config: the folder
 * must hold a config.json to count. */
enum status repos_find(const struct repos *repos, const char *id, bool need_config,
                       struct arena *arena, char **folder, struct error *err) MUST_CHECK;

/* Finds the base models of adapters: by id under the model folders, by a path that leads to a
 * folder in one of them; where ids may be paths, also beside the adapter. `repos` is borrowed. */
struct locate repos_locate(const struct repos *repos);
/* Ids of all repositories, sorted within a folder; the first folder that has an id wins. */
void repos_each(const struct repos *repos, void (*each)(void *user, const char *id), void *user);

/* Changes when a file of the folder (or of its folders) is added, removed or written; an adapter's
 * also by its base model: when that arrives, goes, is another one or changes. */
uint64_t repos_stamp(const struct repos *repos, const char *folder);
/* Bytes of the weight files, for estimates. */
size_t repos_weight_bytes(const char *folder);

#endif
