/* Converting stdin line by line with a model's tokenizer. No weights are loaded. */
#include "cli/lines.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

static int convert_lines(const char *command, struct brisk_tokenizer *tokenizer,
                         line_convert convert) {
    char *line = NULL;
    size_t size = 0, number = 0;
    int code = 0;
    ssize_t len = 0;
    while (code == 0 && (len = getline(&line, &size, stdin)) >= 0) {
        number++;
        if (len > 0 && line[len - 1] == '\n')
            len--;
        struct brisk_answer answer = {0};
        convert(tokenizer, line, (size_t)len, &answer);
        if (answer.status == 200) {
            print_line(answer.body, answer.body_len);
        } else {
            fprintf(stderr, "line %zu: ", number);
            code = answer_error(command, &answer);
        }
        brisk_answer_free(&answer);
    }
    free(line); /* getline's */
    return code;
}

int lines_command(const struct usage *usage, const struct model_flags *flags, int argc, char **argv,
                  line_convert convert) {
    struct words words;
    int code = 0;
    if (!options_parse(usage, argc, argv, &words, &code))
        return code;
    struct brisk *brisk = NULL;
    struct brisk_tokenizer *tokenizer = NULL;
    struct arena arena = {0};
    char error[LIMIT_ERROR_TEXT];
    code = runtime_open(&brisk, usage->command, flags);
    if (code != 0)
        return code;
    code = brisk_tokenizer_open(&tokenizer, brisk, model_argument(&arena, words.at[0]), error,
                                sizeof(error));
    if (code == 0)
        code = convert_lines(usage->command, tokenizer, convert);
    else
        command_error(usage->command, code, "%s", error);
    brisk_tokenizer_close(tokenizer);
    brisk_destroy(brisk);
    arena_deinit(&arena);
    return code;
}
