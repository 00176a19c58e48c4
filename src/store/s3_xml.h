/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/s3_xml.h — the few XML documents of S3, read by expat. What a server sends is outside input: no DTD, no
 * deep nesting, no endless text. Any thread. */
#ifndef EXPORT_STORE_S3_XML_H
#define EXPORT_STORE_S3_XML_H

#include "export/buffer.h"

#define UEX_S3_XML_PATH_SIZE 256
#define UEX_S3_XML_TEXT_MAX_BYTES 4096

/* Called at the end of each element with its path ("Error/Code", without name-space prefixes) and the text that stands
 * directly in it. False stops the reading. */
struct uex_s3_xml_handler {
    bool (*element)(void *context, const char *path, const char *text);
    void *context;
};

/* Read a document. UEX_STORE_FAILED: it is not well formed, holds a DTD, is nested or as long as no answer of S3 is, or
 * the handler stopped. UEX_NO_MEMORY tells nothing of the document. Elements that ended before were handed over.
 * Leading white space is allowed: S3 sends it to keep a connection up. */
UEX_MUST_CHECK enum uex_error uex_s3_xml_parse(struct uex_bytes document, struct uex_s3_xml_handler handler);

#define UEX_S3_CODE_SIZE 64

/* An error in an answer's body, and what document it is. */
struct uex_s3_xml_answer {
    char root[UEX_S3_CODE_SIZE];       /* "" if there is none */
    char code[UEX_S3_CODE_SIZE];       /* of <Error>; letters, digits, dots and hyphens only; "" if there is none */
    char request_id[UEX_S3_CODE_SIZE]; /* the same */
    bool wants_checksum;               /* the error is that the request has none: see s3.checksum */
    bool starved;                      /* no memory to read it: there may be a code */
};
/* False: not a whole document, see uex_s3_xml_parse(); what was read before the fault is kept. */
bool uex_s3_xml_answer_read(struct uex_bytes document, struct uex_s3_xml_answer *out);

/* Copy a word (a code, an id) of outside origin: cut to the room there is, "" if it has any other character than
 * letters, digits and "._-/+=". */
void uex_s3_word_copy(char *out, size_t out_size, struct uex_bytes text);

/* Append text as the content of an element. */
void uex_s3_xml_escape(struct uex_buffer *out, const char *text);
#endif
