#include "addon.h"
#include "cpu.h"

namespace halp {

static Napi::Value readCpuCall(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  return guarded(env, [&]() -> Napi::Value {
    const CpuInfo info = readCpu();
    Napi::Object result = Napi::Object::New(env);
    Napi::Array flags = Napi::Array::New(env, info.flags.size());
    for (std::size_t i = 0; i < info.flags.size(); i++) flags.Set(static_cast<std::uint32_t>(i), info.flags[i]);
    if (!info.model.empty()) result.Set("model", info.model);
    result.Set("flags", flags);
    result.Set("logicalCores", info.logicalCores);
    if (info.physicalCores > 0) result.Set("physicalCores", info.physicalCores);
    if (!info.allowedCores.empty()) result.Set("allowedCores", toArray(env, info.allowedCores));
    if (info.currentCore >= 0) result.Set("currentCore", info.currentCore);
    if (!info.governor.empty()) result.Set("governor", info.governor);
    if (info.currentKHz > 0) result.Set("currentKHz", info.currentKHz);
    if (info.minKHz > 0) result.Set("minKHz", info.minKHz);
    if (info.maxKHz > 0) result.Set("maxKHz", info.maxKHz);
    return result;
  });
}

static Napi::Value pinThreadCall(const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&]() -> Napi::Value {
    return toArray(call.Env(), setThreadAffinity({integerOf(call[0], "core")}));
  });
}

static Napi::Value setThreadAffinityCall(const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&]() -> Napi::Value {
    if (!call[0].IsArray()) throw argumentError("cores must be an array of core numbers.");
    const Napi::Array array = call[0].As<Napi::Array>();
    std::vector<int> cores;
    for (std::uint32_t i = 0; i < array.Length(); i++) cores.push_back(integerOf(array.Get(i), "core"));
    return toArray(call.Env(), setThreadAffinity(cores));
  });
}

void exportCpu(Napi::Env env, Napi::Object exports) {
  exports.Set("readCpu", Napi::Function::New(env, readCpuCall, "readCpu"));
  exports.Set("pinThread", Napi::Function::New(env, pinThreadCall, "pinThread"));
  exports.Set("setThreadAffinity", Napi::Function::New(env, setThreadAffinityCall, "setThreadAffinity"));
}

}  // namespace halp
