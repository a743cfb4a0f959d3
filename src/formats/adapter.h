/* Adapters of peft: a folder with adapter_config.json and the few tensors that were trained, which
 * belong on a base model elsewhere. Private to this room; callers open a repository.
 *
 * adapter_config.c reads the settings and says which base and which configuration they mean,
 * adapter.c merges the tensors. Only LoRA (Hu et al. 2021) with DoRA (Liu et al. 2024) is merged.
 */
#ifndef BRISK_FORMATS_ADAPTER_H
#define BRISK_FORMATS_ADAPTER_H

#include "formats/format.h"

#define ADAPTER_CONFIG "adapter_config.json"

/* adapter_config.json is there, and the folder is not a whole model beside it. */
bool adapter_exists(const char *folder);
/* The folder of the model that the adapter was made for. MODEL: it is not here; says what to
 * download. */
enum status adapter_base(char **base, const struct json *config, const char *folder,
                         const struct locate *locate, struct arena *arena,
                         struct error *err) MUST_CHECK;
/* Makes the base's configuration, which the repository has read, the merged model's: the class that
 * the adapter was trained as, and as many labels as its classifier has rows. */
enum status adapter_config(struct repository *repository, struct error *err) MUST_CHECK;

/* alpha / r (or its root) of one module, by the settings. */
struct adapter_settings {
    double r, alpha;
    bool rslora, transposed; /* fan_in_fan_out: base weights are stored [in, out] */
    const struct json *rank_pattern, *alpha_pattern; /* module name or pattern -> number, or NULL */
};
/* MODEL: something that is not merged here, by name, with what to do. */
enum status adapter_settings_read(struct adapter_settings *settings, const struct json *config,
                                  struct error *err) MUST_CHECK;
double adapter_rank(const struct adapter_settings *settings, const char *module);
/* What B A of this module is multiplied with. */
float adapter_scale(const struct adapter_settings *settings, const char *module);

/* Changes and adds tensors of `list` (the base model's; finished, before and after) by those of
 * `given` (the adapter's, which must outlive it). */
enum status adapter_merge(struct tensor_list *list, const char *const *files,
                          const struct tensor_list *given, const struct adapter_settings *settings,
                          struct error *err) MUST_CHECK;

/* Opens the adapter's own tensors. */
enum status checkpoint_open_adapter(struct checkpoint **out, const char *folder,
                                    struct error *err) MUST_CHECK;

#endif
