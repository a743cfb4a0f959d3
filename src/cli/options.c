/* Options from a table: parsing, checking, and the help that is written from it. What they mean is
 * the commands' business. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "base/banned.h"

int command_error(const char *command, int code, const char *format, ...) {
    fprintf(stderr, "brisk %s: ", command);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return code;
}

int option_switch(const char *command, const char *name, const char *text, bool *on) {
    if (text == NULL)
        return 0;
    *on = strcmp(text, "on") == 0;
    if (*on || strcmp(text, "off") == 0)
        return 0;
    return command_error(command, error_exit_code(ERROR_INPUT), "%s is \"%s\", must be on or off",
                         name, text);
}

static int usage_error(const struct usage *usage, const char *what, const char *value) {
    const int code = error_exit_code(ERROR_INPUT);
    command_error(usage->command, code, "%s%s%s%s", what, value == NULL ? "" : " \"",
                  value == NULL ? "" : value, value == NULL ? "" : "\"");
    fprintf(stderr, "usage: brisk %s %s; see brisk %s --help\n", usage->command, usage->arguments,
            usage->command);
    return code;
}

static void print_usage(const struct usage *usage) {
    printf("usage: brisk %s %s%s\n\n%s\n", usage->command, usage->arguments,
           usage->n_options > 0 ? " [options]" : "", usage->text);
    if (usage->n_options > 0)
        puts("\noptions:");
    for (size_t i = 0; i < usage->n_options; i++) {
        const struct option *option = &usage->options[i];
        char name[40];
        snprintf(name, sizeof(name), "%s %s", option->name,
                 option->value == NULL ? "" : option->value);
        printf("  %-22s %s\n", name, option->help);
    }
}

static const struct option *option_find(const struct usage *usage, const char *name, size_t len) {
    for (size_t i = 0; i < usage->n_options; i++) {
        const char *known = usage->options[i].name;
        if (strlen(known) == len && memcmp(known, name, len) == 0)
            return &usage->options[i];
    }
    return NULL;
}

static bool parse_number(const char *text, double *out, char **end) {
    *out = strtod(text, end);
    return *end != text && isfinite(*out) && *out >= 0;
}

static bool parse_size(const char *text, size_t *out) {
    static const char units[] = "KMGT";
    char *end = NULL;
    double value = 0;
    if (!parse_number(text, &value, &end))
        return false;
    const char *unit = *end == '\0' ? NULL : strchr(units, *end & ~0x20);
    if (*end != '\0' && unit == NULL)
        return false;
    for (ptrdiff_t i = 0; unit != NULL && i <= unit - units; i++)
        value *= 1024;
    if (unit != NULL) { /* "4G", "4GB", "4GiB" */
        const char *rest = end + 1;
        if (strcmp(rest, "") != 0 && strcmp(rest, "B") != 0 && strcmp(rest, "iB") != 0)
            return false;
    }
    *out = (size_t)value;
    return value >= 1 && value < 9e18;
}

static bool parse_count(const char *text, uint32_t *out) {
    char *end = NULL;
    double value = 0;
    if (!parse_number(text, &value, &end) || *end != '\0' || value > UINT32_MAX ||
        value != floor(value))
        return false;
    *out = (uint32_t)value;
    return true;
}

static bool option_set(const struct option *option, const char *value) {
    char *end = NULL;
    struct text_list *list = option->out;
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)option->out = true;
        return true;
    case OPTION_TEXT:
        *(const char **)option->out = value;
        return true;
    case OPTION_COUNT:
        return parse_count(value, option->out);
    case OPTION_SECONDS:
        return parse_number(value, option->out, &end) && *end == '\0';
    case OPTION_SIZE:
        return parse_size(value, option->out);
    case OPTION_TEXTS:
        if (list->n == TEXT_LIST_MAX)
            return false;
        list->texts[list->n++] = value;
        return true;
    }
    return false;
}

/* One option at argv[*i], which may take its value from the next word. 0 or an exit code. */
static int take_option(const struct usage *usage, int argc, char **argv, int *i) {
    const char *name = argv[*i];
    const char *equals = strchr(name, '=');
    const size_t len = equals == NULL ? strlen(name) : (size_t)(equals - name);
    const struct option *option = option_find(usage, name, len);
    if (option == NULL)
        return usage_error(usage, "no such option", name);
    const char *value = equals == NULL ? NULL : equals + 1;
    if (option->kind == OPTION_FLAG && value != NULL)
        return usage_error(usage, "this option takes no value:", option->name);
    if (option->kind != OPTION_FLAG && value == NULL) {
        if (*i + 1 >= argc)
            return usage_error(usage, "a value is missing after", option->name);
        value = argv[++*i];
    }
    if (!option_set(option, value))
        return command_error(usage->command, error_exit_code(ERROR_INPUT),
                             "%s is \"%s\", which is no %s", option->name, value, option->value);
    return 0;
}

bool options_parse(const struct usage *usage, int argc, char **argv, struct words *words,
                   int *code) {
    bool only_words = false;
    *words = (struct words){0};
    *code = 0;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (!only_words && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)) {
            print_usage(usage);
            return false;
        }
        if (!only_words && strcmp(word, "--") == 0) {
            only_words = true;
        } else if (!only_words && word[0] == '-' && word[1] != '\0') {
            *code = take_option(usage, argc, argv, &i);
            if (*code != 0)
                return false;
        } else if (words->n == usage->max_words) {
            *code = usage_error(usage, "one argument too many:", word);
            return false;
        } else {
            words->at[words->n++] = word;
        }
    }
    if (words->n >= usage->min_words)
        return true;
    *code = usage_error(usage, "an argument is missing", NULL);
    return false;
}
