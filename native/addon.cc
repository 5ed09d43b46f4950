#include "addon.h"

#include <cmath>

namespace halp {

Napi::Error toJavaScript(Napi::Env env, const NativeError& error) {
  Napi::Error result = Napi::Error::New(env, error.what());
  result.Set("code", Napi::String::New(env, error.code));
  if (!error.call.empty()) {
    result.Set("call", Napi::String::New(env, error.call));
    result.Set("status", Napi::Number::New(env, error.status));
    if (!error.statusName.empty()) result.Set("statusName", Napi::String::New(env, error.statusName));
  }
  return result;
}

double numberOf(const Napi::Value& value, const std::string& name) {
  if (!value.IsNumber()) throw argumentError(name + " must be a number.");
  return value.As<Napi::Number>().DoubleValue();
}

int integerOf(const Napi::Value& value, const std::string& name) {
  const double number = numberOf(value, name);
  if (std::trunc(number) != number || std::fabs(number) > 2147483647.0) throw argumentError(name + " must be a whole number of 32 bits.");
  return static_cast<int>(number);
}

int optionalInteger(const Napi::Object& object, const char* name, int otherwise) {
  const Napi::Value value = object.Get(name);
  return value.IsUndefined() ? otherwise : integerOf(value, name);
}

bool optionalBoolean(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (value.IsUndefined()) return false;
  if (!value.IsBoolean()) throw argumentError(std::string(name) + " must be true or false.");
  return value.As<Napi::Boolean>().Value();
}

Napi::Array toArray(Napi::Env env, const std::vector<int>& values) {
  Napi::Array array = Napi::Array::New(env, values.size());
  for (std::size_t i = 0; i < values.size(); i++) array.Set(static_cast<std::uint32_t>(i), values[i]);
  return array;
}

static Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  exportCpu(env, exports);
  exportCuda(env, exports);
  return exports;
}

}  // namespace halp

static Napi::Object initialiseAddon(Napi::Env env, Napi::Object exports) { return halp::initialise(env, exports); }
NODE_API_MODULE(halp_native, initialiseAddon)
