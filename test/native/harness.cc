// Runs the CUDA part of the addon against the stub driver, without Node, so that sanitisers see nothing but it. Every call that a clean run makes is
// made to fail in turn, and each time the failure must be told as it was, and nothing may stay behind.
//   harness PATH_OF_STUB
// Prints what went wrong and ends with 1, or one line with what was tried.
#include <dlfcn.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "../../native/convolution-timer.h"
#include "../../native/native-error.h"

using namespace halp;

static int failures = 0;
static void expect(bool condition, const std::string& what) {
  if (condition) return;
  failures++;
  std::printf("FAILED: %s\n", what.c_str());
}

struct Stub {
  int (*live)();
  int (*reclaimed)();
  std::size_t (*liveBytes)();
  int (*functionCount)();
  const char* (*functionName)(int);
  int (*functionCalls)(int);
  void (*forgetCalls)();

  explicit Stub(const char* path) {
    void* handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
      std::printf("%s\n", dlerror());
      std::exit(2);
    }
    live = reinterpret_cast<int (*)()>(dlsym(handle, "stub_live"));
    reclaimed = reinterpret_cast<int (*)()>(dlsym(handle, "stub_reclaimed"));
    liveBytes = reinterpret_cast<std::size_t (*)()>(dlsym(handle, "stub_live_bytes"));
    functionCount = reinterpret_cast<int (*)()>(dlsym(handle, "stub_function_count"));
    functionName = reinterpret_cast<const char* (*)(int)>(dlsym(handle, "stub_function_name"));
    functionCalls = reinterpret_cast<int (*)(int)>(dlsym(handle, "stub_function_calls"));
    forgetCalls = reinterpret_cast<void (*)()>(dlsym(handle, "stub_forget_calls"));
  }
};

static Convolution convolution(int channels, Precision precision, bool channelsLast) {
  Convolution c;
  c.batch = 2;
  c.inChannels = 4;
  c.inHeight = 7;
  c.inWidth = 5;
  c.outChannels = channels;
  c.kernelHeight = c.kernelWidth = 3;
  c.padHeight = c.padWidth = 1;
  c.precision = precision;
  c.channelsLast = channelsLast;
  return c;
}

// Everything the timer can do, on one timer: growing and shrinking, each precision and layout, fused and not, and a result.
static std::vector<double> scenario(const LibraryNames& names) {
  std::vector<double> figures;
  ConvolutionTimer timer(1, names);
  TimingOptions options;
  options.warmup = 1;
  options.repetitions = 2;
  const auto time = [&](const Convolution& c) {
    const Timing timing = timer.time(c, options);
    for (const double ms : timing.milliseconds) figures.push_back(ms);
    figures.push_back(timing.algorithm);
    figures.push_back(static_cast<double>(timing.workspaceBytes));
  };
  time(convolution(8, Precision::Fp32, false));
  Convolution fused = convolution(16, Precision::Tf32, true);
  fused.bias = fused.relu = true;
  time(fused);
  Convolution half = convolution(6, Precision::Fp16, true);
  half.groups = 2;
  half.bias = half.residual = true;
  time(half);
  Convolution result = convolution(3, Precision::Fp32, false);
  result.bias = result.relu = true;
  const auto y = timer.compute(result, std::vector<float>(result.inSize(), 0.5f), std::vector<float>(result.weightSize(), 0.25f),
                               {-1.0f, 0.0f, 1.0f}, {});
  double sum = 0;
  for (const float v : y) sum += v;
  figures.push_back(sum);
  timer.release();
  timer.release();
  return figures;
}

