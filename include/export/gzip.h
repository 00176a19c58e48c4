/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/gzip.h — gzip (RFC 1952), always one member, and the reading side. One thread at a time, where nothing
 * else is said. */
#ifndef EXPORT_GZIP_H
#define EXPORT_GZIP_H

#include "export/digest.h"
#include "export/error.h"

/* What is compressed together. Blocks refer to nothing before them, so several threads can compress one stream; at this
 * size that costs 0.3 % of the result. */
#define UEX_GZIP_BLOCK_BYTES ((size_t)1 << 20)
/* A stream has so many of them at most, each of 2 MiB with its result. */
#define UEX_GZIP_BLOCKS_MAX ((size_t)8)

/* The compression thread pool of a program: threads that compress blocks for a thread that is held up by compressing,
 * while CPUs are idle. One for each CPU that affinity and cgroup allow, but one, and at most 31. They start when they
 * are first needed. Any thread. */
struct uex_compression_pool;
/* `cpu_count` 0: as many CPUs as the process may use. NULL: no memory. */
UEX_MUST_CHECK struct uex_compression_pool *uex_compression_pool_new(int cpu_count);
/* How many threads it can have; none if it is NULL. */
int uex_compression_pool_thread_max(const struct uex_compression_pool *pool);
/* Ends the threads; after the last compressor and block that use them. Accepts NULL. */
void uex_compression_pool_free(struct uex_compression_pool *pool);

/* A block of text, and its compressed form. */
struct uex_gzip_block;
UEX_MUST_CHECK struct uex_gzip_block *uex_gzip_block_new(void); /* NULL: no memory */
/* Add all of `data`. UEX_LIMIT: the block has no room for it, compress it first; an empty one takes any length.
 * UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_gzip_block_add(struct uex_gzip_block *block, struct uex_bytes data);
void uex_gzip_block_free(struct uex_gzip_block *block); /* accepts NULL */

/* What a thread compresses the blocks with that it fills. Levels 1 to 9: ISA-L for 1 to 3 where it is built in, zlib
 * else. `pool` is borrowed; NULL: none. */
struct uex_compressor;
UEX_MUST_CHECK struct uex_compressor *uex_compressor_new(int level,
                                                         struct uex_compression_pool *pool); /* NULL: no memory */
/* The calling thread compresses from now on until the end, and takes a CPU that the pool cannot have. */
void uex_compressor_begin(struct uex_compressor *compressor);
void uex_compressor_end(struct uex_compressor *compressor);
/* The block is full: compress it here, or hand it to the pool, where compressing is what holds the thread up and a CPU
 * is idle. The result is the same byte for byte, and an error comes with uex_gzip_put(), to which the block goes next.
 */
void uex_compressor_compress(struct uex_compressor *compressor, struct uex_gzip_block *block);
void uex_compressor_free(struct uex_compressor *compressor); /* accepts NULL */

/* A gzip stream into a sink, made of the blocks that it fills with what is written to it, and of those that other
 * threads have filled. */
struct uex_gzip;
/* With a compressor of its own, as above. Memory: 2 MiB, and 2 MiB more for each block that waits for the pool. NULL:
 * no memory. It can be used for one stream after the other. */
UEX_MUST_CHECK struct uex_gzip *uex_gzip_new(int level, struct uex_compression_pool *pool);
/* Begin a stream. */
void uex_gzip_begin(struct uex_gzip *gzip, struct uex_sink sink);
/* Compress; output goes to the sink, on the calling thread, in pieces of up to a block. */
UEX_MUST_CHECK enum uex_error uex_gzip_write(struct uex_gzip *gzip, struct uex_bytes data);
/* Append a block that another thread has compressed, or handed to the pool, behind all that was written; wait for the
 * pool, and empty it. */
UEX_MUST_CHECK enum uex_error uex_gzip_put(struct uex_gzip *gzip, struct uex_gzip_block *block);
/* End the member: the rest of the data, CRC and length. */
UEX_MUST_CHECK enum uex_error uex_gzip_finish(struct uex_gzip *gzip);
/* What went to the sink. */
uint64_t uex_gzip_bytes_out(const struct uex_gzip *gzip);
void uex_gzip_free(struct uex_gzip *gzip); /* accepts NULL */

/* Reads an exported text as a stream: digest and size of the compressed bytes, exactly one gzip member, records of the
 * CSV or lines of JSON inside. */
struct uex_gzip_reader;
struct uex_gzip_facts {
    uint64_t size_bytes;     /* compressed */
    uint64_t text_bytes;     /* uncompressed */
    uint64_t line_count;     /* lines of JSON; of CSV records, with header line and comment line */
    char first_line[16384];  /* without '\n', cut */
    char second_line[16384]; /* likewise: what names the columns where a comment stands before it */
    uint8_t sha256[UEX_SHA256_SIZE];
};
/* What the text has to be: records of RFC 4180, or lines that are objects, as far as their first and last character
 * tell. */
enum uex_gzip_text { UEX_GZIP_CSV, UEX_GZIP_JSON_LINES };
UEX_MUST_CHECK struct uex_gzip_reader *uex_gzip_reader_new(enum uex_gzip_text text); /* NULL: no memory */
/* Take compressed bytes. UEX_OBJECT_BROKEN with the reason for anything that is not one gzip member of such text. */
UEX_MUST_CHECK enum uex_error uex_gzip_reader_write(struct uex_gzip_reader *reader, struct uex_bytes data,
                                                    struct uex_fault *fault);
/* The end of the object: UEX_OBJECT_BROKEN if the member is not complete. */
UEX_MUST_CHECK enum uex_error uex_gzip_reader_finish(struct uex_gzip_reader *reader, struct uex_gzip_facts *facts,
                                                     struct uex_fault *fault);
void uex_gzip_reader_free(struct uex_gzip_reader *reader);
#endif
