/* brisk detokenize: arrays of ids to JSON strings, a line each, with the tokenizer of a model. The
 * converting is the runtime's; lines.c does the lines. */
#include "cli/lines.h"

#include "base/banned.h"

int command_detokenize(int argc, char **argv) {
    struct model_flags flags = {.threads = 1};
    bool json = false;
    const struct option options[] = {
        {"--json", NULL, "JSON lines, which is all there is", OPTION_FLAG, &json},
        {"--models", "DIR", "folder with models as {org}/{name}/ or {name}/; may be repeated",
         OPTION_TEXTS, &flags.folders},
    };
    const struct usage usage = {
        .command = "detokenize",
        .arguments = "MODEL --json",
        .text = "Reads an array of token ids a line from stdin and prints the text as a JSON "
                "string a line,\n"
                "without special tokens. MODEL is an id under --models or a folder, which need "
                "hold no\n"
                "weights.\n\n"
                "  echo '[101, 7592, 102]' | brisk detokenize ./my-model --json",
        .options = options,
        .n_options = ARRAY_LEN(options),
        .min_words = 1,
        .max_words = 1,
    };
    struct words words;
    int code = 0;
    if (!options_parse(&usage, argc, argv, &words, &code))
        return code;
    return lines_command(&usage, &flags, words.at[0], brisk_detokenize);
}
