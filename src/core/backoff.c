/* SPDX-License-Identifier: Apache-2.0 */
#include "export/backoff.h"

#include <unistd.h>

#define FIRST_MS 100
#define FACTOR 3
#define LONGEST_MS 30000

int64_t uex_backoff_ms(unsigned repetition)
{
    int64_t delay_ms = FIRST_MS;
    uint32_t random = UINT32_MAX / 2; /* the middle, should the system give no randomness */

    for (unsigned i = 1; i < repetition && delay_ms < LONGEST_MS; i++)
        delay_ms *= FACTOR;
    if (delay_ms > LONGEST_MS)
        delay_ms = LONGEST_MS;
    (void)!getentropy(&random, sizeof(random));
    /* 0.8 to 1.2, in thousandths, so that workers that failed together do not come back together. */
    delay_ms = delay_ms * (800 + (int64_t)(random % 401)) / 1000;
    return delay_ms < LONGEST_MS ? delay_ms : LONGEST_MS;
}

enum uex_error uex_step_retry(enum uex_error (*step)(void *context), void *context, unsigned repetitions,
                              const struct uex_cancel *cancel)
{
    for (unsigned made = 0;; made++) {
        if (uex_cancel_requested(cancel))
            return UEX_CANCELLED;
        enum uex_error error = step(context);
        if (uex_error_disposition(error) != UEX_DISPOSITION_RETRY_STEP || made == repetitions)
            return error;
        if (!uex_sleep_ms(uex_backoff_ms(made + 1), cancel))
            return UEX_CANCELLED;
    }
}
