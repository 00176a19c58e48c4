/* SPDX-License-Identifier: Apache-2.0 */
/* src/report/style.h — the page's style sheet, and the classes that the other files use:
 *
 *   exported, skipped, failed, late   an outcome's colour: of a bar, a badge, a verdict
 *   cards                             a table of which each row becomes a card on a narrow screen
 *   number, command, none, quiet      cells and texts
 */
#ifndef EXPORT_REPORT_STYLE_H
#define EXPORT_REPORT_STYLE_H

extern const char uex_report_style[];
#endif
