/* SPDX-License-Identifier: Apache-2.0 */
/* src/config/given.h — what a value picks up on its way to us: line ends of a file, quotes of an env file. */
#ifndef EXPORT_CONFIG_GIVEN_H
#define EXPORT_CONFIG_GIVEN_H

#include "config/load.h"

/* What a value may hold. */
enum uex_given_kind {
    UEX_GIVEN_LINE,  /* one line, never in quotes */
    UEX_GIVEN_SQL,   /* one line; double quotes are SQL's */
    UEX_GIVEN_FREE,  /* one line of any text, so that quotes may belong to it: a name or a password */
    UEX_GIVEN_WORDS, /* words with white space between them, also line ends; never in quotes: libpq's keyword=value */
    UEX_GIVEN_LINES  /* several lines, never in quotes: PEM */
};

/* `setting` is NULL for a property of librdkafka. */
enum uex_given_kind uex_given_kind_of(const struct uex_setting *setting, const char *key);

/* The bytes of the value that count: without the line ends (CR, LF) behind it. */
size_t uex_given_bytes(enum uex_given_kind kind, const char *text);

/* The value begins and ends with the same quote, where that cannot be meant; for UEX_GIVEN_FREE it may be. */
bool uex_given_quoted(enum uex_given_kind kind, const char *text);
#define UEX_GIVEN_QUOTED                                                                                               \
    "the value is in quotes, and they would be part of it (docker --env-file keeps them); write it without quotes"

/* The value holds a control character before its last line ends, where it must be one line, or words. */
bool uex_given_has_control(enum uex_given_kind kind, const char *text);
#define UEX_GIVEN_CONTROL                                                                                              \
    "the value holds a control character (such as a line end or a tab); it must be one line of text"
#define UEX_GIVEN_CONTROL_AMONG_WORDS "the value holds a control character that is neither a line end nor a tab"
#endif
