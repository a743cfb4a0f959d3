/* Converting stdin line by line with a model's tokenizer. No weights are loaded, and what a line
 * means is the runtime's business. */
#include "cli/lines.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

/* The next line without its end; false: there is none. */
static bool read_line(struct buf *line) {
    buf_reset(line);
    buf_puts(line, ""); /* an empty line has data, too */
    int c = getc_unlocked(stdin);
    if (c == EOF)
        return false;
    for (; c != EOF && c != '\n'; c = getc_unlocked(stdin))
        buf_putc(line, (char)c);
    return true;
}

static int convert_lines(const char *command, struct brisk_tokenizer *tokenizer,
                         line_convert convert) {
    struct buf line;
    size_t number = 0;
    int code = 0;
    buf_init(&line, LIMIT_BODY);
    while (code == 0 && read_line(&line)) {
        number++;
        if (line.overflow) {
            code = command_error(command, error_exit_code(ERROR_TOO_LARGE),
                                 "line %zu is longer than %llu MB", number, LIMIT_BODY / MiB);
            break;
        }
        struct brisk_answer answer = {0};
        convert(tokenizer, line.data, line.len, &answer);
        if (answer.status == 200) {
            print_line(answer.body, answer.body_len);
        } else {
            code = answer_error(command, &answer);
            command_error(command, code, "that was line %zu of the input", number);
        }
        brisk_answer_free(&answer);
    }
    buf_deinit(&line);
    return code;
}

int lines_command(const struct usage *usage, const struct model_flags *flags, const char *model,
                  line_convert convert) {
    struct brisk *brisk = NULL;
    struct brisk_tokenizer *tokenizer = NULL;
    struct arena arena = {0};
    char error[LIMIT_ERROR_TEXT];
    int code = runtime_open(&brisk, usage->command, flags);
    if (code != 0)
        return code;
    code = brisk_tokenizer_open(&tokenizer, brisk, model_argument(&arena, model), error,
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
