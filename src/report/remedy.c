/* SPDX-License-Identifier: Apache-2.0 */
#include "report/remedy.h"

#include "export/error.h"

#define OUTAGE                                                                                                         \
    "The retries were used up while this lasted. Once exportctl doctor finds nothing, send the command again."

/* What is not here failed because something lasted longer than all retries. */
static const struct {
    enum uex_error error;
    struct uex_remedy remedy;
} table[] = {
    {UEX_DB_DATA, {"Correct the row or the view that the error names, then send the command again.", false}},
    {UEX_DB_DENIED, {"Grant the database role what the error names, then send the command again.", false}},
    {UEX_STORE_DENIED, {"Correct the bucket's policy for this object, then send the command again.", false}},
    {UEX_MALFORMED, {"The command itself is wrong. Send a correct one, then discard the dead letter.", true}},
    {UEX_NO_DOMAIN, {"Set export.domain_id, or give the command a domainId, then send a new one.", true}},
    {UEX_RESULT_REFUSED,
     {"Raise the limit that the error names (a setting, or the topic's max.message.bytes), then send the command "
      "again.",
      false}},
    {UEX_OBJECT_CONFLICT,
     {"Something else has this object's name. exportctl verify GROUP says what; move it away, then send the command "
      "again.",
      false}},
    {UEX_OBJECT_BROKEN,
     {"The object that is there is not whole. exportctl verify GROUP says why; move it away, then send the command "
      "again.",
      false}},
    {UEX_WORKER_CRASHED,
     {"Workers crashed while they ran it. Read their last lines (kubectl logs --previous) and look at their memory; "
      "tell "
      "the developers before you send the command again.",
      false}},
    {UEX_FORMULA_REJECTED,
     {"A field begins like a formula, and export.formula_guard rejects that. Correct the row, then send the command "
      "again.",
      false}},
    {UEX_LIMIT,
     {"A limit of the program was reached; the error names it. Put that right, then send the command again.", false}},
};

const struct uex_remedy *uex_remedy_of(const char *code)
{
    static const struct uex_remedy otherwise = {OUTAGE, false};
    enum uex_error error = UEX_OK;

    if (uex_error_from_code(code, &error))
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
            if (table[i].error == error)
                return &table[i].remedy;
    return &otherwise;
}
