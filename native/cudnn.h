// cuDNN's legacy convolution API (versions 8 and 9) as far as halp uses it, with types of our own.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cuda-driver.h"
#include "dynamic-library.h"

namespace halp {

using CudnnStatus = int;
using CudnnHandle = void*;
using CudnnDescriptor = void*;

// cudnnConvolutionFwdAlgoPerf_t
struct CudnnAlgorithm {
  int algorithm;
  CudnnStatus status;
  float milliseconds;
  std::size_t workspaceBytes;
  int determinism;
  int mathType;
  int reserved[3];
};

enum CudnnDataType { kCudnnFloat = 0, kCudnnHalf = 2 };
enum CudnnTensorFormat { kCudnnNchw = 0, kCudnnNhwc = 1 };
enum CudnnMathType { kCudnnTensorOpMath = 1, kCudnnFmaMath = 3 };
enum CudnnActivation { kCudnnRelu = 1, kCudnnIdentity = 5 };
constexpr int kCudnnCrossCorrelation = 1;
constexpr int kCudnnForwardAlgorithms = 8;
// The only algorithm that takes a fused bias without an activation.
constexpr int kCudnnImplicitPrecompGemm = 1;

// name, parameters; every function returns CudnnStatus.
#define HALP_CUDNN_FUNCTIONS(X)                                                                                         \
  X(cudnnCreate, (CudnnHandle*))                                                                                        \
  X(cudnnDestroy, (CudnnHandle))                                                                                        \
  X(cudnnSetStream, (CudnnHandle, CudaStream))                                                                          \
  X(cudnnCreateTensorDescriptor, (CudnnDescriptor*))                                                                    \
  X(cudnnSetTensor4dDescriptor, (CudnnDescriptor, int format, int type, int n, int c, int h, int w))                    \
  X(cudnnDestroyTensorDescriptor, (CudnnDescriptor))                                                                    \
  X(cudnnCreateFilterDescriptor, (CudnnDescriptor*))                                                                    \
  X(cudnnSetFilter4dDescriptor, (CudnnDescriptor, int type, int format, int k, int c, int h, int w))                    \
  X(cudnnDestroyFilterDescriptor, (CudnnDescriptor))                                                                    \
  X(cudnnCreateConvolutionDescriptor, (CudnnDescriptor*))                                                               \
  X(cudnnSetConvolution2dDescriptor,                                                                                    \
    (CudnnDescriptor, int padH, int padW, int strideH, int strideW, int dilationH, int dilationW, int mode, int type))  \
  X(cudnnSetConvolutionGroupCount, (CudnnDescriptor, int))                                                              \
  X(cudnnSetConvolutionMathType, (CudnnDescriptor, int))                                                                \
  X(cudnnDestroyConvolutionDescriptor, (CudnnDescriptor))                                                               \
  X(cudnnCreateActivationDescriptor, (CudnnDescriptor*))                                                                \
  X(cudnnSetActivationDescriptor, (CudnnDescriptor, int mode, int nan, double coefficient))                             \
  X(cudnnDestroyActivationDescriptor, (CudnnDescriptor))                                                                \
  X(cudnnGetConvolution2dForwardOutputDim,                                                                              \
    (CudnnDescriptor convolution, CudnnDescriptor x, CudnnDescriptor w, int*, int*, int*, int*))                        \
  X(cudnnGetConvolutionForwardWorkspaceSize,                                                                            \
    (CudnnHandle, CudnnDescriptor x, CudnnDescriptor w, CudnnDescriptor convolution, CudnnDescriptor y, int algorithm,  \
     std::size_t*))                                                                                                     \
  X(cudnnFindConvolutionForwardAlgorithmEx,                                                                             \
    (CudnnHandle, CudnnDescriptor x, const void*, CudnnDescriptor w, const void*, CudnnDescriptor convolution,          \
     CudnnDescriptor y, void*, int requested, int* returned, CudnnAlgorithm*, void* workspace, std::size_t))            \
  X(cudnnConvolutionForward,                                                                                            \
    (CudnnHandle, const void* alpha, CudnnDescriptor x, const void*, CudnnDescriptor w, const void*,                    \
     CudnnDescriptor convolution, int algorithm, void* workspace, std::size_t, const void* beta, CudnnDescriptor y,     \
     void*))                                                                                                            \
  X(cudnnConvolutionBiasActivationForward,                                                                              \
    (CudnnHandle, const void* alpha, CudnnDescriptor x, const void*, CudnnDescriptor w, const void*,                    \
     CudnnDescriptor convolution, int algorithm, void* workspace, std::size_t, const void* alpha2, CudnnDescriptor z,   \
     const void*, CudnnDescriptor bias, const void*, CudnnDescriptor activation, CudnnDescriptor y, void*))

struct Cudnn {
  // Opens the library and finds every function. Throws HALP_CUDA_LIBRARY, also where it is older than version 8.
  explicit Cudnn(const std::vector<std::string>& names);

  // Throws HALP_CUDNN, or HALP_CUDNN_UNSUPPORTED where cuDNN says that it has no such form, unless the status is 0.
  void check(CudnnStatus status, const char* call) const;
  bool unsupported(CudnnStatus status) const;
  std::string version() const;  // "9.1.0"

#define HALP_DECLARE(name, parameters) CudnnStatus(*name) parameters = nullptr;
  HALP_CUDNN_FUNCTIONS(HALP_DECLARE)
#undef HALP_DECLARE

 private:
  DynamicLibrary library_;
  std::size_t (*getVersion_)() = nullptr;
  const char* (*getErrorString_)(CudnnStatus) = nullptr;
};

// IMPLICIT_GEMM, ...; what an algorithm is called in cuDNN's documentation.
const char* algorithmName(int algorithm);

}  // namespace halp
