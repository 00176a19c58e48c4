/* SPDX-License-Identifier: Apache-2.0 */
/* src/model/mask.h — export.mask, read into a layout; for the files of this module. */
#ifndef EXPORT_MODEL_MASK_H
#define EXPORT_MODEL_MASK_H

#include "export/layout.h"

/* Set the columns' masks as export.mask has them. UEX_CONFIG with a text that names the part and what is allowed: an
 * unknown column or action, a column twice, hash without a key, an action on a column of another type, where the type
 * is known. */
UEX_MUST_CHECK enum uex_error uex_masks_read(const char *text, bool has_key, struct uex_layout *layout,
                                             struct uex_fault *fault);
/* Does the mask fit the column's type? Text for redact and hash, dates for year. */
bool uex_mask_fits(enum uex_mask_action mask, enum uex_column_type type);
/* "text", "date", "any": what a mask is for. */
const char *uex_mask_type_text(enum uex_mask_action mask);
#endif
