/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/memory.h — the end of a program that has no memory left. */
#ifndef EXPORT_MEMORY_H
#define EXPORT_MEMORY_H

/* No memory for `what` at a place that has no way to say so and whose result must not be wrong: logs it if that is
 * still possible, and ends the process with UEX_EXIT_FAILED at once, as a kill would. Any thread. */
_Noreturn void uex_out_of_memory(const char *what);
#endif
