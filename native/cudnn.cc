#include "cudnn.h"

#include "native-error.h"

namespace halp {

Cudnn::Cudnn(const std::vector<std::string>& names) : library_(names) {
#define HALP_FIND(name, parameters) name = reinterpret_cast<CudnnStatus(*) parameters>(library_.symbol(#name));
  HALP_CUDNN_FUNCTIONS(HALP_FIND)
#undef HALP_FIND
  getVersion_ = reinterpret_cast<std::size_t (*)()>(library_.symbol("cudnnGetVersion"));
  getErrorString_ = reinterpret_cast<const char* (*)(CudnnStatus)>(library_.symbol("cudnnGetErrorString"));
  if (getVersion_() < 8000) {
    throw NativeError("HALP_CUDA_LIBRARY", "cuDNN " + version() + " is too old: 8 or newer is needed to keep TF32 apart from FP32.");
  }
}

bool Cudnn::unsupported(CudnnStatus status) const {
  // Version 8 has one such status (9), version 9 a family of them (3000 and up): the name tells for both.
  const char* name = status == 0 ? nullptr : getErrorString_(status);
  return name && std::string(name).find("NOT_SUPPORTED") != std::string::npos;
}

void Cudnn::check(CudnnStatus status, const char* call) const {
  if (status == 0) return;
  const char* name = getErrorString_(status);
  const char* code = unsupported(status) ? "HALP_CUDNN_UNSUPPORTED" : "HALP_CUDNN";
  throw NativeError(code, "cuDNN status", call, status, name ? name : "", "");
}

std::string Cudnn::version() const {
  // 8 and before: 8907 is 8.9.7; from 9 on: 90100 is 9.1.0.
  const auto v = getVersion_();
  const auto major = v >= 90000 ? v / 10000 : v / 1000;
  const auto rest = v >= 90000 ? v % 10000 : v % 1000;
  return std::to_string(major) + "." + std::to_string(rest / 100) + "." + std::to_string(rest % 100);
}

const char* algorithmName(int algorithm) {
  static const char* const names[kCudnnForwardAlgorithms] = {
      "IMPLICIT_GEMM", "IMPLICIT_PRECOMP_GEMM", "GEMM", "DIRECT", "FFT", "FFT_TILING", "WINOGRAD", "WINOGRAD_NONFUSED"};
  return algorithm >= 0 && algorithm < kCudnnForwardAlgorithms ? names[algorithm] : "UNKNOWN";
}

}  // namespace halp
