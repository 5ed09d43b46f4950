#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cuda-driver.h"
#include "cudnn.h"

namespace halp {

// What is opened at run time, in the order of trying.
struct LibraryNames {
  std::vector<std::string> cuda = {"libcuda.so.1", "libcuda.so"};
  std::vector<std::string> cudnn = {"libcudnn.so.9", "libcudnn.so.8", "libcudnn.so"};
};

enum class Precision { Fp32, Tf32, Fp16 };

// One convolution as cuDNN can express it: symmetric padding, and bias, residual and ReLU fused into it.
struct Convolution {
  int batch = 1, inChannels = 1, inHeight = 1, inWidth = 1;
  int outChannels = 1, kernelHeight = 1, kernelWidth = 1;
  int strideHeight = 1, strideWidth = 1, padHeight = 0, padWidth = 0, dilationHeight = 1, dilationWidth = 1;
  int groups = 1;
  Precision precision = Precision::Fp32;
  bool channelsLast = false;
  bool bias = false;
  bool residual = false;
  bool relu = false;

  int outHeight() const;
  int outWidth() const;
  std::size_t inSize() const;
  std::size_t weightSize() const;
  std::size_t outSize() const;
  bool fused() const { return bias || residual || relu; }
  // Throws HALP_NATIVE_ARGUMENT where no such convolution exists or cuDNN's 32-bit sizes do not hold it.
  void validate() const;
};

struct TimingOptions {
  int warmup = 10;
  int repetitions = 50;
  // Convolutions between two events; 0 for as many as take half a millisecond, at most 128. Events, and starting what lies between
  // them, cost a few microseconds of their own.
  int perSample = 0;
  std::size_t workspaceLimit = std::size_t{1} << 30;
};

struct Timing {
  std::vector<double> milliseconds;  // one a repetition, per convolution
  int algorithm = 0;
  std::size_t workspaceBytes = 0;
  int perSample = 1;
  // Whether the GPU was given them all at once, as a graph. If not, a short convolution's time is that of the host's queueing.
  bool captured = false;
};

// Something a driver gave and wants back.
template <class T>
class Owned {
 public:
  Owned() = default;
  Owned(T value, std::function<void(T)> release) : value_(value), release_(std::move(release)) {}
  Owned(Owned&& other) noexcept : value_(other.value_), release_(std::exchange(other.release_, nullptr)) {}
  Owned& operator=(Owned&& other) noexcept {
    if (this != &other) {
      reset();
      value_ = other.value_;
      release_ = std::exchange(other.release_, nullptr);
    }
    return *this;
  }
  ~Owned() { reset(); }
  void reset() {
    if (auto release = std::exchange(release_, nullptr)) release(value_);
  }
  T get() const { return value_; }

 private:
  T value_{};
  std::function<void(T)> release_;
};

// Times convolutions on one GPU between CUDA events, on a stream of its own. Not for use by two threads at a time; the
// context is made current on the calling thread for each call, so that thread may change between calls.
class ConvolutionTimer {
 public:
  // Throws HALP_CUDA_LIBRARY, HALP_CUDA, HALP_CUDNN; nothing stays behind then.
  ConvolutionTimer(int device, const LibraryNames& names);
  ~ConvolutionTimer();
  ConvolutionTimer(const ConvolutionTimer&) = delete;
  ConvolutionTimer& operator=(const ConvolutionTimer&) = delete;

  const CudaDeviceInfo& device() const { return info_; }
  std::string cudnnVersion() const { return cudnn_.version(); }

  // Runs with the fastest algorithm within the limit of workspace: cuDNN's own search names those worth timing. Throws HALP_NATIVE_ARGUMENT, HALP_CUDA,
  // HALP_CUDNN, HALP_CUDNN_UNSUPPORTED; all memory is given back then, and the next call starts afresh.
  Timing time(const Convolution& convolution, const TimingOptions& options);

  // The result itself, to hold it against the CPU's; not for Fp16. Values in the convolution's own layout. `bias` and
  // `residual` are empty where the convolution has none.
  std::vector<float> compute(const Convolution& convolution, const std::vector<float>& x, const std::vector<float>& weights,
                             const std::vector<float>& bias, const std::vector<float>& residual);

  // Gives all back. Called twice, the second does nothing.
  void release();

 private:
  struct Plan;
  struct Row;
  struct Candidate {
    int algorithm = 0;
    std::size_t workspaceBytes = 0;
    int mathType = 0;
    // As cuDNN measured it once; 0 where it did not.
    double milliseconds = 0;
  };
  struct Buffer {
    Owned<CudaPointer> memory;
    std::size_t capacity = 0;
    void* pointer() const { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(memory.get())); }
  };

  void open();
  void ensureOpen() const;
  Owned<CudaEvent> createEvent();
  // Grows a buffer, never shrinks it: allocation is slow, and many convolutions are timed in turn.
  void reserve(Buffer& buffer, std::size_t bytes);
  void freeBuffers();
  void fillWithNoise(const Buffer& buffer, std::size_t count, Precision precision);
  Plan prepare(const Convolution& convolution);
  // What can compute it within the limit of workspace, fastest first as far as cuDNN knows. Not empty.
  std::vector<Candidate> candidatesFor(const Convolution& convolution, const Plan& plan, std::size_t workspaceLimit);
  void use(const Candidate& candidate, Plan& plan);
  // Computes once with a candidate. False where cuDNN refuses (a fused form need not exist); `refused` says how.
  bool tryCandidate(const Candidate& candidate, Plan& plan, CudnnStatus& refused);
  [[noreturn]] void throwNoForm(const Plan& plan, CudnnStatus refused);
  // Leaves the fastest in the plan, and returns its milliseconds.
  double chooseFastest(const std::vector<Candidate>& candidates, Plan& plan);
  Row rowOf(const Plan& plan, int count);
  void start(const Row& row, const Plan& plan);
  // Milliseconds of one convolution of the row, for each repetition.
  std::vector<double> timeRow(const Row& row, const Plan& plan, int warmups, int repetitions);
  void reserveWorkspace(std::vector<std::size_t> sizes);
  void forward(const Plan& plan);
  Owned<CudnnDescriptor> descriptor(CudnnStatus (*create)(CudnnDescriptor*), CudnnStatus (*destroy)(CudnnDescriptor),
                                    const char* call);

  CudaDriver driver_;
  Cudnn cudnn_;
  CudaDeviceInfo info_;
  CudaDevice device_ = 0;
  Owned<CudaContext> context_;
  Owned<CudaStream> stream_;
  Owned<CudnnHandle> handle_;
  Buffer input_, weights_, output_, bias_, residual_, workspace_;
};

}  // namespace halp
