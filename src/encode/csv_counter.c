/* SPDX-License-Identifier: Apache-2.0 */
#include "encode/csv_counter.h"

static enum uex_csv_place broken(struct uex_csv_counter *counter, const char *reason)
{
    counter->reason = reason;
    return UEX_CSV_BROKEN;
}

static enum uex_csv_place next_of_start(struct uex_csv_counter *counter, uint8_t byte)
{
    switch (byte) {
    case '"':
        return UEX_CSV_QUOTED;
    case ',':
        return UEX_CSV_FIELD;
    case '\n':
        counter->record_count++;
        return UEX_CSV_RECORD;
    default:
        return UEX_CSV_PLAIN;
    }
}

static enum uex_csv_place next_of_plain(struct uex_csv_counter *counter, uint8_t byte)
{
    if (byte == '"')
        return broken(counter, "a quote in an unquoted field");
    return byte == ',' || byte == '\n' ? next_of_start(counter, byte) : UEX_CSV_PLAIN;
}

static enum uex_csv_place next_of_quote(struct uex_csv_counter *counter, uint8_t byte)
{
    if (byte != '"' && byte != ',' && byte != '\n')
        return broken(counter, "text after the closing quote of a field");
    return next_of_start(counter, byte);
}

bool uex_csv_counter_add(struct uex_csv_counter *counter, struct uex_bytes text)
{
    for (size_t at = 0; at < text.size_bytes && counter->place != UEX_CSV_BROKEN; at++) {
        uint8_t byte = text.data[at];

        if (byte == '\0') {
            counter->place = broken(counter, "a zero byte");
            break;
        }
        switch (counter->place) {
        case UEX_CSV_RECORD:
        case UEX_CSV_FIELD:
            counter->place = next_of_start(counter, byte);
            break;
        case UEX_CSV_PLAIN:
            counter->place = next_of_plain(counter, byte);
            break;
        case UEX_CSV_QUOTED:
            counter->place = byte == '"' ? UEX_CSV_QUOTE : UEX_CSV_QUOTED;
            break;
        case UEX_CSV_QUOTE:
            counter->place = next_of_quote(counter, byte);
            break;
        case UEX_CSV_BROKEN:
        default:
            break;
        }
    }
    return counter->place != UEX_CSV_BROKEN;
}

bool uex_csv_counter_finish(struct uex_csv_counter *counter)
{
    if (counter->place == UEX_CSV_QUOTED)
        counter->place = broken(counter, "the text ends inside quotes");
    else if (counter->place != UEX_CSV_RECORD && counter->place != UEX_CSV_BROKEN)
        counter->place = broken(counter, "the text ends inside a record");
    else if (counter->place == UEX_CSV_RECORD && counter->record_count == 0)
        counter->place = broken(counter, "no header line");
    return counter->place != UEX_CSV_BROKEN;
}