static bool givesBack(const std::string& function) {
  for (const char* word : {"Destroy", "Free", "Release", "PopCurrent"}) {
    if (function.find(word) != std::string::npos) return true;
  }
  return false;
}

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const Stub stub(arguments[1]);
  const LibraryNames names{{arguments[1]}, {"libno-such-cudnn.so", arguments[1]}};
  const auto nothingLeft = [&](const std::string& when) {
    expect(stub.live() == 0, std::to_string(stub.live()) + " things of the driver stay behind " + when);
    expect(stub.liveBytes() == 0, std::to_string(stub.liveBytes()) + " bytes of the device stay behind " + when);
  };

  const std::vector<double> clean = scenario(names);
  nothingLeft("after a clean run");
  stub.forgetCalls();
  expect(scenario(names) == clean, "two clean runs agree");
  struct Call {
    std::string name;
    int times;
  };
  std::vector<Call> calls;
  for (int i = 0; i < stub.functionCount(); i++) {
    if (stub.functionCalls(i) > 0) calls.push_back({stub.functionName(i), stub.functionCalls(i)});
  }

  int injected = 0;
  int reclaimed = 0;
  for (const Call& call : calls) {
    const bool cudnn = call.name.rfind("cudnn", 0) == 0;
    const int status = cudnn ? 8 : 719;
    for (int nth = 1; nth <= call.times; nth++) {
      const std::string fail = call.name + ":" + std::to_string(nth) + ":" + std::to_string(status);
      setenv("STUB_FAIL", fail.c_str(), 1);
      injected++;
      bool thrown = false;
      try {
        expect(scenario(names) == clean, fail + ": what failed unseen changed no figure");
      } catch (const NativeError& error) {
        thrown = true;
        expect(error.code == (cudnn ? "HALP_CUDNN" : "HALP_CUDA"), fail + ": code is " + error.code);
        expect(error.call == call.name && error.status == status, fail + ": told as " + error.what());
      }
      // Giving back reports nothing: there is no one to do anything about it. The last context is pushed to give back.
      const bool contextLost = call.name == "cuCtxPushCurrent_v2" && nth == call.times;
      const bool quiet = givesBack(call.name) || contextLost;
      expect(contextLost == (stub.reclaimed() > reclaimed), fail + ": memory is freed by halp, not by the end of the context");
      reclaimed = stub.reclaimed();
      expect(thrown != quiet, fail + (thrown ? ": throws" : ": does not throw"));
      nothingLeft("after " + fail);
      unsetenv("STUB_FAIL");
    }
  }

  // A timer that failed once goes on.
  {
    ConvolutionTimer timer(0, names);
    const Convolution c = convolution(8, Precision::Fp32, false);
    const Timing before = timer.time(c, {});
    setenv("STUB_FAIL", "cudnnConvolutionForward:7:8", 1);
    try {
      timer.time(c, {});
      expect(false, "the seventh convolution fails");
    } catch (const NativeError& error) {
      expect(error.statusName == "CUDNN_STATUS_EXECUTION_FAILED", std::string("status has its name: ") + error.what());
    }
    expect(stub.liveBytes() == 0, "a failed call gives its memory back");
    unsetenv("STUB_FAIL");
    const Timing after = timer.time(c, {});
    expect(after.algorithm == before.algorithm && after.milliseconds.size() == before.milliseconds.size(), "and works again");
    expect(stub.liveBytes() > 0, "buffers are kept for the next call");
  }
  nothingLeft("when a timer goes without being disposed of");

  // Too little memory for the largest workspace: an algorithm with less is taken. Too little for the tensors: the error says so.
  {
    const Convolution c = convolution(64, Precision::Fp32, false);
    const std::size_t tensors = 4 * (c.inSize() + c.weightSize() + c.outSize());
    setenv("STUB_MEMORY", std::to_string(tensors + 64 + c.outSize()).c_str(), 1);
    ConvolutionTimer timer(0, names);
    const Timing timing = timer.time(c, {});
    expect(timing.algorithm == 1, "IMPLICIT_PRECOMP_GEMM fits, WINOGRAD does not");
    setenv("STUB_MEMORY", std::to_string(tensors + 100).c_str(), 1);
    ConvolutionTimer tight(0, names);
    timer.release();
    expect(tight.time(c, {}).algorithm == 0, "IMPLICIT_GEMM needs no workspace");
    tight.release();
    setenv("STUB_MEMORY", "2000", 1);
    ConvolutionTimer none(0, names);
    try {
      none.time(c, {});
      expect(false, "the tensors do not fit");
    } catch (const NativeError& error) {
      expect(error.statusName == "CUDA_ERROR_OUT_OF_MEMORY" && error.call == "cuMemAlloc_v2", error.what());
    }
    unsetenv("STUB_MEMORY");
  }
  nothingLeft("after the device was full");

  expect(stub.reclaimed() == reclaimed, "memory is freed by halp, not by the end of the context");
  if (failures == 0) std::printf("%d failures injected into %zu functions\n", injected, calls.size());
  return failures == 0 ? 0 : 1;
}
