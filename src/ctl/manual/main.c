/* SPDX-License-Identifier: Apache-2.0 */
/* Writes exportctl's manual pages (DIR/man1/…) and its completion for bash (DIR/bash-completion) at build time. It
 * reads no configuration, so that a build does not depend on the environment. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "ctl/manual/manual.h"

static bool write_file(const char *directory, const char *name, const char *suffix, struct uex_buffer *text)
{
    char path[4096];
    FILE *file = NULL;
    bool written = false;

    if (!uex_buffer_failed(text) &&
        snprintf(path, sizeof(path), "%s/%s%s", directory, name, suffix) < (int)sizeof(path))
        file = fopen(path, "w");
    if (file != NULL) {
        written = fwrite(uex_buffer_text(text), 1, text->size_bytes, file) == text->size_bytes;
        written = fclose(file) == 0 && written;
    }
    if (!written)
        perror(directory);
    uex_buffer_clear(text);
    return written;
}

static bool write_page(const char *directory, const struct uex_subcommand *subcommand)
{
    struct uex_buffer name = {0}, text = {0};
    bool written = false;

    uex_buffer_append_text(&name, "man1/");
    uex_manual_name(subcommand, &name);
    uex_manual_page(uex_subcommands, subcommand, &text);
    written = write_file(directory, uex_buffer_text(&name), ".1", &text);
    uex_buffer_clear(&name);
    return written;
}

static bool make_directory(const char *path)
{
    return mkdir(path, 0777) == 0 || errno == EEXIST;
}

int main(int argc, char **argv)
{
    struct uex_buffer text = {0};
    char path[4096];
    bool written = false;

    if (argc != 2 || snprintf(path, sizeof(path), "%s/man1", argv[1]) >= (int)sizeof(path)) {
        fprintf(stderr, "usage: exportctl_manual DIR\n");
        return EXIT_FAILURE;
    }
    if (!make_directory(argv[1]) || !make_directory(path)) {
        perror(path);
        return EXIT_FAILURE;
    }
    written = write_page(argv[1], NULL);
    for (const struct uex_subcommand *subcommand = uex_subcommands; subcommand->name != NULL && written; subcommand++)
        written = write_page(argv[1], subcommand);
    uex_completion_bash(uex_subcommands, &text);
    written = write_file(argv[1], "bash-completion", "", &text) && written;
    return written ? EXIT_SUCCESS : EXIT_FAILURE;
}
