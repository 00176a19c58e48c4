/* SPDX-License-Identifier: Apache-2.0 */
/* Ends of files: as they are, or with a length and a magic number that fit, because no fuzzer keeps them right. */
#include <stdlib.h>

#include "export/buffer.h"
#include "export/parquet_footer.h"

static void read_footer(struct uex_bytes tail)
{
    struct uex_parquet_footer footer;
    struct uex_fault fault = {0};
    enum uex_error error = uex_parquet_footer_read(tail, &footer, &fault);
    size_t sum = 0;

    if ((error != UEX_OK) != (fault.text[0] != '\0'))
        abort();
    if (error == UEX_OK && (footer.column_count == 0 || footer.row_count > UEX_COUNT_MAX))
        abort();
    for (size_t i = 0; i < footer.column_count; i++)
        for (size_t at = 0; at < footer.columns[i].size_bytes; at++)
            sum += footer.columns[i].data[at];
    if (sum == SIZE_MAX) /* every name is looked at */
        abort();
    (void)uex_parquet_footer_value(&footer, "export-version");
    uex_parquet_footer_clear(&footer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct uex_buffer tail = {0};

    if (size_bytes == 0)
        return 0;
    if (data[0] < 32) {
        read_footer(uex_bytes_of(data + 1, size_bytes - 1));
        return 0;
    }
    uex_buffer_append(&tail, data + 1, size_bytes - 1);
    uex_buffer_append(&tail,
                      (const uint8_t[]){(uint8_t)(size_bytes - 1), (uint8_t)((size_bytes - 1) >> 8),
                                        (uint8_t)((size_bytes - 1) >> 16), 0, 'P', 'A', 'R', '1'},
                      8);
    if (!uex_buffer_failed(&tail))
        read_footer(uex_buffer_bytes(&tail));
    uex_buffer_clear(&tail);
    return 0;
}
