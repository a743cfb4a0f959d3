/* The command line: what the commands share. One file a command, one line in commands.inc; a
 * command parses its options by a table from which its --help is written too. Answers go to stdout,
 * errors and progress to stderr; the exit code is that of the error (base/error.h). */
#ifndef BRISK_CLI_CLI_H
#define BRISK_CLI_CLI_H

#include "runtime/runtime.h"

#define COMMAND(name, summary) int command_##name(int argc, char **argv);
#include "cli/commands.inc"
#undef COMMAND

struct command {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
};
size_t commands_count(void);
const struct command *commands_at(size_t i);

/* ---- options ---- */
enum option_kind {
    OPTION_FLAG,    /* bool */
    OPTION_TEXT,    /* const char * */
    OPTION_COUNT,   /* uint32_t */
    OPTION_SECONDS, /* double */
    OPTION_SIZE,    /* size_t; "512M", "8G" */
    OPTION_TEXTS,   /* struct text_list: may be given several times */
};
#define TEXT_LIST_MAX 64
struct text_list {
    const char *texts[TEXT_LIST_MAX + 1]; /* NULL-terminated */
    size_t n;
};
struct option {
    const char *name;  /* "--task" */
    const char *value; /* "T" in the help; NULL for flags */
    const char *help;
    enum option_kind kind;
    void *out;
};
struct usage {
    const char *command;
    const char *arguments; /* "MODEL [INPUT|-]" */
    const char *text;      /* what it does, with an example */
    const struct option *options;
    size_t n_options;
    size_t min_words, max_words;
};
#define WORDS_MAX 4
struct words {
    const char *at[WORDS_MAX];
    size_t n;
};
/* Fills in the options and words. False: the command ends with *code (--help: 0). */
bool options_parse(const struct usage *usage, int argc, char **argv, struct words *words,
                   int *code);
/* "brisk run: text" on stderr; returns the code. */
int command_error(const char *command, int code, const char *format, ...) PRINTF_LIKE(3, 4);

/* ---- models ---- */
struct model_flags { /* the options that all commands with a model have */
    struct text_list folders;
    const char *precision;
    uint32_t threads;
    size_t memory_bytes;
    const char *cache_folder; /* of packed weights; NULL: none */
    size_t cache_bytes;
};
#define MODEL_OPTIONS(flags)                                                                       \
    {"--models", "DIR", "folder with models as {org}/{name}/ or {name}/; may be repeated",         \
     OPTION_TEXTS, &(flags).folders},                                                              \
        {"--precision", "P", "auto, fp32, bf16, int8 or int4 (auto)", OPTION_TEXT, &(flags).precision},  \
        {"--threads", "N", "compute threads (all cores)", OPTION_COUNT, &(flags).threads}, {       \
        "--memory", "SIZE", "most memory for models, e.g. 4G (80 % of the machine's)",             \
            OPTION_SIZE, &(flags).memory_bytes                                                     \
    }
struct cache_flags { /* of those that run models for users */
    const char *folder;
    size_t bytes;
};
#define CACHE_OPTIONS(flags)                                                                       \
    {"--cache-dir", "DIR",                                                                         \
     "where packed weights are kept for the next start; none: nowhere (~/.cache/brisk)",           \
     OPTION_TEXT, &(flags).folder},                                                                \
    {                                                                                              \
        "--cache-size", "SIZE", "most of them, the longest unused go first (20G)", OPTION_SIZE,    \
            &(flags).bytes                                                                         \
    }
/* What the flags say, else a folder of its own in data_dir (may be NULL), else in the user's cache.
 * NULL: none. In the arena. */
const char *cache_folder(const struct cache_flags *flags, const char *data_dir,
                         struct arena *arena);
/* "on" or "off"; NULL leaves *on as it is. 0 or an exit code. */
int option_switch(const char *command, const char *name, const char *text, bool *on);
/* A runtime for a command that runs one model; its log tells warnings only. 0 or an exit code. */
int runtime_open(struct brisk **out, const char *command, const struct model_flags *flags);
/* An id as it stands, the path of a folder made absolute. In the arena. */
const char *model_argument(struct arena *arena, const char *text);
/* Loads with a progress bar when stderr is a terminal. 0 or an exit code. */
int model_load(struct brisk *brisk, const char *command, const char *model);

/* ---- output ---- */
/* The error text of an answer {"error": …} on stderr; returns its exit code. */
int answer_error(const char *command, const struct brisk_answer *answer);
/* A JSON text for people: tables, texts, short vectors. */
void print_pretty(const char *json, size_t len);
/* The bytes and a line feed. */
void print_line(const char *text, size_t len);
/* All of stdin into the buffer. */
void read_stdin(struct buf *buf);

#endif
