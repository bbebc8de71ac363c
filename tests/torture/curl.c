/* SPDX-License-Identifier: Apache-2.0 */
/* curl.c - stand-ins of libcurl's functions that can run out of memory. */
#include <curl/curl.h>
#include <stdarg.h>

#include "torture.h"

/* Macros of the same names check types; here the functions themselves are meant. */
#undef curl_easy_setopt

TWIN(CURLcode, curl_global_init, long flags)
{
    return torture_point("curl_global_init") ? CURLE_OUT_OF_MEMORY : curl_global_init(flags);
}

TWIN(CURL *, curl_easy_init, void)
{
    return torture_point("curl_easy_init") ? NULL : curl_easy_init();
}

/* Every kind of value fits where a pointer does. */
_Static_assert(sizeof(long) == sizeof(void *) && sizeof(curl_off_t) == sizeof(void *), "LP64");

TWIN(CURLcode, curl_easy_setopt, CURL *easy, CURLoption option, ...)
{
    va_list args;
    va_start(args, option);
    void *value = va_arg(args, void *);
    va_end(args);
    if (torture_point("curl_easy_setopt"))
        return CURLE_OUT_OF_MEMORY;
    return curl_easy_setopt(easy, option, value);
}

TWIN(CURLcode, curl_easy_perform, CURL *easy)
{
    return torture_point("curl_easy_perform") ? CURLE_OUT_OF_MEMORY : curl_easy_perform(easy);
}

TWIN(struct curl_slist *, curl_slist_append, struct curl_slist *list, const char *text)
{
    return torture_point("curl_slist_append") ? NULL : curl_slist_append(list, text);
}

TWIN(CURLM *, curl_multi_init, void)
{
    return torture_point("curl_multi_init") ? NULL : curl_multi_init();
}

TWIN(CURLMcode, curl_multi_add_handle, CURLM *multi, CURL *easy)
{
    return torture_point("curl_multi_add_handle") ? CURLM_OUT_OF_MEMORY
                                                  : curl_multi_add_handle(multi, easy);
}
