/* SPDX-License-Identifier: Apache-2.0 */
/* microhttpd.c - stand-ins of libmicrohttpd's functions that can run out of memory. */
#include <microhttpd.h>
#include <stdarg.h>

#include "torture.h"

TWIN(struct MHD_Daemon *, MHD_start_daemon, unsigned flags, uint16_t port,
     MHD_AcceptPolicyCallback accept, void *accept_arg, MHD_AccessHandlerCallback handle,
     void *handle_arg, ...)
{
    va_list args;
    if (torture_point("MHD_start_daemon"))
        return NULL;
    va_start(args, handle_arg);
    struct MHD_Daemon *daemon =
        MHD_start_daemon_va(flags, port, accept, accept_arg, handle, handle_arg, args);
    va_end(args);
    return daemon;
}

TWIN(struct MHD_Response *, MHD_create_response_from_buffer, size_t size, void *bytes,
     enum MHD_ResponseMemoryMode mode)
{
    return torture_point("MHD_create_response_from_buffer")
               ? NULL
               : MHD_create_response_from_buffer(size, bytes, mode);
}

TWIN(struct MHD_Response *, MHD_create_response_from_callback, uint64_t size, size_t block,
     MHD_ContentReaderCallback reader, void *arg, MHD_ContentReaderFreeCallback free_it)
{
    return torture_point("MHD_create_response_from_callback")
               ? NULL
               : MHD_create_response_from_callback(size, block, reader, arg, free_it);
}

TWIN(enum MHD_Result, MHD_add_response_header, struct MHD_Response *response, const char *name,
     const char *value)
{
    return torture_point("MHD_add_response_header")
               ? MHD_NO
               : MHD_add_response_header(response, name, value);
}

TWIN(enum MHD_Result, MHD_queue_response, struct MHD_Connection *connection, unsigned status,
     struct MHD_Response *response)
{
    return torture_point("MHD_queue_response") ? MHD_NO
                                               : MHD_queue_response(connection, status, response);
}

TWIN(enum MHD_Result, MHD_run_wait, struct MHD_Daemon *daemon, int32_t wait_ms)
{
    return torture_point("MHD_run_wait") ? MHD_NO : MHD_run_wait(daemon, wait_ms);
}
