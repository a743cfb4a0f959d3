/* brisk tokenize: JSON strings to ids and offsets, a line each, with the tokenizer of a model. The
 * converting is the runtime's; lines.c does the lines. */
#include "cli/lines.h"

#include "base/banned.h"

int command_tokenize(int argc, char **argv) {
    struct model_flags flags = {.threads = 1};
    bool json = false, full = false;
    const struct option options[] = {
        {"--json", NULL, "JSON lines, which is all there is", OPTION_FLAG, &json},
        {"--full", NULL,
         "also types, words, tokens and special_tokens_mask; a line may be an object with text, "
         "pair, truncation, max_length, stride, return_overflowing_tokens",
         OPTION_FLAG, &full},
        {"--models", "DIR", "folder with models as {org}/{name}/ or {name}/; may be repeated",
         OPTION_TEXTS, &flags.folders},
    };
    const struct usage usage = {
        .command = "tokenize",
        .arguments = "MODEL --json [--full]",
        .text = "Reads a JSON string a line from stdin and prints {\"ids\": [...], \"offsets\": "
                "[[s, e], ...]} a\n"
                "line: special tokens added, offsets in code points, the file's truncation and "
                "padding\n"
                "off. MODEL is an id under --models or a folder, which need hold no weights.\n\n"
                "  echo '\"Hello world\"' | brisk tokenize ./my-model --json",
        .options = options,
        .n_options = ARRAY_LEN(options),
        .min_words = 1,
        .max_words = 1,
    };
    struct words words;
    int code = 0;
    if (!options_parse(&usage, argc, argv, &words, &code))
        return code;
    return lines_command(&usage, &flags, words.at[0], full ? brisk_tokenize_full : brisk_tokenize);
}
