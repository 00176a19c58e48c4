/* SPDX-License-Identifier: Apache-2.0 */
#include "export/object_store.h"

#include <curl/curl.h>

#include "store/file_store.h"
#include "store/s3_seen.h"
#include "store/s3_store.h"
#include "store/s3_unfinished.h"

enum uex_error uex_object_store_check(const struct uex_config *config, struct uex_fault *fault)
{
    struct uex_storage_url url;
    struct uex_s3_settings settings;
    enum uex_error err = uex_storage_url_parse(config->storage_url, &url, fault);
    bool is_s3 = err == UEX_OK && url.kind == UEX_STORAGE_S3;

    uex_storage_url_clear(&url);
    if (!is_s3)
        return err;
    err = uex_s3_settings_init(&settings, config, fault);
    uex_s3_settings_clear(&settings);
    return err;
}

enum uex_error uex_object_store_new(const struct uex_config *config, struct uex_object_store **out,
                                    struct uex_fault *fault)
{
    struct uex_storage_url url;
    enum uex_error err = uex_storage_url_parse(config->storage_url, &url, fault);

    *out = NULL;
    if (err == UEX_OK)
        err = url.kind == UEX_STORAGE_S3 ? uex_s3_store_new(config, out, fault)
                                         : uex_file_store_new(url.directory, config->export_domain_id, out, fault);
    uex_storage_url_clear(&url);
    return err;
}

enum uex_error uex_object_store_global_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? UEX_OK : UEX_INTERNAL;
}

void uex_object_store_global_cleanup(void)
{
    uex_s3_prepared_clear();
    uex_s3_unfinished_clear();
    uex_s3_seen_clear();
    uex_s3_credentials_forget();
    curl_global_cleanup();
}
