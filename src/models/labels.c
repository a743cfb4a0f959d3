/* The classes of a model as config.json names them: id2label, num_labels, or the family's default.
 */
#include "models/family.h"

#include <stdio.h>

static uint32_t count_labels(const struct json *config) {
    const struct json *names = json_get(config, "id2label");
    int64_t n = 0;
    if (json_is(names, JSON_OBJECT))
        n = names->len;
    else if (!json_to_int(json_get(config, "num_labels"), &n)) {
        const struct family_type *type = NULL;
        const struct family *family = family_of(config, &type);
        n = family && family->labels ? family->labels : 2;
    }
    return n < 1 ? 1 : n > LIMIT_LABELS ? LIMIT_LABELS : (uint32_t)n;
}

uint32_t config_labels(const struct config *config) {
    return count_labels(config->json);
}

uint32_t models_label_count(const struct repository *repository) {
    return count_labels(repository->config);
}

const char *models_label(const struct repository *repository, struct arena *arena, uint32_t id) {
    char key[16];
    snprintf(key, sizeof key, "%u", id);
    const char *name = json_get_string(json_get(repository->config, "id2label"), key, NULL);
    return name ? name : arena_printf(arena, "LABEL_%u", id);
}
