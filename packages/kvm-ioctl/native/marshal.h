/* Reading arguments and giving results. A wrong argument is a programmer's mistake: it throws. */
#ifndef SPECTRUM_KVM_MARSHAL_H
#define SPECTRUM_KVM_MARSHAL_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Throws a TypeError and answers NULL. */
napi_value refuse(napi_env env, const char *message);

/* Each returns false with a JavaScript exception pending. */
bool read_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values);
/* A whole number from 0 to `most`, at most 2^53 - 1. */
bool read_whole(napi_env env, napi_value value, uint64_t most, uint64_t *number);
/* A whole number that fits 32 bits with a sign. */
bool read_int(napi_env env, napi_value value, int32_t *number);
/* A number (whole, 0 to 2^53 - 1) or a bigint (0 to 2^64 - 1). */
bool read_word(napi_env env, napi_value value, uint64_t *word);
bool read_bytes(napi_env env, napi_value value, uint8_t **bytes, size_t *length);

napi_value give_int(napi_env env, int64_t number);
/* A system call's result: the value itself, or -errno. */
napi_value give_result(napi_env env, long result);

bool add_function(napi_env env, napi_value exports, const char *name, napi_callback function);

#endif
