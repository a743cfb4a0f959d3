/* The registry: tasks by name and alias, from tasks.inc. What a task is stands in task.h, what it
 * does in its own file. */
#include "tasks/task.h"

static const struct task *const tasks[] = {
#define TASK(name) &task_##name,
#include "tasks/tasks.inc"
#undef TASK
};

/* "translation_en_to_fr" is translation. */
static bool is_translation(const char *name) {
    return strncmp(name, "translation_", 12) == 0 && strstr(name + 12, "_to_") != NULL;
}

static bool has_alias(const struct task *task, const char *name) {
    for (size_t i = 0; task->aliases && task->aliases[i]; i++) {
        if (strcmp(task->aliases[i], name) == 0) {
            return true;
        }
    }
    return false;
}

const struct task *task_find(const char *name) {
    if (!name) {
        return NULL;
    }
    if (is_translation(name)) {
        return &task_translation;
    }
    for (size_t i = 0; i < ARRAY_LEN(tasks); i++) {
        if (strcmp(tasks[i]->name, name) == 0 || has_alias(tasks[i], name)) {
            return tasks[i];
        }
    }
    return NULL;
}

size_t task_count(void) {
    return ARRAY_LEN(tasks);
}

const struct task *task_at(size_t i) {
    return tasks[i];
}

const char *task_name(const struct task *task) {
    return task->name;
}

enum status task_supports(const struct task *task, const struct task_model *model,
                          struct error *err) {
    return task->supports(model, err);
}

void task_write_parameters(const struct task *task, struct json_out *out) {
    params_write(task->params, task->n_params, out);
}
