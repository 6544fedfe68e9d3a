#include "marshal.h"

#include <errno.h>

#define MOST_EXACT 9007199254740991.0 /* 2^53 - 1 */

napi_value refuse(napi_env env, const char *message) {
  napi_throw_type_error(env, NULL, message);
  return NULL;
}

bool read_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values) {
  size_t given = count;
  if (napi_get_cb_info(env, info, &given, values, NULL, NULL) == napi_ok && given >= count) return true;
  refuse(env, "too few arguments");
  return false;
}

bool read_whole(napi_env env, napi_value value, uint64_t most, uint64_t *number) {
  double exact;
  if (napi_get_value_double(env, value, &exact) == napi_ok && exact >= 0 && exact <= MOST_EXACT &&
      exact == (double)(uint64_t)exact && (uint64_t)exact <= most) {
    *number = (uint64_t)exact;
    return true;
  }
  refuse(env, "expected a whole number in range");
  return false;
}

bool read_int(napi_env env, napi_value value, int32_t *number) {
  double exact;
  if (napi_get_value_double(env, value, &exact) == napi_ok && exact >= INT32_MIN && exact <= INT32_MAX &&
      exact == (double)(int32_t)exact) {
    *number = (int32_t)exact;
    return true;
  }
  refuse(env, "expected a 32-bit integer");
  return false;
}

bool read_word(napi_env env, napi_value value, uint64_t *word) {
  double exact;
  bool lossless = false;
  if (napi_get_value_double(env, value, &exact) == napi_ok) {
    if (exact >= 0 && exact <= MOST_EXACT && exact == (double)(uint64_t)exact) {
      *word = (uint64_t)exact;
      return true;
    }
  } else if (napi_get_value_bigint_uint64(env, value, word, &lossless) == napi_ok && lossless) {
    return true;
  }
  refuse(env, "expected an unsigned 64-bit integer");
  return false;
}

bool read_bytes(napi_env env, napi_value value, uint8_t **bytes, size_t *length) {
  bool is_typed_array = false;
  napi_typedarray_type type;
  void *data = NULL;
  if (napi_is_typedarray(env, value, &is_typed_array) == napi_ok && is_typed_array &&
      napi_get_typedarray_info(env, value, &type, length, &data, NULL, NULL) == napi_ok && type == napi_uint8_array) {
    *bytes = data;
    return true;
  }
  refuse(env, "expected a Uint8Array");
  return false;
}

napi_value give_int(napi_env env, int64_t number) {
  napi_value value = NULL;
  napi_create_int64(env, number, &value);
  return value;
}

napi_value give_result(napi_env env, long result) { return give_int(env, result < 0 ? -(int64_t)errno : result); }

bool add_function(napi_env env, napi_value exports, const char *name, napi_callback function) {
  napi_value value;
  return napi_create_function(env, name, NAPI_AUTO_LENGTH, function, NULL, &value) == napi_ok &&
         napi_set_named_property(env, exports, name, value) == napi_ok;
}
