/* Three mistakes on purpose: what the sanitizer and valgrind must find, or their silence means nothing. */
#include <node_api.h>

#include <stdint.h>
#include <stdlib.h>

static napi_value overflow(napi_env env, napi_callback_info info) {
  (void)env;
  (void)info;
  volatile uint8_t *bytes = malloc(8);
  if (bytes != NULL) bytes[8] = 1;
  free((void *)bytes);
  return NULL;
}

static napi_value leak(napi_env env, napi_callback_info info) {
  (void)env;
  (void)info;
  volatile uint8_t *bytes = malloc(4321);
  if (bytes != NULL) bytes[0] = 1;
  bytes = NULL;
  return NULL;
}

NAPI_MODULE_INIT() {
  napi_value function;
  if (napi_create_function(env, "overflow", NAPI_AUTO_LENGTH, overflow, NULL, &function) == napi_ok)
    napi_set_named_property(env, exports, "overflow", function);
  if (napi_create_function(env, "leak", NAPI_AUTO_LENGTH, leak, NULL, &function) == napi_ok)
    napi_set_named_property(env, exports, "leak", function);
  return exports;
}
