// The CUDA driver API as far as halp uses it, with types of our own: no CUDA header is needed to build this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "dynamic-library.h"

namespace halp {

using CudaResult = int;
using CudaDevice = int;
using CudaContext = void*;
using CudaStream = void*;
using CudaEvent = void*;
using CudaGraph = void*;
using CudaGraphExec = void*;
using CudaPointer = std::uint64_t;

constexpr CudaResult kCudaOutOfMemory = 2;
// CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED to CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD: what was queued cannot be part of a graph.
constexpr CudaResult kCudaFirstCaptureError = 900, kCudaLastCaptureError = 908;
constexpr int kCudaCaptureThreadLocal = 1;

// name, parameters; every function returns CudaResult.
#define HALP_CUDA_FUNCTIONS(X)                                                     \
  X(cuInit, (unsigned))                                                            \
  X(cuDriverGetVersion, (int*))                                                    \
  X(cuDeviceGetCount, (int*))                                                      \
  X(cuDeviceGet, (CudaDevice*, int))                                               \
  X(cuDeviceGetName, (char*, int, CudaDevice))                                     \
  X(cuDeviceGetAttribute, (int*, int, CudaDevice))                                 \
  X(cuDeviceTotalMem_v2, (std::size_t*, CudaDevice))                               \
  X(cuDevicePrimaryCtxRetain, (CudaContext*, CudaDevice))                          \
  X(cuDevicePrimaryCtxRelease_v2, (CudaDevice))                                    \
  X(cuCtxPushCurrent_v2, (CudaContext))                                            \
  X(cuCtxPopCurrent_v2, (CudaContext*))                                            \
  X(cuStreamCreate, (CudaStream*, unsigned))                                       \
  X(cuStreamDestroy_v2, (CudaStream))                                              \
  X(cuStreamSynchronize, (CudaStream))                                             \
  X(cuEventCreate, (CudaEvent*, unsigned))                                         \
  X(cuEventDestroy_v2, (CudaEvent))                                                \
  X(cuEventRecord, (CudaEvent, CudaStream))                                        \
  X(cuEventSynchronize, (CudaEvent))                                               \
  X(cuEventElapsedTime, (float*, CudaEvent, CudaEvent))                            \
  X(cuStreamBeginCapture_v2, (CudaStream, int mode))                               \
  X(cuStreamEndCapture, (CudaStream, CudaGraph*))                                  \
  X(cuGraphInstantiateWithFlags, (CudaGraphExec*, CudaGraph, std::uint64_t flags)) \
  X(cuGraphLaunch, (CudaGraphExec, CudaStream))                                    \
  X(cuGraphExecDestroy, (CudaGraphExec))                                           \
  X(cuGraphDestroy, (CudaGraph))                                                   \
  X(cuMemAlloc_v2, (CudaPointer*, std::size_t))                                    \
  X(cuMemFree_v2, (CudaPointer))                                                   \
  X(cuMemcpyHtoD_v2, (CudaPointer, const void*, std::size_t))                      \
  X(cuMemcpyDtoH_v2, (void*, CudaPointer, std::size_t))                            \
  X(cuGetErrorName, (CudaResult, const char**))                                    \
  X(cuGetErrorString, (CudaResult, const char**))

struct CudaDriver {
  // Opens the library and finds every function. Throws HALP_CUDA_LIBRARY. Does not call the driver.
  explicit CudaDriver(const std::vector<std::string>& names);

  // Throws HALP_CUDA with the driver's own name and text of the status, unless it is 0.
  void check(CudaResult result, const char* call) const;

#define HALP_DECLARE(name, parameters) CudaResult(*name) parameters = nullptr;
  HALP_CUDA_FUNCTIONS(HALP_DECLARE)
#undef HALP_DECLARE

 private:
  DynamicLibrary library_;
};

struct CudaDeviceInfo {
  int index = 0;
  std::string name;
  std::string computeCapability;  // "8.6"
  int multiprocessors = 0;
  int clockKHz = 0;
  double memoryBytes = 0;
  std::string driverVersion;  // "13.0"
};

// Throws HALP_CUDA. cuInit must have been called.
CudaDeviceInfo describeDevice(const CudaDriver& driver, int index);

// Makes a context current on this thread for as long as the object lives.
class ContextScope {
 public:
  ContextScope(const CudaDriver& driver, CudaContext context);
  ~ContextScope();
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;

 private:
  const CudaDriver& driver_;
};

}  // namespace halp
