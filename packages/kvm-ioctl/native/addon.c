/*
 * The calls that reach /dev/kvm: they marshal and never decide. What a structure holds, which request is for what and
 * what an answer means, TypeScript knows.
 */
#define _GNU_SOURCE
#include "object.h"

#include <dlfcn.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE "x86_64"
#elif defined(__aarch64__)
#define ARCHITECTURE "aarch64"
#elif defined(__powerpc64__)
#define ARCHITECTURE "powerpc64le"
#elif defined(__riscv)
#define ARCHITECTURE "riscv64"
#else
#error "KVM's structures are not known for this architecture"
#endif

static const int marker;

/* A worker's end may unload this library, but a signal or a finalizer may come later than that. */
static bool stay_loaded(void) {
  Dl_info info;
  return dladdr(&marker, &info) != 0 && dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE) != NULL;
}

static bool add_facts(napi_env env, napi_value exports) {
  napi_value architecture, answers;
  static const struct {
    const char *name;
    int number;
  } numbers[] = {{"closed", CLOSED}, {"running", RUNNING}, {"pending", PENDING}, {"wrongThread", WRONG_THREAD}};
  if (napi_create_string_utf8(env, ARCHITECTURE, NAPI_AUTO_LENGTH, &architecture) != napi_ok ||
      napi_set_named_property(env, exports, "architecture", architecture) != napi_ok ||
      napi_create_object(env, &answers) != napi_ok)
    return false;
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
    if (napi_set_named_property(env, answers, numbers[i].name, give_int(env, numbers[i].number)) != napi_ok) return false;
  }
  /* 64 KiB on some machines. */
  return napi_set_named_property(env, exports, "answers", answers) == napi_ok &&
         napi_set_named_property(env, exports, "pageSize", give_int(env, sysconf(_SC_PAGESIZE))) == napi_ok;
}

NAPI_MODULE_INIT() {
  const bool ready = stay_loaded() && prepare_kicks() && add_environment(env) && add_facts(env, exports) &&
                     add_object_calls(env, exports) && add_memory_calls(env, exports) &&
                     add_request_calls(env, exports) && add_vcpu_calls(env, exports) && add_thread_calls(env, exports);
  if (!ready) napi_throw_error(env, NULL, "kvm-ioctl: the native part could not register its calls");
  return exports;
}
