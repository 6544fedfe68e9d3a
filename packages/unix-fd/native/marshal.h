/* Reading arguments and giving results. A wrong argument is a programmer's mistake: it throws. */
#ifndef SPECTRUM_MARSHAL_H
#define SPECTRUM_MARSHAL_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each returns false with a JavaScript exception pending. */
bool read_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values);
bool read_int(napi_env env, napi_value value, int32_t *number);
/* 0 to 2^53 - 1. */
bool read_size(napi_env env, napi_value value, size_t *size);
bool read_bytes(napi_env env, napi_value value, uint8_t **bytes, size_t *length);
bool read_ints(napi_env env, napi_value value, int32_t **ints, size_t *length);
bool read_longs(napi_env env, napi_value value, int64_t **longs, size_t *length);
/* Whether `count` entries from `first` on lie within `length`. */
bool read_range(napi_env env, napi_value first, napi_value count, size_t length, size_t *from, size_t *size);
/* `room` counts the terminating NUL. Text with a NUL inside, or too long, throws. */
bool read_text(napi_env env, napi_value value, char *text, size_t room);
/* The same for a string of one character per byte, 1 to 255. */
bool read_byte_text(napi_env env, napi_value value, char *text, size_t room);

/* A system call's result: the value itself, or -errno. */
napi_value give_result(napi_env env, long result);
napi_value give_int(napi_env env, int64_t number);

bool add_function(napi_env env, napi_value exports, const char *name, napi_callback function);

bool add_descriptor_calls(napi_env env, napi_value exports);
bool add_process_calls(napi_env env, napi_value exports);
bool add_inspection_calls(napi_env env, napi_value exports);
bool add_mapping_calls(napi_env env, napi_value exports);
bool add_socket_calls(napi_env env, napi_value exports);
bool add_message_calls(napi_env env, napi_value exports);
bool add_watch_calls(napi_env env, napi_value exports);
bool add_look_calls(napi_env env, napi_value exports);
bool add_beneath_calls(napi_env env, napi_value exports);

#endif
