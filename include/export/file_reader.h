/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/file_reader.h — reads an exported file of any format as a stream: its digest, its size, how many rows
 * it has, and the names of its columns. Memory: one step of inflating, or the footer of a Parquet file. One thread at a
 * time. */
#ifndef EXPORT_FILE_READER_H
#define EXPORT_FILE_READER_H

#include "export/digest.h"
#include "export/format.h"

#define UEX_FILE_HEADER_SIZE 16384

struct uex_file_facts {
    uint64_t size_bytes; /* as it is stored */
    uint64_t text_bytes; /* uncompressed; of Parquet as it is stored */
    uint64_t row_count;
    uint8_t sha256[UEX_SHA256_SIZE];
    /* The names of the columns with commas between them, like the header line of CSV, cut: of JSON Lines those of the
     * first row. "": not known. */
    char header[UEX_FILE_HEADER_SIZE];
    bool has_comment; /* of CSV: the line before the header */
};

struct uex_file_reader;
UEX_MUST_CHECK struct uex_file_reader *uex_file_reader_new(enum uex_format format); /* NULL: no memory */
/* UEX_OBJECT_BROKEN with the reason for anything that is not a file of this format; UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_file_reader_write(struct uex_file_reader *reader, struct uex_bytes data,
                                                    struct uex_fault *fault);
/* The end of the file: UEX_OBJECT_BROKEN if it is not whole. */
UEX_MUST_CHECK enum uex_error uex_file_reader_finish(struct uex_file_reader *reader, struct uex_file_facts *facts,
                                                     struct uex_fault *fault);
void uex_file_reader_free(struct uex_file_reader *reader); /* accepts NULL */
#endif
