#include "cuda-driver.h"

#include "native-error.h"

namespace halp {

CudaDriver::CudaDriver(const std::vector<std::string>& names) : library_(names) {
#define HALP_FIND(name, parameters) name = reinterpret_cast<CudaResult(*) parameters>(library_.symbol(#name));
  HALP_CUDA_FUNCTIONS(HALP_FIND)
#undef HALP_FIND
}

void CudaDriver::check(CudaResult result, const char* call) const {
  if (result == 0) return;
  const char* name = nullptr;
  const char* text = nullptr;
  // Both refuse a status they do not know, and leave the pointer null then.
  if (cuGetErrorName(result, &name) != 0) name = nullptr;
  if (cuGetErrorString(result, &text) != 0) text = nullptr;
  throw NativeError("HALP_CUDA", "CUDA error", call, result, name ? name : "", text ? text : "");
}

CudaDeviceInfo describeDevice(const CudaDriver& driver, int index) {
  constexpr int kClockRate = 13, kMultiprocessorCount = 16, kCapabilityMajor = 75, kCapabilityMinor = 76;
  CudaDevice device = 0;
  driver.check(driver.cuDeviceGet(&device, index), "cuDeviceGet");
  const auto attribute = [&](int which) {
    int value = 0;
    driver.check(driver.cuDeviceGetAttribute(&value, which, device), "cuDeviceGetAttribute");
    return value;
  };
  CudaDeviceInfo info;
  info.index = index;
  char name[256] = "";
  driver.check(driver.cuDeviceGetName(name, sizeof name, device), "cuDeviceGetName");
  name[sizeof name - 1] = '\0';
  info.name = name;
  info.computeCapability = std::to_string(attribute(kCapabilityMajor)) + "." + std::to_string(attribute(kCapabilityMinor));
  info.multiprocessors = attribute(kMultiprocessorCount);
  info.clockKHz = attribute(kClockRate);
  std::size_t bytes = 0;
  driver.check(driver.cuDeviceTotalMem_v2(&bytes, device), "cuDeviceTotalMem_v2");
  info.memoryBytes = static_cast<double>(bytes);
  int version = 0;
  driver.check(driver.cuDriverGetVersion(&version), "cuDriverGetVersion");
  info.driverVersion = std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
  return info;
}

ContextScope::ContextScope(const CudaDriver& driver, CudaContext context) : driver_(driver) {
  driver.check(driver.cuCtxPushCurrent_v2(context), "cuCtxPushCurrent_v2");
}

ContextScope::~ContextScope() {
  CudaContext popped = nullptr;
  driver_.cuCtxPopCurrent_v2(&popped);
}

}  // namespace halp
