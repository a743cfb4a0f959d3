/* brisk bench: measures one model from inside, without JSON, tokenizer and HTTP. The measuring is
 * the runtime's. */
#include "cli/cli.h"
#include "base/banned.h"

static int bench_model(const struct model_flags *flags, const struct brisk_bench *bench,
                       bool table) {
    struct brisk *brisk = NULL;
    int code = runtime_open(&brisk, "bench", flags);
    if (code != 0)
        return code;
    code = model_load(brisk, "bench", bench->model);
    if (code == 0) {
        struct brisk_answer answer = {0};
        brisk_bench(brisk, bench, &answer);
        if (answer.status != 200)
            code = answer_error("bench", &answer);
        else if (table)
            print_pretty(answer.body, answer.body_len);
        else
            print_line(answer.body, answer.body_len);
        brisk_answer_free(&answer);
    }
    brisk_destroy(brisk);
    return code;
}

int command_bench(int argc, char **argv) {
    struct model_flags flags = {0};
    struct brisk_bench bench = {.prompt_tokens = 16};
    bool table = false, json = false;
    const char *speculate = NULL;
    const struct option options[] = {
        {"--prompt-tokens", "N", "tokens of the text (16)", OPTION_COUNT, &bench.prompt_tokens},
        {"--new-tokens", "N", "tokens to generate; 0: one pass of the text (0)", OPTION_COUNT,
         &bench.new_tokens},
        {"--batch", "N", "texts at once (1)", OPTION_COUNT, &bench.batch},
        {"--repeat", "N", "counted runs (5)", OPTION_COUNT, &bench.repeat},
        {"--speculate", "on|off",
         "propose tokens from repetitions, as requests do; random models repeat themselves (off)",
         OPTION_TEXT, &speculate},
        {"--table", NULL, "print a table instead of JSON", OPTION_FLAG, &table},
        {"--json", NULL, "print JSON, as without it", OPTION_FLAG, &json},
        MODEL_OPTIONS(flags),
    };
    const struct usage usage = {
        .command = "bench",
        .arguments = "MODEL",
        .text =
            "Measures MODEL, an id under --models or a folder, on random tokens: milliseconds of "
            "a\n"
            "run, tokens per second, and the weight bytes moved per second while generating.\n\n"
            "  brisk bench ./my-model --prompt-tokens 16 --new-tokens 128 --precision int8",
        .options = options,
        .n_options = ARRAY_LEN(options),
        .min_words = 1,
        .max_words = 1,
    };
    struct words words;
    int code = 0;
    if (!options_parse(&usage, argc, argv, &words, &code))
        return code;
    code = option_switch("bench", "--speculate", speculate, &bench.speculate);
    if (code != 0)
        return code;
    struct arena arena = {0};
    bench.model = model_argument(&arena, words.at[0]);
    code = bench_model(&flags, &bench, table && !json);
    arena_deinit(&arena);
    return code;
}
