/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata file beside an object: one JSON object of texts, named as S3 metadata are. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/file_store.h"
#include "store/json.h"

#define META_MODE 0640
#define META_MAX_BYTES ((size_t)16 << 10)

static void add_member(void *context, const char *name, const char *value)
{
    struct uex_buffer *json = context;

    uex_buffer_append_text(json, json->size_bytes > 1 ? "," : "");
    uex_buffer_append_json(json, name);
    uex_buffer_append_text(json, ":");
    uex_buffer_append_json(json, value);
}

static bool write_all(int fd, struct uex_bytes data)
{
    while (data.size_bytes > 0) {
        ssize_t size = write(fd, data.data, data.size_bytes);
        if (size < 0 && errno != EINTR)
            return false;
        if (size > 0) {
            data.data += size;
            data.size_bytes -= (size_t)size;
        }
    }
    return true;
}

enum uex_error uex_file_meta_write(const struct uex_file_store *store, int directory_fd, const char *name,
                                   const struct uex_object_meta *meta, struct uex_fault *fault)
{
    struct uex_buffer json = {0};
    enum uex_error err = UEX_OK;
    int fd = -1;

    uex_buffer_append_text(&json, "{");
    uex_object_meta_each(meta, add_member, &json);
    uex_buffer_append_text(&json, "}\n");
    if (uex_buffer_failed(&json)) {
        err = uex_fail(fault, UEX_NO_MEMORY, "no memory for an object's metadata");
        goto done;
    }
    fd = openat(directory_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, META_MODE);
    if (fd < 0 || !write_all(fd, uex_buffer_bytes(&json)) || fsync(fd) != 0)
        err = uex_file_fail(store, fault, errno, "writing an object's metadata", UEX_STORE_BUCKET);
done:
    if (fd >= 0 && close(fd) != 0 && err == UEX_OK)
        err = uex_file_fail(store, fault, errno, "writing an object's metadata", UEX_STORE_BUCKET);
    uex_buffer_clear(&json);
    return err;
}

/* UEX_NOT_FOUND: there is nothing to be read. */
static enum uex_error read_small(int directory_fd, const char *name, struct uex_buffer *out)
{
    int fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    uint8_t *place = fd < 0 ? NULL : uex_buffer_reserve(out, META_MAX_BYTES);
    ssize_t size = -1;

    if (place != NULL)
        size = read(fd, place, META_MAX_BYTES); /* one read: our metadata are a few hundred bytes of a regular file */
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && place == NULL)
        return UEX_NO_MEMORY;
    if (size <= 0)
        return UEX_NOT_FOUND;
    out->size_bytes = (size_t)size;
    return UEX_OK;
}

enum uex_error uex_file_meta_read(int directory_fd, const char *name, struct uex_object_facts *facts)
{
    struct uex_buffer text = {0};
    cJSON *json = NULL;
    const cJSON *member;
    enum uex_error err = read_small(directory_fd, name, &text);

    if (err == UEX_OK)
        err = uex_store_json_parse(uex_buffer_bytes(&text), &json);
    if (cJSON_IsObject(json))
        cJSON_ArrayForEach(member, json)
        {
            if (cJSON_IsString(member) && member->string != NULL)
                uex_object_facts_take(facts, uex_bytes_of_text(member->string), uex_bytes_of_text(member->valuestring));
        }
    cJSON_Delete(json);
    uex_buffer_clear(&text);
    return err == UEX_NO_MEMORY ? err : UEX_OK;
}
