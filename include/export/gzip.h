/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/gzip.h — gzip (RFC 1952), always one member, and the reading side. One thread at a time. */
#ifndef EXPORT_GZIP_H
#define EXPORT_GZIP_H

#include "export/digest.h"
#include "export/error.h"

struct uex_gzip;

/* A compressor into `sink`. Levels 1 to 9: ISA-L for 1 to 3 where it is built in, zlib else. Memory: below 2 MiB. NULL:
 * no memory. A compressor can be used for one stream after the other. */
UEX_MUST_CHECK struct uex_gzip *uex_gzip_new(int level);
/* Begin a stream. */
void uex_gzip_begin(struct uex_gzip *gzip, struct uex_sink sink);
/* Compress; output goes to the sink in pieces of up to 256 KiB. */
UEX_MUST_CHECK enum uex_error uex_gzip_write(struct uex_gzip *gzip, struct uex_bytes data);
/* End the member: the rest of the data, CRC and length. */
UEX_MUST_CHECK enum uex_error uex_gzip_finish(struct uex_gzip *gzip);
uint64_t uex_gzip_bytes_in(const struct uex_gzip *gzip);
uint64_t uex_gzip_bytes_out(const struct uex_gzip *gzip);
void uex_gzip_free(struct uex_gzip *gzip);

/* Reads an exported object as a stream: digest and size of the compressed bytes, exactly one gzip member, records of
 * the CSV inside. */
struct uex_gzip_reader;
struct uex_gzip_facts {
    uint64_t size_bytes;    /* compressed */
    uint64_t text_bytes;    /* uncompressed */
    uint64_t line_count;    /* RFC 4180 records, with header line and comment line */
    char first_line[1024];  /* without '\n', cut */
    char second_line[1024]; /* likewise: what names the columns where a comment stands before it */
    uint8_t sha256[UEX_SHA256_SIZE];
};
UEX_MUST_CHECK struct uex_gzip_reader *uex_gzip_reader_new(void);
/* Take compressed bytes. UEX_OBJECT_BROKEN with the reason for anything that is not one gzip member of CSV. */
UEX_MUST_CHECK enum uex_error uex_gzip_reader_write(struct uex_gzip_reader *reader, struct uex_bytes data,
                                                    struct uex_fault *fault);
/* The end of the object: UEX_OBJECT_BROKEN if the member is not complete. */
UEX_MUST_CHECK enum uex_error uex_gzip_reader_finish(struct uex_gzip_reader *reader, struct uex_gzip_facts *facts,
                                                     struct uex_fault *fault);
void uex_gzip_reader_free(struct uex_gzip_reader *reader);
#endif
