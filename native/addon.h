// The border between JavaScript and C++: arguments in, results and errors out.
#pragma once

#include <napi.h>

#include <string>
#include <utility>
#include <vector>

#include "native-error.h"

namespace halp {

Napi::Error toJavaScript(Napi::Env env, const NativeError& error);

// Runs native code and throws what it throws as a JavaScript error with code, call, status and statusName.
template <class F>
auto guarded(Napi::Env env, F&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const NativeError& error) {
    throw toJavaScript(env, error);
  }
}

// A whole number. Throws NativeError HALP_NATIVE_ARGUMENT.
int integerOf(const Napi::Value& value, const std::string& name);
double numberOf(const Napi::Value& value, const std::string& name);
// An optional property: absent and undefined are the same.
int optionalInteger(const Napi::Object& object, const char* name, int otherwise);
bool optionalBoolean(const Napi::Object& object, const char* name);
Napi::Array toArray(Napi::Env env, const std::vector<int>& values);

void exportCpu(Napi::Env env, Napi::Object exports);
void exportCuda(Napi::Env env, Napi::Object exports);

}  // namespace halp
