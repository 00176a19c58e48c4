/* SPDX-License-Identifier: Apache-2.0 */
/* The text of schemas/export_group_command.avsc, byte for byte; command_avro_test compares the two and works the
 * fingerprint out again. */
#include "model/command_fields.h"

/* clang-format off */
const char uex_command_avro_schema[] =
    "{\n"
    "  \"type\": \"record\",\n"
    "  \"name\": \"ExportGroupCommand\",\n"
    "  \"namespace\": \"usersexport\",\n"
    "  \"doc\": \"A command to export one group. Every field may be missing; groupId only where the record's key carries it.\",\n"
    "  \"fields\": [\n"
    "    {\"name\": \"groupId\", \"type\": [\"null\", \"string\"], \"default\": null},\n"
    "    {\"name\": \"commandId\", \"type\": [\"null\", \"string\"], \"default\": null},\n"
    "    {\"name\": \"runId\", \"type\": [\"null\", \"string\"], \"default\": null},\n"
    "    {\"name\": \"domainId\", \"type\": [\"null\", \"string\"], \"default\": null},\n"
    "    {\"name\": \"requestedAt\", \"type\": [\"null\", {\"type\": \"long\", \"logicalType\": \"timestamp-millis\"}], \"default\": null},\n"
    "    {\"name\": \"requestedBy\", \"type\": [\"null\", \"string\"], \"default\": null},\n"
    "    {\"name\": \"reason\", \"type\": [\"null\", \"string\"], \"default\": null}\n"
    "  ]\n"
    "}\n";
/* clang-format on */
