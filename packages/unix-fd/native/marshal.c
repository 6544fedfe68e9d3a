#include "marshal.h"

#include <errno.h>
#include <string.h>

static bool refuse(napi_env env, const char *message) {
  napi_throw_type_error(env, NULL, message);
  return false;
}

bool read_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values) {
  size_t given = count;
  if (napi_get_cb_info(env, info, &given, values, NULL, NULL) != napi_ok || given < count)
    return refuse(env, "too few arguments");
  return true;
}

bool read_int(napi_env env, napi_value value, int32_t *number) {
  double exact;
  if (napi_get_value_double(env, value, &exact) != napi_ok || !(exact >= INT32_MIN && exact <= INT32_MAX) ||
      exact != (double)(int32_t)exact)
    return refuse(env, "expected a 32-bit integer");
  *number = (int32_t)exact;
  return true;
}

bool read_size(napi_env env, napi_value value, size_t *size) {
  double exact;
  if (napi_get_value_double(env, value, &exact) != napi_ok || !(exact >= 0 && exact < 9007199254740992.0) ||
      exact != (double)(uint64_t)exact)
    return refuse(env, "expected a size");
  *size = (size_t)exact;
  return true;
}

static bool read_typed_array(napi_env env, napi_value value, napi_typedarray_type want, void **data,
                             size_t *length, const char *message) {
  napi_typedarray_type type;
  /* Refuses what is no typed array. */
  if (napi_get_typedarray_info(env, value, &type, length, data, NULL, NULL) != napi_ok || type != want)
    return refuse(env, message);
  return true;
}

bool read_bytes(napi_env env, napi_value value, uint8_t **bytes, size_t *length) {
  void *data = NULL;
  if (!read_typed_array(env, value, napi_uint8_array, &data, length, "expected a Uint8Array")) return false;
  *bytes = data;
  return true;
}

bool read_ints(napi_env env, napi_value value, int32_t **ints, size_t *length) {
  void *data = NULL;
  if (!read_typed_array(env, value, napi_int32_array, &data, length, "expected an Int32Array")) return false;
  *ints = data;
  return true;
}

bool read_longs(napi_env env, napi_value value, int64_t **longs, size_t *length) {
  void *data = NULL;
  if (!read_typed_array(env, value, napi_bigint64_array, &data, length, "expected a BigInt64Array")) return false;
  *longs = data;
  return true;
}

bool read_range(napi_env env, napi_value first, napi_value count, size_t length, size_t *from, size_t *size) {
  if (!read_size(env, first, from) || !read_size(env, count, size)) return false;
  if (*from > length || *size > length - *from) return refuse(env, "a range beyond the end of its array");
  return true;
}

bool read_text(napi_env env, napi_value value, char *text, size_t room) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) return refuse(env, "expected a string");
  if (length >= room) return refuse(env, "string too long");
  if (napi_get_value_string_utf8(env, value, text, room, &length) != napi_ok) return refuse(env, "expected a string");
  if (strlen(text) != length) return refuse(env, "string holds a NUL");
  return true;
}

bool read_byte_text(napi_env env, napi_value value, char *text, size_t room) {
  size_t length = 0;
  if (napi_get_value_string_latin1(env, value, NULL, 0, &length) != napi_ok) return refuse(env, "expected a string");
  if (length >= room) return refuse(env, "string too long");
  if (napi_get_value_string_latin1(env, value, text, room, &length) != napi_ok)
    return refuse(env, "expected a string");
  if (strlen(text) != length) return refuse(env, "string holds a NUL");
  return true;
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
