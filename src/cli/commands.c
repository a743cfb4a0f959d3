/* The table of commands, made from commands.inc; main and `brisk list commands` read it. What a
 * command does stands in its own file. */
#include "cli/cli.h"
#include "base/banned.h"

static const struct command table[] = {
#define COMMAND(id, text) {.name = #id, .summary = text, .run = command_##id},
#include "cli/commands.inc"
#undef COMMAND
};

size_t commands_count(void) {
    return ARRAY_LEN(table);
}

const struct command *commands_at(size_t i) {
    return &table[i];
}
