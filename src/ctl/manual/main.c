/* SPDX-License-Identifier: Apache-2.0 */
/* Writes exportctl's manual pages (DIR/man1/…), that of the file of settings (DIR/man5/…) and the completions
 * (DIR/completion.SHELL) at build time. It reads no configuration, so that a build does not depend on the environment.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "config/roff.h"
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

static bool make_directory(const char *parent, const char *name)
{
    char path[4096];

    return snprintf(path, sizeof(path), "%s/%s", parent, name) < (int)sizeof(path) &&
           (mkdir(path, 0777) == 0 || errno == EEXIST);
}

static bool write_completions(const char *directory)
{
    bool written = true;

    for (const struct uex_completion *shell = uex_completions; shell->shell != NULL && written; shell++) {
        struct uex_buffer text = {0};

        shell->write(uex_subcommands, &text);
        written = write_file(directory, "completion.", shell->shell, &text);
    }
    return written;
}

int main(int argc, char **argv)
{
    struct uex_buffer settings = {0};
    bool written = false;

    if (argc != 2) {
        fprintf(stderr, "usage: exportctl_manual DIR\n");
        return EXIT_FAILURE;
    }
    if (!make_directory(argv[1], "") || !make_directory(argv[1], "man1") || !make_directory(argv[1], "man5")) {
        perror(argv[1]);
        return EXIT_FAILURE;
    }
    written = write_page(argv[1], NULL);
    for (const struct uex_subcommand *subcommand = uex_subcommands; subcommand->name != NULL && written; subcommand++)
        written = write_page(argv[1], subcommand);
    uex_roff_file(&settings);
    written = write_file(argv[1], "man5/" UEX_MANUAL_FILE_PAGE, ".5", &settings) && written;
    return write_completions(argv[1]) && written ? EXIT_SUCCESS : EXIT_FAILURE;
}
