/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_xml.h"

#include <ctype.h>
#include <expat.h>
#include <limits.h>
#include <stdio.h>

#define DEPTH_MAX 16

struct reader {
    XML_Parser parser;
    struct uex_s3_xml_handler handler;
    char path[UEX_S3_XML_PATH_SIZE];
    size_t ends[DEPTH_MAX]; /* length of `path` at each depth */
    size_t depth;
    struct uex_buffer text; /* of the innermost element only: S3 has no mixed content */
    bool stopped;
    bool starved; /* no memory for the text of an element */
};

static void stop(struct reader *reader)
{
    reader->stopped = true;
    XML_StopParser(reader->parser, XML_FALSE);
}

static const char *local_name(const char *name)
{
    const char *colon = strrchr(name, ':');
    return colon == NULL ? name : colon + 1;
}

static void XMLCALL on_start(void *context, const XML_Char *name, const XML_Char **attributes)
{
    struct reader *reader = context;
    size_t end = reader->depth == 0 ? 0 : reader->ends[reader->depth - 1];
    const char *local = local_name(name);
    size_t needed = strlen(local) + (end > 0);

    (void)attributes;
    if (reader->depth == DEPTH_MAX || needed >= sizeof(reader->path) - end) {
        stop(reader);
        return;
    }
    snprintf(reader->path + end, sizeof(reader->path) - end, "%s%s", end > 0 ? "/" : "", local);
    reader->ends[reader->depth++] = end + needed;
    uex_buffer_reset(&reader->text);
}

static void XMLCALL on_text(void *context, const XML_Char *text, int size)
{
    struct reader *reader = context;

    if (size > 0)
        uex_buffer_append(&reader->text, text, (size_t)size);
    if (uex_buffer_failed(&reader->text)) {
        /* A text that is too long is no lack of memory. */
        reader->starved = reader->text.size_bytes + (size_t)size <= UEX_S3_XML_TEXT_MAX_BYTES;
        stop(reader);
    }
}

static void XMLCALL on_end(void *context, const XML_Char *name)
{
    struct reader *reader = context;

    (void)name;
    if (reader->stopped || reader->depth == 0)
        return;
    if (!reader->handler.element(reader->handler.context, reader->path, uex_buffer_text(&reader->text)))
        stop(reader);
    reader->depth--;
    reader->path[reader->depth == 0 ? 0 : reader->ends[reader->depth - 1]] = '\0';
    uex_buffer_reset(&reader->text);
}

/* A DTD can hold entities that grow without bound, and no answer of S3 has one. */
static void XMLCALL on_doctype(void *context, const XML_Char *name, const XML_Char *system_id,
                               const XML_Char *public_id, int has_internal_subset)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_internal_subset;
    stop(context);
}

enum uex_error uex_s3_xml_parse(struct uex_bytes document, struct uex_s3_xml_handler handler)
{
    struct reader reader = {.handler = handler, .text = {.cap_bytes = UEX_S3_XML_TEXT_MAX_BYTES}};
    enum uex_error err = UEX_STORE_FAILED;

    while (document.size_bytes > 0 && isspace(document.data[0])) {
        document.data++;
        document.size_bytes--;
    }
    if (document.size_bytes == 0 || document.size_bytes > INT_MAX)
        return UEX_STORE_FAILED;
    reader.parser = XML_ParserCreate("UTF-8");
    if (reader.parser == NULL)
        return UEX_NO_MEMORY;
    XML_SetUserData(reader.parser, &reader);
    XML_SetElementHandler(reader.parser, on_start, on_end);
    XML_SetCharacterDataHandler(reader.parser, on_text);
    XML_SetStartDoctypeDeclHandler(reader.parser, on_doctype);
    if (XML_Parse(reader.parser, (const char *)document.data, (int)document.size_bytes, XML_TRUE) == XML_STATUS_OK &&
        !reader.stopped)
        err = UEX_OK;
    else if (reader.starved || XML_GetErrorCode(reader.parser) == XML_ERROR_NO_MEMORY)
        err = UEX_NO_MEMORY;
    XML_ParserFree(reader.parser);
    uex_buffer_clear(&reader.text);
    return err;
}

void uex_s3_word_copy(char *out, size_t out_size, struct uex_bytes text)
{
    size_t size = text.size_bytes < out_size - 1 ? text.size_bytes : out_size - 1;

    out[0] = '\0';
    for (size_t i = 0; i < size; i++)
        if (!(isascii(text.data[i]) && isalnum(text.data[i])) && memchr("._-/+=", text.data[i], 6) == NULL)
            return;
    if (size > 0)
        memcpy(out, text.data, size);
    out[size] = '\0';
}

/* AWS has no code of its own for it: "InvalidRequest", and as its message "Content-MD5 OR x-amz-checksum- HTTP header
 * is required for Put Object requests with Object Lock parameters", "… Put Part …", or the older "Content-MD5 HTTP
 * header is required …". */
static bool asks_for_checksum(const char *message)
{
    return strcasestr(message, "Content-MD5") != NULL && strcasestr(message, "header is required") != NULL;
}

static bool answer_element(void *context, const char *path, const char *text)
{
    struct uex_s3_xml_answer *answer = context;

    if (strcmp(path, "Error/Code") == 0)
        uex_s3_word_copy(answer->code, sizeof(answer->code), uex_bytes_of_text(text));
    else if (strcmp(path, "Error/RequestId") == 0)
        uex_s3_word_copy(answer->request_id, sizeof(answer->request_id), uex_bytes_of_text(text));
    else if (strcmp(path, "Error/Message") == 0)
        answer->wants_checksum = asks_for_checksum(text);
    else if (strchr(path, '/') == NULL)
        uex_s3_word_copy(answer->root, sizeof(answer->root), uex_bytes_of_text(path));
    return true;
}

bool uex_s3_xml_answer_read(struct uex_bytes document, struct uex_s3_xml_answer *out)
{
    enum uex_error err = UEX_OK;

    *out = (struct uex_s3_xml_answer){0};
    err = uex_s3_xml_parse(document, (struct uex_s3_xml_handler){.element = answer_element, .context = out});
    out->starved = err == UEX_NO_MEMORY;
    out->wants_checksum = out->wants_checksum && strcmp(out->code, "InvalidRequest") == 0;
    return err == UEX_OK;
}

void uex_s3_xml_escape(struct uex_buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '&')
            uex_buffer_append_text(out, "&amp;");
        else if (*text == '<')
            uex_buffer_append_text(out, "&lt;");
        else if (*text == '>')
            uex_buffer_append_text(out, "&gt;");
        else
            uex_buffer_append(out, text, 1);
    }
}
