/* brisk check: whether and how a model would run, or why not, without loading its weights. What is
 * told is the runtime's. */
#include "cli/cli.h"
#include "base/banned.h"

int command_check(int argc, char **argv) {
    struct model_flags flags = {0};
    bool json = false;
    const struct option options[] = {
        {"--json", NULL, "print the answer as JSON", OPTION_FLAG, &json},
        MODEL_OPTIONS(flags),
    };
    const struct usage usage = {
        .command = "check",
        .arguments = "MODEL",
        .text =
            "Tells whether and how MODEL, an id under --models or a folder, would run: family,\n"
            "tasks, precision, memory and limits. Exit code 0 when it would, else not.\n\n"
            "  brisk check ./my-model",
        .options = options,
        .n_options = ARRAY_LEN(options),
        .min_words = 1,
        .max_words = 1,
    };
    struct words words;
    int code = 0;
    if (!options_parse(&usage, argc, argv, &words, &code))
        return code;
    struct brisk *brisk = NULL;
    code = runtime_open(&brisk, "check", &flags);
    if (code != 0)
        return code;
    struct arena arena = {0};
    struct brisk_answer answer = {0};
    brisk_model_check(brisk, model_argument(&arena, words.at[0]), &answer);
    if (answer.status != 200)
        code = answer_error("check", &answer);
    else
        code = answer.exit_code;
    if (answer.status == 200 && json)
        print_line(answer.body, answer.body_len);
    else if (answer.status == 200)
        print_pretty(answer.body, answer.body_len);
    brisk_answer_free(&answer);
    brisk_destroy(brisk);
    arena_deinit(&arena);
    return code;
}
