#include "convolution-timer.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <exception>
#include <limits>

#include "native-error.h"

namespace halp {

namespace {

int outputExtent(int in, int pad, int dilation, int kernel, int stride) {
  const std::int64_t span = std::int64_t{in} + 2 * std::int64_t{pad} - (std::int64_t{dilation} * (kernel - 1) + 1);
  return span < 0 ? 0 : static_cast<int>(span / stride + 1);
}

std::size_t product(std::initializer_list<int> factors) {
  std::size_t result = 1;
  for (const int f : factors) result *= static_cast<std::size_t>(f);
  return result;
}

int dataType(Precision precision) { return precision == Precision::Fp16 ? kCudnnHalf : kCudnnFloat; }
std::size_t elementBytes(Precision precision) { return precision == Precision::Fp16 ? 2 : 4; }

// Convolutions that fill so many milliseconds; 8 where it is not known how long one takes.
int countFor(double milliseconds, double fill, int most) {
  if (!(milliseconds > 0)) return std::min(8, most);
  return static_cast<int>(std::clamp(std::ceil(fill / milliseconds), 1.0, static_cast<double>(most)));
}

}  // namespace

int Convolution::outHeight() const { return outputExtent(inHeight, padHeight, dilationHeight, kernelHeight, strideHeight); }
int Convolution::outWidth() const { return outputExtent(inWidth, padWidth, dilationWidth, kernelWidth, strideWidth); }
std::size_t Convolution::inSize() const { return product({batch, inChannels, inHeight, inWidth}); }
std::size_t Convolution::weightSize() const { return product({outChannels, inChannels / groups, kernelHeight, kernelWidth}); }
std::size_t Convolution::outSize() const { return product({batch, outChannels, outHeight(), outWidth()}); }

void Convolution::validate() const {
  // 2^20 each keeps every later product of four within 64 bits less the cases that the limit below refuses.
  constexpr int kLargest = 1 << 20;
  const auto within = [](const char* name, int value, int least) {
    if (value < least || value > kLargest) {
      throw argumentError(std::string(name) + " lies between " + std::to_string(least) + " and " + std::to_string(kLargest) +
                          "; got " + std::to_string(value) + ".");
    }
  };
  within("batch", batch, 1);
  within("inChannels", inChannels, 1);
  within("inHeight", inHeight, 1);
  within("inWidth", inWidth, 1);
  within("outChannels", outChannels, 1);
  within("kernelHeight", kernelHeight, 1);
  within("kernelWidth", kernelWidth, 1);
  within("strideHeight", strideHeight, 1);
  within("strideWidth", strideWidth, 1);
  within("padHeight", padHeight, 0);
  within("padWidth", padWidth, 0);
  within("dilationHeight", dilationHeight, 1);
  within("dilationWidth", dilationWidth, 1);
  within("groups", groups, 1);
  if (inChannels % groups != 0 || outChannels % groups != 0) {
    throw argumentError("Input and output channels (" + std::to_string(inChannels) + ", " + std::to_string(outChannels) +
                        ") must be divisible by the groups (" + std::to_string(groups) + ").");
  }
  if (outHeight() < 1 || outWidth() < 1) throw argumentError("The kernel is larger than the padded input: there is no output.");
  const auto fits = [](std::initializer_list<int> factors) {
    std::size_t size = 1;
    for (const int f : factors) {
      size *= static_cast<std::size_t>(f);
      if (size > std::numeric_limits<std::int32_t>::max()) return false;
    }
    return true;
  };
  if (!fits({batch, inChannels, inHeight, inWidth}) || !fits({batch, outChannels, outHeight(), outWidth()}) ||
      !fits({outChannels, inChannels / groups, kernelHeight, kernelWidth})) {
    throw argumentError("A tensor of the convolution has more than 2^31 - 1 elements, which cuDNN does not take.");
  }
}

// A convolution's descriptors and the algorithm chosen for it.
struct ConvolutionTimer::Plan {
  Owned<CudnnDescriptor> x, w, y, bias, convolution, activation;
  int algorithm = 0;
  std::size_t workspaceBytes = 0;
  int mathType = 0;
  bool fused = false;
  bool residual = false;
};

// Convolutions one after the other. As a graph they cost the host one call together, and a sample shows what the GPU takes for
// them. Without it the sample of a short one shows how fast the host queues: cuDNN takes tens of microseconds for each.
struct ConvolutionTimer::Row {
  Owned<CudaGraph> graph;
  Owned<CudaGraphExec> executable;
  int count = 1;
};

ConvolutionTimer::ConvolutionTimer(int device, const LibraryNames& names) : driver_(names.cuda), cudnn_(names.cudnn) {
  driver_.check(driver_.cuInit(0), "cuInit");
  int count = 0;
  driver_.check(driver_.cuDeviceGetCount(&count), "cuDeviceGetCount");
  if (device < 0 || device >= count) {
    throw argumentError("There is no CUDA device " + std::to_string(device) + "; the driver sees " + std::to_string(count) + ".");
  }
  info_ = describeDevice(driver_, device);
  driver_.check(driver_.cuDeviceGet(&device_, device), "cuDeviceGet");
  try {
    open();
  } catch (...) {
    release();
    throw;
  }
}

void ConvolutionTimer::open() {
  CudaContext context = nullptr;
  driver_.check(driver_.cuDevicePrimaryCtxRetain(&context, device_), "cuDevicePrimaryCtxRetain");
  context_ = {context, [this](CudaContext) { driver_.cuDevicePrimaryCtxRelease_v2(device_); }};
  const ContextScope scope(driver_, context);
  constexpr unsigned kNonBlocking = 1;
  CudaStream stream = nullptr;
  driver_.check(driver_.cuStreamCreate(&stream, kNonBlocking), "cuStreamCreate");
  stream_ = {stream, [this](CudaStream s) { driver_.cuStreamDestroy_v2(s); }};
  CudnnHandle handle = nullptr;
  cudnn_.check(cudnn_.cudnnCreate(&handle), "cudnnCreate");
  handle_ = {handle, [this](CudnnHandle h) { cudnn_.cudnnDestroy(h); }};
  cudnn_.check(cudnn_.cudnnSetStream(handle, stream), "cudnnSetStream");
}

ConvolutionTimer::~ConvolutionTimer() { release(); }

void ConvolutionTimer::release() {
  if (!context_.get()) return;
  const CudaContext context = context_.get();
  // Whatever fails here, the rest is given back all the same: nothing more can be done about it.
  const bool pushed = driver_.cuCtxPushCurrent_v2(context) == 0;
  freeBuffers();
  handle_.reset();
  stream_.reset();
  if (pushed) {
    CudaContext popped = nullptr;
    driver_.cuCtxPopCurrent_v2(&popped);
  }
  context_ = {};
}

void ConvolutionTimer::ensureOpen() const {
  if (!context_.get()) throw argumentError("This ConvolutionTimer has been disposed of.");
}

void ConvolutionTimer::freeBuffers() {
  for (Buffer* buffer : {&input_, &weights_, &output_, &bias_, &residual_, &workspace_}) *buffer = {};
}

void ConvolutionTimer::reserve(Buffer& buffer, std::size_t bytes) {
  if (bytes <= buffer.capacity) return;
  buffer = {};
  CudaPointer pointer = 0;
  driver_.check(driver_.cuMemAlloc_v2(&pointer, bytes), "cuMemAlloc_v2");
  buffer.memory = {pointer, [this](CudaPointer p) { driver_.cuMemFree_v2(p); }};
  buffer.capacity = bytes;
}

// Values in +-[0.5, 1), not zeros: a GPU draws less power on zeros, and clocks itself higher.
void ConvolutionTimer::fillWithNoise(const Buffer& buffer, std::size_t count, Precision precision) {
  constexpr std::size_t kTileWords = 1 << 18;
  const std::size_t bytes = count * elementBytes(precision);
  std::vector<std::uint32_t> tile(std::min(kTileWords, (bytes + 3) / 4));
  std::uint32_t state = 0x9e3779b9u;
  for (auto& word : tile) {
    state ^= state << 13;  // xorshift32 (Marsaglia)
    state ^= state >> 17;
    state ^= state << 5;
    word = precision == Precision::Fp16 ? (state & 0x83ff83ffu) | 0x38003800u : (state & 0x807fffffu) | 0x3f000000u;
  }
  for (std::size_t at = 0; at < bytes; at += tile.size() * 4) {
    const std::size_t part = std::min(tile.size() * 4, bytes - at);
    driver_.check(driver_.cuMemcpyHtoD_v2(buffer.memory.get() + at, tile.data(), part), "cuMemcpyHtoD_v2");
  }
}

Owned<CudaEvent> ConvolutionTimer::createEvent() {
  CudaEvent event = nullptr;
  driver_.check(driver_.cuEventCreate(&event, 0), "cuEventCreate");
  return {event, [this](CudaEvent e) { driver_.cuEventDestroy_v2(e); }};
}

Owned<CudnnDescriptor> ConvolutionTimer::descriptor(CudnnStatus (*create)(CudnnDescriptor*),
                                                    CudnnStatus (*destroy)(CudnnDescriptor), const char* call) {
  CudnnDescriptor created = nullptr;
  cudnn_.check(create(&created), call);
  return {created, [destroy](CudnnDescriptor d) { destroy(d); }};
}

ConvolutionTimer::Plan ConvolutionTimer::prepare(const Convolution& c) {
  const auto& n = cudnn_;
  const int type = dataType(c.precision);
  const int format = c.channelsLast ? kCudnnNhwc : kCudnnNchw;
  const auto tensor = [&] {
    return descriptor(n.cudnnCreateTensorDescriptor, n.cudnnDestroyTensorDescriptor, "cudnnCreateTensorDescriptor");
  };
  Plan plan;
  plan.fused = c.fused();
  plan.residual = c.residual;
  plan.x = tensor();
  n.check(n.cudnnSetTensor4dDescriptor(plan.x.get(), format, type, c.batch, c.inChannels, c.inHeight, c.inWidth),
          "cudnnSetTensor4dDescriptor");
  plan.y = tensor();
  n.check(n.cudnnSetTensor4dDescriptor(plan.y.get(), format, type, c.batch, c.outChannels, c.outHeight(), c.outWidth()),
          "cudnnSetTensor4dDescriptor");
  plan.w = descriptor(n.cudnnCreateFilterDescriptor, n.cudnnDestroyFilterDescriptor, "cudnnCreateFilterDescriptor");
  n.check(n.cudnnSetFilter4dDescriptor(plan.w.get(), type, format, c.outChannels, c.inChannels / c.groups, c.kernelHeight,
                                       c.kernelWidth),
          "cudnnSetFilter4dDescriptor");
  plan.convolution =
      descriptor(n.cudnnCreateConvolutionDescriptor, n.cudnnDestroyConvolutionDescriptor, "cudnnCreateConvolutionDescriptor");
  const auto conv = plan.convolution.get();
  // Sums are kept in FP32 for every precision.
  n.check(n.cudnnSetConvolution2dDescriptor(conv, c.padHeight, c.padWidth, c.strideHeight, c.strideWidth, c.dilationHeight,
                                            c.dilationWidth, kCudnnCrossCorrelation, kCudnnFloat),
          "cudnnSetConvolution2dDescriptor");
  n.check(n.cudnnSetConvolutionGroupCount(conv, c.groups), "cudnnSetConvolutionGroupCount");
  // FMA keeps FP32 from being rounded to TF32, which the default allows from Ampere on.
  plan.mathType = c.precision == Precision::Fp32 ? kCudnnFmaMath : kCudnnTensorOpMath;
  n.check(n.cudnnSetConvolutionMathType(conv, plan.mathType), "cudnnSetConvolutionMathType");
  if (plan.fused) {
    plan.bias = tensor();
    n.check(n.cudnnSetTensor4dDescriptor(plan.bias.get(), format, type, 1, c.outChannels, 1, 1), "cudnnSetTensor4dDescriptor");
    plan.activation = descriptor(n.cudnnCreateActivationDescriptor, n.cudnnDestroyActivationDescriptor,
                                 "cudnnCreateActivationDescriptor");
    constexpr int kPropagateNan = 1;
    n.check(n.cudnnSetActivationDescriptor(plan.activation.get(), c.relu ? kCudnnRelu : kCudnnIdentity, kPropagateNan, 0.0),
            "cudnnSetActivationDescriptor");
  }
  int dims[4] = {};
  n.check(n.cudnnGetConvolution2dForwardOutputDim(conv, plan.x.get(), plan.w.get(), &dims[0], &dims[1], &dims[2], &dims[3]),
          "cudnnGetConvolution2dForwardOutputDim");
  if (dims[0] != c.batch || dims[1] != c.outChannels || dims[2] != c.outHeight() || dims[3] != c.outWidth()) {
    throw NativeError("HALP_CUDNN", "cudnnGetConvolution2dForwardOutputDim: cuDNN takes the output for " +
                                        std::to_string(dims[0]) + "x" + std::to_string(dims[1]) + "x" +
                                        std::to_string(dims[2]) + "x" + std::to_string(dims[3]) + ".");
  }
  const std::size_t width = elementBytes(c.precision);
  reserve(input_, c.inSize() * width);
  reserve(weights_, c.weightSize() * width);
  reserve(output_, c.outSize() * width);
  if (plan.fused) reserve(bias_, static_cast<std::size_t>(c.outChannels) * width);
  if (plan.residual) reserve(residual_, c.outSize() * width);
  return plan;
}

// The largest workspace that any algorithm asks for and the device has: less of it leaves fewer algorithms to choose from.
void ConvolutionTimer::reserveWorkspace(std::vector<std::size_t> sizes) {
  std::sort(sizes.rbegin(), sizes.rend());
  for (const std::size_t bytes : sizes) {
    if (bytes <= workspace_.capacity) return;
    workspace_ = {};
    CudaPointer pointer = 0;
    const CudaResult result = driver_.cuMemAlloc_v2(&pointer, bytes);
    if (result == kCudaOutOfMemory) continue;
    driver_.check(result, "cuMemAlloc_v2");
    workspace_.memory = {pointer, [this](CudaPointer p) { driver_.cuMemFree_v2(p); }};
    workspace_.capacity = bytes;
    return;
  }
}

std::vector<ConvolutionTimer::Candidate> ConvolutionTimer::candidatesFor(const Convolution& c, const Plan& plan,
                                                                         std::size_t workspaceLimit) {
  const auto& n = cudnn_;
  const int mathType = c.precision == Precision::Fp32 ? kCudnnFmaMath : kCudnnTensorOpMath;
  const auto sizeOf = [&](int algorithm, std::size_t& bytes) {
    return n.cudnnGetConvolutionForwardWorkspaceSize(handle_.get(), plan.x.get(), plan.w.get(), plan.convolution.get(),
                                                     plan.y.get(), algorithm, &bytes);
  };
  if (plan.fused && !c.relu) {
    std::size_t bytes = 0;
    n.check(sizeOf(kCudnnImplicitPrecompGemm, bytes), "cudnnGetConvolutionForwardWorkspaceSize");
    reserve(workspace_, bytes);
    return {{kCudnnImplicitPrecompGemm, bytes, mathType, 0}};
  }
  std::vector<std::size_t> sizes;
  for (int algorithm = 0; algorithm < kCudnnForwardAlgorithms; algorithm++) {
    std::size_t bytes = 0;
    const CudnnStatus status = sizeOf(algorithm, bytes);
    if (n.unsupported(status)) continue;
    n.check(status, "cudnnGetConvolutionForwardWorkspaceSize");
    if (bytes > 0 && bytes <= workspaceLimit) sizes.push_back(bytes);
  }
  reserveWorkspace(sizes);
  const std::size_t available = std::min(workspace_.capacity, workspaceLimit);

  CudnnAlgorithm found[kCudnnForwardAlgorithms] = {};
  int count = 0;
  n.check(n.cudnnFindConvolutionForwardAlgorithmEx(handle_.get(), plan.x.get(), input_.pointer(), plan.w.get(),
                                                   weights_.pointer(), plan.convolution.get(), plan.y.get(), output_.pointer(),
                                                   kCudnnForwardAlgorithms, &count, found, workspace_.pointer(), available),
          "cudnnFindConvolutionForwardAlgorithmEx");
  // Sorted by time, failures last.
  std::vector<Candidate> candidates;
  for (int i = 0; i < std::min(count, int{kCudnnForwardAlgorithms}); i++) {
    const auto& each = found[i];
    if (each.status != 0 || each.workspaceBytes > available) continue;
    candidates.push_back({each.algorithm, each.workspaceBytes, c.precision == Precision::Fp32 ? mathType : each.mathType,
                          static_cast<double>(each.milliseconds)});
  }
  if (candidates.empty()) throwNoForm(plan, 0);
  return candidates;
}

void ConvolutionTimer::use(const Candidate& candidate, Plan& plan) {
  if (plan.mathType != candidate.mathType) {
    cudnn_.check(cudnn_.cudnnSetConvolutionMathType(plan.convolution.get(), candidate.mathType), "cudnnSetConvolutionMathType");
    plan.mathType = candidate.mathType;
  }
  plan.algorithm = candidate.algorithm;
  plan.workspaceBytes = candidate.workspaceBytes;
}

bool ConvolutionTimer::tryCandidate(const Candidate& candidate, Plan& plan, CudnnStatus& refused) {
  use(candidate, plan);
  try {
    forward(plan);
    return true;
  } catch (const NativeError& error) {
    if (error.code != "HALP_CUDNN_UNSUPPORTED") throw;
    refused = error.status;
    return false;
  }
}

void ConvolutionTimer::throwNoForm(const Plan& plan, CudnnStatus refused) {
  if (refused != 0) {
    cudnn_.check(refused, plan.fused ? "cudnnConvolutionBiasActivationForward" : "cudnnConvolutionForward");
  }
  throw NativeError("HALP_CUDNN_UNSUPPORTED", "cudnnFindConvolutionForwardAlgorithmEx: cuDNN has no algorithm for this convolution.");
}

// cuDNN's search runs each algorithm once, on a GPU whose clock may just be rising and with kernels that may just be loading: on an
// H100 its order was seen to be wrong by 40 %. So all that it found are timed here, those within half of the first round's best
// again, three times over by turns; the least of an algorithm's times counts.
double ConvolutionTimer::chooseFastest(const std::vector<Candidate>& candidates, Plan& plan) {
  constexpr double kStillIn = 1.5;
  constexpr int kRounds = 3;
  struct Contender {
    Candidate candidate;
    Row row;
    double milliseconds;
  };
  std::vector<Contender> contenders;
  CudnnStatus refused = 0;
  for (const Candidate& candidate : candidates) {
    if (!tryCandidate(candidate, plan, refused)) continue;
    Row row = rowOf(plan, countFor(candidate.milliseconds, 0.1, 16));
    const std::vector<double> times = timeRow(row, plan, 1, 2);
    contenders.push_back({candidate, std::move(row), *std::min_element(times.begin(), times.end())});
  }
  if (contenders.empty()) throwNoForm(plan, refused);
  const auto faster = [](const Contender& a, const Contender& b) { return a.milliseconds < b.milliseconds; };
  const double first = std::min_element(contenders.begin(), contenders.end(), faster)->milliseconds;
  contenders.erase(std::remove_if(contenders.begin(), contenders.end(),
                                  [&](const Contender& each) { return each.milliseconds > kStillIn * first; }),
                   contenders.end());
  for (Contender& each : contenders) {
    use(each.candidate, plan);
    each.row = rowOf(plan, countFor(each.milliseconds, 0.25, 64));
  }
  for (int round = 0; round < kRounds; round++) {
    for (Contender& each : contenders) {
      use(each.candidate, plan);
      for (const double ms : timeRow(each.row, plan, 1, 3)) each.milliseconds = std::min(each.milliseconds, ms);
    }
  }
  const auto fastest = std::min_element(contenders.begin(), contenders.end(), faster);
  use(fastest->candidate, plan);
  return fastest->milliseconds;
}

void ConvolutionTimer::forward(const Plan& plan) {
  const float one = 1, zero = 0;
  const auto& n = cudnn_;
  if (!plan.fused) {
    n.check(n.cudnnConvolutionForward(handle_.get(), &one, plan.x.get(), input_.pointer(), plan.w.get(), weights_.pointer(),
                                      plan.convolution.get(), plan.algorithm, workspace_.pointer(), plan.workspaceBytes, &zero,
                                      plan.y.get(), output_.pointer()),
            "cudnnConvolutionForward");
    return;
  }
  // Without a residual z is the output itself, weighted by 0: cuDNN wants one in any case.
  n.check(n.cudnnConvolutionBiasActivationForward(
              handle_.get(), &one, plan.x.get(), input_.pointer(), plan.w.get(), weights_.pointer(), plan.convolution.get(),
              plan.algorithm, workspace_.pointer(), plan.workspaceBytes, plan.residual ? &one : &zero, plan.y.get(),
              plan.residual ? residual_.pointer() : output_.pointer(), plan.bias.get(), bias_.pointer(), plan.activation.get(),
              plan.y.get(), output_.pointer()),
          "cudnnConvolutionBiasActivationForward");
}

ConvolutionTimer::Row ConvolutionTimer::rowOf(const Plan& plan, int count) {
  Row row;
  row.count = count;
  driver_.check(driver_.cuStreamBeginCapture_v2(stream_.get(), kCudaCaptureThreadLocal), "cuStreamBeginCapture_v2");
  std::exception_ptr failed;
  try {
    for (int i = 0; i < count; i++) forward(plan);
  } catch (...) {
    failed = std::current_exception();
  }
  CudaGraph graph = nullptr;
  const CudaResult ended = driver_.cuStreamEndCapture(stream_.get(), &graph);
  if (graph) row.graph = {graph, [this](CudaGraph g) { driver_.cuGraphDestroy(g); }};
  if (ended >= kCudaFirstCaptureError && ended <= kCudaLastCaptureError) return row;
  if (failed) std::rethrow_exception(failed);
  driver_.check(ended, "cuStreamEndCapture");
  CudaGraphExec executable = nullptr;
  driver_.check(driver_.cuGraphInstantiateWithFlags(&executable, graph, 0), "cuGraphInstantiateWithFlags");
  row.executable = {executable, [this](CudaGraphExec e) { driver_.cuGraphExecDestroy(e); }};
  return row;
}

void ConvolutionTimer::start(const Row& row, const Plan& plan) {
  if (row.executable.get()) {
    driver_.check(driver_.cuGraphLaunch(row.executable.get(), stream_.get()), "cuGraphLaunch");
    return;
  }
  for (int i = 0; i < row.count; i++) forward(plan);
}

std::vector<double> ConvolutionTimer::timeRow(const Row& row, const Plan& plan, int warmups, int repetitions) {
  // All is queued before the first wait, so that the GPU does not idle between the repetitions.
  std::vector<Owned<CudaEvent>> events;
  for (int i = 0; i <= repetitions; i++) events.push_back(createEvent());
  for (int i = 0; i < warmups; i++) start(row, plan);
  driver_.check(driver_.cuEventRecord(events[0].get(), stream_.get()), "cuEventRecord");
  for (int i = 1; i <= repetitions; i++) {
    start(row, plan);
    driver_.check(driver_.cuEventRecord(events[static_cast<std::size_t>(i)].get(), stream_.get()), "cuEventRecord");
  }
  driver_.check(driver_.cuEventSynchronize(events.back().get()), "cuEventSynchronize");
  std::vector<double> milliseconds;
  for (std::size_t i = 1; i < events.size(); i++) {
    float elapsed = 0;
    driver_.check(driver_.cuEventElapsedTime(&elapsed, events[i - 1].get(), events[i].get()), "cuEventElapsedTime");
    milliseconds.push_back(static_cast<double>(elapsed) / row.count);
  }
  return milliseconds;
}

Timing ConvolutionTimer::time(const Convolution& convolution, const TimingOptions& options) {
  ensureOpen();
  convolution.validate();
  if (options.warmup < 0 || options.repetitions < 1 || options.perSample < 0 || options.warmup > 1000000 ||
      options.repetitions > 1000000 || options.perSample > 10000) {
    throw argumentError("warmup is at least 0 and repetitions at least 1, each at most a million; perSample is at most 10000.");
  }
  const ContextScope scope(driver_, context_.get());
  try {
    Plan plan = prepare(convolution);
    fillWithNoise(input_, convolution.inSize(), convolution.precision);
    fillWithNoise(weights_, convolution.weightSize(), convolution.precision);
    if (plan.fused) fillWithNoise(bias_, static_cast<std::size_t>(convolution.outChannels), convolution.precision);
    if (plan.residual) fillWithNoise(residual_, convolution.outSize(), convolution.precision);
    const double fastest = chooseFastest(candidatesFor(convolution, plan, options.workspaceLimit), plan);
    const Row row = rowOf(plan, options.perSample > 0 ? options.perSample : countFor(fastest, 0.5, 128));
    const int warmups = (options.warmup + row.count - 1) / row.count;
    Timing timing;
    timing.milliseconds = timeRow(row, plan, warmups, options.repetitions);
    timing.algorithm = plan.algorithm;
    timing.workspaceBytes = plan.workspaceBytes;
    timing.perSample = row.count;
    timing.captured = row.executable.get() != nullptr;
    return timing;
  } catch (...) {
    // What was queued may still use the buffers.
    driver_.cuStreamSynchronize(stream_.get());
    freeBuffers();
    throw;
  }
}

std::vector<float> ConvolutionTimer::compute(const Convolution& convolution, const std::vector<float>& x,
                                             const std::vector<float>& weights, const std::vector<float>& bias,
                                             const std::vector<float>& residual) {
  ensureOpen();
  convolution.validate();
  if (convolution.precision == Precision::Fp16) throw argumentError("compute() takes the precisions fp32 and tf32.");
  const auto expect = [](const char* name, std::size_t has, std::size_t needs) {
    if (has != needs) {
      throw argumentError(std::string(name) + " holds " + std::to_string(has) + " values, the convolution needs " +
                          std::to_string(needs) + ".");
    }
  };
  expect("x", x.size(), convolution.inSize());
  expect("weights", weights.size(), convolution.weightSize());
  expect("bias", bias.size(), convolution.bias ? static_cast<std::size_t>(convolution.outChannels) : 0);
  expect("residual", residual.size(), convolution.residual ? convolution.outSize() : 0);
  const ContextScope scope(driver_, context_.get());
  try {
    Plan plan = prepare(convolution);
    const auto upload = [&](const Buffer& buffer, const std::vector<float>& values) {
      driver_.check(driver_.cuMemcpyHtoD_v2(buffer.memory.get(), values.data(), values.size() * sizeof(float)),
                    "cuMemcpyHtoD_v2");
    };
    upload(input_, x);
    upload(weights_, weights);
    if (plan.fused) {
      upload(bias_, convolution.bias ? bias : std::vector<float>(static_cast<std::size_t>(convolution.outChannels)));
    }
    if (plan.residual) upload(residual_, residual);
    CudnnStatus refused = 0;
    bool computed = false;
    for (const Candidate& candidate : candidatesFor(convolution, plan, TimingOptions{}.workspaceLimit)) {
      computed = tryCandidate(candidate, plan, refused);
      if (computed) break;
    }
    if (!computed) throwNoForm(plan, refused);
    driver_.check(driver_.cuStreamSynchronize(stream_.get()), "cuStreamSynchronize");
    std::vector<float> result(convolution.outSize());
    driver_.check(driver_.cuMemcpyDtoH_v2(result.data(), output_.memory.get(), result.size() * sizeof(float)),
                  "cuMemcpyDtoH_v2");
    return result;
  } catch (...) {
    driver_.cuStreamSynchronize(stream_.get());
    freeBuffers();
    throw;
  }
}

}  // namespace halp
