#include <memory>

#include "addon.h"
#include "convolution-timer.h"

namespace halp {

namespace {

std::vector<std::string> namesOf(const Napi::Object& libraries, const char* key, std::vector<std::string> otherwise) {
  const Napi::Value value = libraries.Get(key);
  if (value.IsUndefined()) return otherwise;
  if (value.IsString()) return {value.As<Napi::String>().Utf8Value()};
  std::vector<std::string> names;
  if (value.IsArray()) {
    const Napi::Array array = value.As<Napi::Array>();
    for (std::uint32_t i = 0; i < array.Length(); i++) {
      const Napi::Value name = array.Get(i);
      if (!name.IsString()) throw argumentError(std::string("libraries.") + key + " holds names or paths.");
      names.push_back(name.As<Napi::String>().Utf8Value());
    }
  }
  if (names.empty()) throw argumentError(std::string("libraries.") + key + " is a name or a list of names.");
  return names;
}

LibraryNames librariesOf(const Napi::Value& value) {
  LibraryNames names;
  if (value.IsUndefined()) return names;
  if (!value.IsObject()) throw argumentError("libraries must be an object with cuda, cudnn or both.");
  const Napi::Object object = value.As<Napi::Object>();
  names.cuda = namesOf(object, "cuda", names.cuda);
  names.cudnn = namesOf(object, "cudnn", names.cudnn);
  return names;
}

void pairOf(const Napi::Object& object, const char* key, int& height, int& width) {
  const Napi::Value value = object.Get(key);
  if (value.IsUndefined()) return;
  if (!value.IsArray() || value.As<Napi::Array>().Length() != 2) throw argumentError(std::string(key) + " is [height, width].");
  const Napi::Array array = value.As<Napi::Array>();
  height = integerOf(array.Get(0u), key);
  width = integerOf(array.Get(1u), key);
}

std::string choiceOf(const Napi::Object& object, const char* key, const std::vector<std::string>& choices) {
  const Napi::Value value = object.Get(key);
  if (value.IsUndefined()) return choices.front();
  const std::string chosen = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  std::string list;
  for (const auto& choice : choices) {
    if (choice == chosen) return chosen;
    list += (list.empty() ? "" : ", ") + choice;
  }
  throw argumentError(std::string(key) + " is one of " + list + ".");
}

Convolution convolutionOf(const Napi::Value& value) {
  if (!value.IsObject()) throw argumentError("A convolution is an object with batch, inChannels, inHeight and so on.");
  const Napi::Object object = value.As<Napi::Object>();
  const auto required = [&](const char* key) { return integerOf(object.Get(key), key); };
  Convolution c;
  c.batch = required("batch");
  c.inChannels = required("inChannels");
  c.inHeight = required("inHeight");
  c.inWidth = required("inWidth");
  c.outChannels = required("outChannels");
  c.kernelHeight = required("kernelHeight");
  c.kernelWidth = required("kernelWidth");
  pairOf(object, "stride", c.strideHeight, c.strideWidth);
  pairOf(object, "padding", c.padHeight, c.padWidth);
  pairOf(object, "dilation", c.dilationHeight, c.dilationWidth);
  c.groups = optionalInteger(object, "groups", 1);
  const std::string precision = choiceOf(object, "precision", {"fp32", "tf32", "fp16"});
  c.precision = precision == "fp16" ? Precision::Fp16 : precision == "tf32" ? Precision::Tf32 : Precision::Fp32;
  c.channelsLast = choiceOf(object, "layout", {"NCHW", "NHWC"}) == "NHWC";
  c.bias = optionalBoolean(object, "bias");
  c.residual = optionalBoolean(object, "residual");
  c.relu = optionalBoolean(object, "relu");
  return c;
}

std::vector<float> floatsOf(const Napi::Value& value, const char* name) {
  if (value.IsUndefined()) return {};
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array) {
    throw argumentError(std::string(name) + " must be a Float32Array.");
  }
  const Napi::Float32Array array = value.As<Napi::Float32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

Napi::Object toObject(Napi::Env env, const CudaDeviceInfo& info) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("index", info.index);
  result.Set("name", info.name);
  result.Set("computeCapability", info.computeCapability);
  result.Set("multiprocessors", info.multiprocessors);
  result.Set("clockKHz", info.clockKHz);
  result.Set("memoryBytes", info.memoryBytes);
  result.Set("driverVersion", info.driverVersion);
  return result;
}

Napi::Value cudaDevicesCall(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  return guarded(env, [&]() -> Napi::Value {
    const CudaDriver driver(librariesOf(call[0]).cuda);
    driver.check(driver.cuInit(0), "cuInit");
    int count = 0;
    driver.check(driver.cuDeviceGetCount(&count), "cuDeviceGetCount");
    Napi::Array devices = Napi::Array::New(env, static_cast<std::size_t>(count));
    for (int i = 0; i < count; i++) devices.Set(static_cast<std::uint32_t>(i), toObject(env, describeDevice(driver, i)));
    return devices;
  });
}

class ConvolutionTimerObject : public Napi::ObjectWrap<ConvolutionTimerObject> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "ConvolutionTimer",
                       {InstanceAccessor<&ConvolutionTimerObject::device>("device"),
                        InstanceAccessor<&ConvolutionTimerObject::cudnnVersion>("cudnnVersion"),
                        InstanceMethod<&ConvolutionTimerObject::time>("time"),
                        InstanceMethod<&ConvolutionTimerObject::compute>("compute"),
                        InstanceMethod<&ConvolutionTimerObject::dispose>("dispose")});
  }

  explicit ConvolutionTimerObject(const Napi::CallbackInfo& call) : Napi::ObjectWrap<ConvolutionTimerObject>(call) {
    guarded(call.Env(), [&] {
      timer_ = std::make_unique<ConvolutionTimer>(integerOf(call[0], "device"), librariesOf(call[1]));
    });
  }

 private:
  Napi::Value device(const Napi::CallbackInfo& call) { return toObject(call.Env(), timer_->device()); }
  Napi::Value cudnnVersion(const Napi::CallbackInfo& call) { return Napi::String::New(call.Env(), timer_->cudnnVersion()); }

  Napi::Value time(const Napi::CallbackInfo& call) {
    const Napi::Env env = call.Env();
    return guarded(env, [&]() -> Napi::Value {
      TimingOptions options;
      if (!call[1].IsUndefined()) {
        if (!call[1].IsObject()) throw argumentError("Timing options must be an object.");
        const Napi::Object object = call[1].As<Napi::Object>();
        options.warmup = optionalInteger(object, "warmup", options.warmup);
        options.repetitions = optionalInteger(object, "repetitions", options.repetitions);
        options.perSample = optionalInteger(object, "perSample", options.perSample);
        const Napi::Value limit = object.Get("workspaceLimitBytes");
        if (!limit.IsUndefined()) {
          const double bytes = numberOf(limit, "workspaceLimitBytes");
          if (!(bytes >= 0 && bytes <= 9007199254740991.0)) throw argumentError("workspaceLimitBytes is a number of bytes.");
          options.workspaceLimit = static_cast<std::size_t>(bytes);
        }
      }
      const Timing timing = timer_->time(convolutionOf(call[0]), options);
      Napi::Float64Array milliseconds = Napi::Float64Array::New(env, timing.milliseconds.size());
      for (std::size_t i = 0; i < timing.milliseconds.size(); i++) milliseconds[i] = timing.milliseconds[i];
      Napi::Object result = Napi::Object::New(env);
      result.Set("milliseconds", milliseconds);
      result.Set("algorithm", algorithmName(timing.algorithm));
      result.Set("workspaceBytes", static_cast<double>(timing.workspaceBytes));
      result.Set("perSample", timing.perSample);
      result.Set("captured", timing.captured);
      return result;
    });
  }

  Napi::Value compute(const Napi::CallbackInfo& call) {
    const Napi::Env env = call.Env();
    return guarded(env, [&]() -> Napi::Value {
      const std::vector<float> y =
          timer_->compute(convolutionOf(call[0]), floatsOf(call[1], "x"), floatsOf(call[2], "weights"),
                          floatsOf(call[3], "bias"), floatsOf(call[4], "residual"));
      Napi::Float32Array result = Napi::Float32Array::New(env, y.size());
      std::copy(y.begin(), y.end(), result.Data());
      return result;
    });
  }

  Napi::Value dispose(const Napi::CallbackInfo& call) {
    timer_->release();
    return call.Env().Undefined();
  }

  std::unique_ptr<ConvolutionTimer> timer_;
};

}  // namespace

void exportCuda(Napi::Env env, Napi::Object exports) {
  exports.Set("cudaDevices", Napi::Function::New(env, cudaDevicesCall, "cudaDevices"));
  exports.Set("ConvolutionTimer", ConvolutionTimerObject::define(env));
}

}  // namespace halp
