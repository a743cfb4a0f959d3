/* What tokenize and detokenize share: JSON lines in, JSON lines out. Private to the two commands.
 */
#ifndef BRISK_CLI_LINES_H
#define BRISK_CLI_LINES_H

#include "cli/cli.h"

typedef void (*line_convert)(struct brisk_tokenizer *tokenizer, const char *json, size_t len,
                             struct brisk_answer *answer);
/* The command once its options are read: tokenizer, every line of stdin. A bad line ends it with
 * its error. */
int lines_command(const struct usage *usage, const struct model_flags *flags, const char *model,
                  line_convert convert);

#endif
