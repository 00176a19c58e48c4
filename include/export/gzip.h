/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/gzip.h — gzip (RFC 1952), always one member, and the reading side. One thread at a time, but for what
 * is said of blocks. */
#ifndef EXPORT_GZIP_H
#define EXPORT_GZIP_H

#include "export/digest.h"
#include "export/error.h"

/* What is compressed together. Blocks refer to nothing before them, so several threads can compress one stream; at this
 * size that costs 0.3 % of the result. */
#define UEX_GZIP_BLOCK_BYTES ((size_t)1 << 20)
/* A stream has so many of them at most, each of 2 MiB with its result. */
#define UEX_GZIP_BLOCKS_MAX ((size_t)8)

struct uex_gzip;

/* A compressor into `sink`. Levels 1 to 9: ISA-L for 1 to 3 where it is built in, zlib else. Memory: 2 MiB, and 2 MiB
 * more for each block that waits for a helper. NULL: no memory. A compressor can be used for one stream after the
 * other. Where compressing is what holds a stream up and the process has CPUs that no other stream uses, helper threads
 * take blocks; the result is the same byte for byte. */
UEX_MUST_CHECK struct uex_gzip *uex_gzip_new(int level);
/* Begin a stream. */
void uex_gzip_begin(struct uex_gzip *gzip, struct uex_sink sink);
/* Compress; output goes to the sink, on the calling thread, in pieces of up to a block. */
UEX_MUST_CHECK enum uex_error uex_gzip_write(struct uex_gzip *gzip, struct uex_bytes data);
/* All that was written so far goes to the sink. */
UEX_MUST_CHECK enum uex_error uex_gzip_flush(struct uex_gzip *gzip);
/* End the member: the rest of the data, CRC and length. */
UEX_MUST_CHECK enum uex_error uex_gzip_finish(struct uex_gzip *gzip);
/* What went to the sink. */
uint64_t uex_gzip_bytes_out(const struct uex_gzip *gzip);
void uex_gzip_free(struct uex_gzip *gzip);

/* Blocks that other threads fill and compress, each with a deflater of its own, for one thread that puts them into its
 * stream, in any order. A block is one thread's at a time. */
struct uex_gzip_block;
struct uex_deflater;
UEX_MUST_CHECK struct uex_gzip_block *uex_gzip_block_new(void); /* NULL: no memory */
/* Add all of `data`. UEX_LIMIT: the block has no room for it, compress it first; an empty one takes any length.
 * UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_gzip_block_add(struct uex_gzip_block *block, struct uex_bytes data);
UEX_MUST_CHECK enum uex_error uex_gzip_block_compress(struct uex_gzip_block *block, struct uex_deflater *deflater);
/* Append a compressed block to the stream, behind all that was flushed, and empty it. */
UEX_MUST_CHECK enum uex_error uex_gzip_put(struct uex_gzip *gzip, struct uex_gzip_block *block);
/* Empty it. */
void uex_gzip_block_reset(struct uex_gzip_block *block);
void uex_gzip_block_free(struct uex_gzip_block *block);
UEX_MUST_CHECK struct uex_deflater *uex_deflater_new(int level); /* NULL: no memory; levels as uex_gzip_new() */
void uex_deflater_free(struct uex_deflater *deflater);

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
