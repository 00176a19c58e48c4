/* SPDX-License-Identifier: Apache-2.0 */
/* Records of workers: what is taken can be written, and what is written is taken again and says the same. What is a
 * worker's record is not a group's. */
#include <stdlib.h>

#include "export/group_progress.h"
#include "export/worker_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct uex_worker_record record = {0}, again = {0};
    struct uex_group_progress progress = {0};
    struct uex_buffer written = {0};
    struct uex_fault fault = {0};
    const enum uex_error error = uex_worker_record_parse(uex_bytes_of(data, size_bytes), &record, &fault);

    if (error == UEX_OK) {
        uex_worker_record_write_json(&record, &written);
        if (uex_buffer_failed(&written) ||
            uex_worker_record_parse(uex_buffer_bytes(&written), &again, NULL) != UEX_OK ||
            !uex_worker_record_same(&record, &again) || again.at_ms != record.at_ms ||
            strcmp(again.worker, record.worker) != 0 ||
            uex_group_progress_read(uex_bytes_of(data, size_bytes), &progress, NULL) == UEX_OK)
            abort();
    } else if (error != UEX_MALFORMED || fault.text[0] == '\0') {
        abort();
    }
    uex_worker_record_clear(&record);
    uex_worker_record_clear(&again);
    uex_buffer_clear(&written);
    return 0;
}
