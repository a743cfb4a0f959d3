/* Families: config.json -> struct arch. One file a family, one line in families.inc.
 *
 * A family file reads its config keys, says which checkpoint names fill which slots, and which head
 * an architecture class has. It computes nothing. */
#ifndef BRISK_MODELS_MODELS_H
#define BRISK_MODELS_MODELS_H

#include "engine/engine.h"

/* Describes the repository's model. MODEL: unknown model_type (lists the known ones), a needed key
 * is absent or impossible, an architecture class this family does not have. Strings of the arch
 * live in the repository's arena or are static. */
enum status models_describe(struct arch *out, struct repository *repository,
                            struct error *err) MUST_CHECK;

/* The list of families, for `brisk list` and tests: names[0 .. count). */
size_t models_count(void);
const char *models_name(size_t i);
/* The i-th as an object: family, model_types, classes (those of architectures[0]). */
void models_write(size_t i, struct json_out *out);

/* Labels of the config: id2label, else LABEL_i. Lives in the arena. */
const char *models_label(const struct repository *repository, struct arena *arena, uint32_t id);
uint32_t models_label_count(const struct repository *repository);

/* The task a repository serves when none is asked for: pipeline_tag of its card, else modules.json,
 * else from architectures[0] (reference, section 8). Static text, or NULL when nothing fits. */
const char *models_default_task(const struct repository *repository, const struct arch *arch);
/* The same whatever its card says: for a pipeline_tag that is no task here. */
const char *models_own_task(const struct repository *repository, const struct arch *arch);

#endif
