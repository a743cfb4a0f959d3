/* brisk list: what the program holds, written from its registries, so that documentation made of it
 * cannot go stale. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "server/server.h"
#include "base/banned.h"

static void write_commands(struct json_out *out) {
    json_open_array(out);
    for (size_t i = 0; i < commands_count(); i++) {
        json_open_object(out);
        json_key(out, "command");
        json_string(out, commands_at(i)->name);
        json_key(out, "summary");
        json_string(out, commands_at(i)->summary);
        json_close_object(out);
    }
    json_close_array(out);
}

static const struct listing {
    const char *name;
    void (*write)(struct json_out *out);
} listings[] = {
    {"commands", write_commands},
    {"families", runtime_write_families},
    {"routes", server_write_routes},
    {"tasks", runtime_write_tasks},
};

/* ---- markdown ---- */

static void print_text(const struct json *value) {
    struct buf buf;
    buf_init(&buf, LIMIT_RESPONSE);
    if (value->type == JSON_STRING) {
        buf_append(&buf, value->text, value->len);
    } else if (value->type != JSON_NULL) {
        struct json_out out = json_out_begin(&buf);
        json_value(&out, value);
    }
    for (size_t i = 0; i < buf.len; i++) {
        if (buf.data[i] == '|')
            fputs("\\|", stdout);
        else
            putchar(buf.data[i]);
    }
    buf_deinit(&buf);
}

static void print_markdown_table(const struct json *rows) {
    const struct json *first = json_at(rows, 0);
    for (uint32_t c = 0; first != NULL && c < first->len; c++)
        printf("| %s ", first->members[c].key);
    puts("|");
    for (uint32_t c = 0; first != NULL && c < first->len; c++)
        fputs("| --- ", stdout);
    puts("|");
    for (uint32_t r = 0; r < rows->len; r++) {
        for (uint32_t c = 0; c < rows->items[r].len; c++) {
            fputs("| ", stdout);
            print_text(&rows->items[r].members[c].value);
            putchar(' ');
        }
        puts("|");
    }
}

/* A table, or a table under a heading for each row that holds one. */
static void print_markdown(const struct json *list) {
    for (uint32_t i = 0; i < list->len; i++) {
        const struct json *row = &list->items[i];
        const struct json *table = json_get(row, "parameters");
        if (table == NULL) {
            print_markdown_table(list);
            return;
        }
        printf("%s### %s\n\n", i > 0 ? "\n" : "", json_get_string(row, "task", ""));
        print_markdown_table(table);
    }
}

static void print_names(const struct json *list) {
    for (uint32_t i = 0; i < list->len; i++) {
        const struct json *row = &list->items[i];
        puts(json_get_string(row, "task", json_get_string(row, "family", "")));
    }
}

static int print_list(const struct listing *listing, bool json, bool markdown) {
    struct buf buf;
    struct arena arena = {0};
    struct error err = {0};
    const struct json *list = NULL;
    buf_init(&buf, LIMIT_RESPONSE);
    struct json_out out = json_out_begin(&buf);
    listing->write(&out);
    int code = 0;
    if (json)
        print_line(buf.data, buf.len);
    else if (json_parse(&list, &arena, buf.data, buf.len, JSON_STRICT, &err) != STATUS_OK)
        code = command_error("list", error_exit_code(ERROR_INTERNAL), "%s", err.text);
    else if (markdown)
        print_markdown(list);
    else if (listing->write == runtime_write_tasks || listing->write == runtime_write_families)
        print_names(list);
    else
        print_pretty(buf.data, buf.len);
    arena_deinit(&arena);
    buf_deinit(&buf);
    return code;
}

static int print_models(const struct model_flags *flags, bool json) {
    struct brisk *brisk = NULL;
    const int code = runtime_open(&brisk, "list", flags);
    if (code != 0)
        return code;
    struct brisk_answer answer = {0};
    brisk_model_list(brisk, &answer);
    if (json)
        print_line(answer.body, answer.body_len);
    else
        print_pretty(answer.body, answer.body_len);
    brisk_answer_free(&answer);
    brisk_destroy(brisk);
    return 0;
}

int command_list(int argc, char **argv) {
    struct model_flags flags = {.threads = 1};
    bool json = false, markdown = false;
    const struct option options[] = {
        {"--json", NULL, "print JSON", OPTION_FLAG, &json},
        {"--markdown", NULL, "print a table for documentation", OPTION_FLAG, &markdown},
        {"--models", "DIR", "folder with models, for `list models`; may be repeated", OPTION_TEXTS,
         &flags.folders},
    };
    const struct usage usage = {
        .command = "list",
        .arguments = "commands|families|models|routes|tasks",
        .text =
            "Lists what this program holds: its commands, the model families it runs, the tasks\n"
            "with their parameters (--markdown or --json), the HTTP routes; or the models under\n"
            "--models.\n\n"
            "  brisk list tasks\n"
            "  brisk list models --models ~/models",
        .options = options,
        .n_options = ARRAY_LEN(options),
        .min_words = 1,
        .max_words = 1,
    };
    struct words words;
    int code = 0;
    if (!options_parse(&usage, argc, argv, &words, &code))
        return code;
    if (strcmp(words.at[0], "models") == 0)
        return print_models(&flags, json);
    for (size_t i = 0; i < ARRAY_LEN(listings); i++) {
        if (strcmp(listings[i].name, words.at[0]) == 0)
            return print_list(&listings[i], json, markdown);
    }
    return command_error("list", error_exit_code(ERROR_INPUT),
                         "no list \"%s\": commands, families, models, routes or tasks",
                         words.at[0]);
}
