/* The program: finds the command and runs it. `help` and `--version` are its own; everything else
 * is a file beside it. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "base/banned.h"

static void print_help(FILE *file) {
    fputs(
        "Brisk runs Hugging Face models on this machine's processor, and serves them over HTTP.\n\n"
        "usage: brisk COMMAND [arguments]; brisk COMMAND --help tells more\n\n",
        file);
    for (size_t i = 0; i < commands_count(); i++)
        fprintf(file, "  %-12s %s\n", commands_at(i)->name, commands_at(i)->summary);
    fputs("  help         Print this, or the help of a command\n"
          "  --version    Print the version\n",
          file);
}

static const struct command *command_find(const char *name) {
    for (size_t i = 0; i < commands_count(); i++) {
        if (strcmp(commands_at(i)->name, name) == 0)
            return commands_at(i);
    }
    return NULL;
}

static int unknown(const char *name) {
    fprintf(stderr, "brisk: no command \"%s\"; see brisk help\n", name);
    return error_exit_code(ERROR_INPUT);
}

static int help(int argc, char **argv) {
    if (argc < 3) {
        print_help(stdout);
        return 0;
    }
    const struct command *command = command_find(argv[2]);
    if (command == NULL)
        return unknown(argv[2]);
    char *words[] = {argv[2], "--help", NULL};
    return command->run(2, words);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        print_help(stderr);
        return error_exit_code(ERROR_INPUT);
    }
    const char *name = argv[1];
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help(argc, argv);
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        printf("brisk %s\n", brisk_version());
        return 0;
    }
    const struct command *command = command_find(name);
    const int code = command == NULL ? unknown(name) : command->run(argc - 1, argv + 1);
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        fputs("brisk: the output could not be written\n", stderr);
        return code == 0 ? error_exit_code(ERROR_IO) : code;
    }
    return code;
}
