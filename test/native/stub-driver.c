/*
 * libcuda and libcudnn in one, for tests on machines without a GPU. Time is virtual: a convolution moves the clock by what the formula
 * in `cost` says, so timings can be checked to the digit. Results are real: convolutions in FP32 are computed. What is created is
 * counted until it is destroyed; a call without a current context, or with something that is not alive, is refused.
 *
 * Switches, read at every call, so that a test can turn them between calls:
 *   STUB_FAIL=name:nth:status   the nth call of that function since the switch was set returns that status
 *   STUB_DEVICES=n              default 2; with 0 cuInit answers CUDA_ERROR_NO_DEVICE
 *   STUB_MEMORY=bytes           of each device; default 2^32
 *   STUB_CUDNN=version          default 90100
 *   STUB_COMPUTE=n              only convolutions of at most n multiplications are computed; all of them cost their time
 *   STUB_UNCAPTURED=1           what is queued cannot be captured as a graph
 *   STUB_MISLED=1               the search for algorithms tells their times in reverse
 *   STUB_UNFUSED=algorithm      cuDNN has no fused form of that algorithm
 */
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum { OUT_OF_MEMORY = 2, NO_DEVICE = 100, INVALID_DEVICE = 101, INVALID_CONTEXT = 201, INVALID_HANDLE = 400, CAPTURE_INVALIDATED = 901 };
enum { BAD_PARAM = 2000, NOT_SUPPORTED = 3000 };

/* ---- Counting and failing ---- */

typedef struct {
  const char* name;
  int calls;
  int since_switch;
} Function;
static _Thread_local Function functions[64];
static _Thread_local int function_count;
static _Thread_local char last_switch[128];

static _Thread_local int live;
static _Thread_local size_t live_bytes;
static _Thread_local double clock_ms;
/* While a stream is captured what is queued takes its time when the graph is launched. */
static _Thread_local const void* captured_stream;
static _Thread_local double captured_ms;

static Function* function_named(const char* name) {
  for (int i = 0; i < function_count; i++)
    if (strcmp(functions[i].name, name) == 0) return &functions[i];
  functions[function_count].name = name;
  return &functions[function_count++];
}

/* The status that a test wants this call to return, or 0. */
static int entered(const char* name) {
  const char* fail = getenv("STUB_FAIL");
  if (!fail) fail = "";
  if (strcmp(fail, last_switch) != 0) {
    snprintf(last_switch, sizeof last_switch, "%s", fail);
    for (int i = 0; i < function_count; i++) functions[i].since_switch = 0;
  }
  Function* f = function_named(name);
  f->calls++;
  f->since_switch++;
  char which[64];
  int nth, status;
  if (sscanf(fail, "%63[^:]:%d:%d", which, &nth, &status) != 3) return 0;
  return strcmp(which, name) == 0 && f->since_switch == nth ? status : 0;
}

static long number(const char* name, long otherwise) {
  const char* value = getenv(name);
  return value ? atol(value) : otherwise;
}

#define ENTER                                \
  do {                                       \
    const int injected = entered(__func__);  \
    if (injected) return injected;           \
  } while (0)

EXPORT int stub_live(void) { return live; }
EXPORT size_t stub_live_bytes(void) { return live_bytes; }
EXPORT int stub_function_count(void) { return function_count; }
EXPORT const char* stub_function_name(int i) { return functions[i].name; }
EXPORT int stub_function_calls(int i) { return functions[i].calls; }
EXPORT void stub_forget_calls(void) {
  for (int i = 0; i < function_count; i++) functions[i].calls = 0;
}

/* ---- Everything that is created begins with its kind ---- */

enum Kind { STREAM = 0x5354, EVENT, GRAPH, EXECUTABLE, HANDLE, TENSOR, FILTER, CONVOLUTION, ACTIVATION };
typedef struct {
  enum Kind kind;
  double at;                                   /* EVENT; of GRAPH and EXECUTABLE how long they take */
  int d[4], type, format;                      /* TENSOR, FILTER */
  int pad[2], stride[2], dilation[2], groups, math; /* CONVOLUTION */
  int mode;                                    /* ACTIVATION */
} Object;

static int create(void** out, enum Kind kind) {
  Object* object = calloc(1, sizeof(Object));
  object->kind = kind;
  object->groups = 1;
  live++;
  *out = object;
  return 0;
}
static int is(const void* object, enum Kind kind) { return object && ((const Object*)object)->kind == kind; }
static int destroy(void* object, enum Kind kind, int injected) {
  if (!is(object, kind)) return injected ? injected : INVALID_HANDLE;
  ((Object*)object)->kind = 0;
  free(object);
  live--;
  return injected;
}

/* ---- The driver ---- */

/* Device memory is host memory of just that size: an address sanitiser sees every byte too many. */
typedef struct Block {
  struct Block *next, *previous;
  size_t bytes, unused; /* unused keeps what follows aligned to 16 bytes */
} Block;
static _Thread_local Block* blocks;
static _Thread_local int reclaimed; /* blocks that only the end of their context freed */
EXPORT int stub_reclaimed(void) { return reclaimed; }

static void free_block(Block* block) {
  if (block->previous) block->previous->next = block->next;
  else blocks = block->next;
  if (block->next) block->next->previous = block->previous;
  live_bytes -= block->bytes;
  live--;
  free(block);
}

static _Thread_local int pushed[16];
static _Thread_local int pushed_count;
static _Thread_local int retained[16];
#define CONTEXT \
  if (pushed_count == 0) return INVALID_CONTEXT

EXPORT int cuInit(unsigned flags) {
  (void)flags;
  ENTER;
  return number("STUB_DEVICES", 2) > 0 ? 0 : NO_DEVICE;
}
EXPORT int cuDriverGetVersion(int* version) {
  ENTER;
  *version = 13000;
  return 0;
}
EXPORT int cuDeviceGetCount(int* count) {
  ENTER;
  *count = (int)number("STUB_DEVICES", 2);
  return 0;
}
EXPORT int cuDeviceGet(int* device, int index) {
  ENTER;
  if (index < 0 || index >= number("STUB_DEVICES", 2)) return INVALID_DEVICE;
  *device = index;
  return 0;
}
EXPORT int cuDeviceGetName(char* name, int length, int device) {
  ENTER;
  snprintf(name, (size_t)length, "Stub GPU %d", device);
  return 0;
}
EXPORT int cuDeviceGetAttribute(int* value, int attribute, int device) {
  (void)device;
  ENTER;
  *value = attribute == 75 ? 8 : attribute == 76 ? 6 : attribute == 16 ? 28 : attribute == 13 ? 1777000 : 0;
  return 0;
}
EXPORT int cuDeviceTotalMem_v2(size_t* bytes, int device) {
  (void)device;
  ENTER;
  *bytes = (size_t)number("STUB_MEMORY", 1L << 32);
  return 0;
}
EXPORT int cuDevicePrimaryCtxRetain(void** context, int device) {
  ENTER;
  retained[device]++;
  live++;
  *context = (void*)(intptr_t)(device + 1);
  return 0;
}
EXPORT int cuDevicePrimaryCtxRelease_v2(int device) {
  const int injected = entered(__func__);
  if (retained[device] == 0) return INVALID_CONTEXT;
  retained[device]--;
  live--;
  /* As the driver does: with its last user the context goes, and what memory it still has with it. */
  if (retained[device] == 0)
    while (blocks) {
      free_block(blocks);
      reclaimed++;
    }
  return injected;
}
EXPORT int cuCtxPushCurrent_v2(void* context) {
  ENTER;
  const int device = (int)(intptr_t)context - 1;
  if (device < 0 || device > 15 || retained[device] == 0) return INVALID_CONTEXT;
  pushed[pushed_count++] = device;
  live++;
  return 0;
}
EXPORT int cuCtxPopCurrent_v2(void** context) {
  const int injected = entered(__func__);
  CONTEXT;
  *context = (void*)(intptr_t)(pushed[--pushed_count] + 1);
  live--;
  return injected;
}
EXPORT int cuStreamCreate(void** stream, unsigned flags) {
  (void)flags;
  ENTER;
  CONTEXT;
  return create(stream, STREAM);
}
EXPORT int cuStreamDestroy_v2(void* stream) {
  if (stream == captured_stream) captured_stream = NULL;
  return destroy(stream, STREAM, entered(__func__));
}
EXPORT int cuStreamBeginCapture_v2(void* stream, int mode) {
  ENTER;
  CONTEXT;
  if (!is(stream, STREAM) || mode != 1 || captured_stream) return INVALID_HANDLE;
  captured_stream = stream;
  captured_ms = 0;
  return 0;
}
EXPORT int cuStreamEndCapture(void* stream, void** graph) {
  const int injected = entered(__func__);
  if (!is(stream, STREAM) || captured_stream != stream) return INVALID_HANDLE;
  captured_stream = NULL; /* a capture that fails is over all the same */
  *graph = NULL;
  if (injected) return injected;
  if (number("STUB_UNCAPTURED", 0)) return CAPTURE_INVALIDATED;
  const int status = create(graph, GRAPH);
  ((Object*)*graph)->at = captured_ms;
  return status;
}
EXPORT int cuGraphInstantiateWithFlags(void** executable, void* graph, uint64_t flags) {
  ENTER;
  CONTEXT;
  if (!is(graph, GRAPH) || flags != 0) return INVALID_HANDLE;
  const int status = create(executable, EXECUTABLE);
  ((Object*)*executable)->at = ((Object*)graph)->at;
  return status;
}
EXPORT int cuGraphLaunch(void* executable, void* stream) {
  ENTER;
  CONTEXT;
  if (!is(executable, EXECUTABLE) || !is(stream, STREAM)) return INVALID_HANDLE;
  clock_ms += ((Object*)executable)->at;
  return 0;
}
EXPORT int cuGraphExecDestroy(void* executable) { return destroy(executable, EXECUTABLE, entered(__func__)); }
EXPORT int cuGraphDestroy(void* graph) { return destroy(graph, GRAPH, entered(__func__)); }
EXPORT int cuStreamSynchronize(void* stream) {
  ENTER;
  CONTEXT;
  return is(stream, STREAM) ? 0 : INVALID_HANDLE;
}
EXPORT int cuEventCreate(void** event, unsigned flags) {
  (void)flags;
  ENTER;
  CONTEXT;
  return create(event, EVENT);
}
EXPORT int cuEventDestroy_v2(void* event) { return destroy(event, EVENT, entered(__func__)); }
EXPORT int cuEventRecord(void* event, void* stream) {
  ENTER;
  CONTEXT;
  if (!is(event, EVENT) || !is(stream, STREAM)) return INVALID_HANDLE;
  ((Object*)event)->at = clock_ms;
  return 0;
}
EXPORT int cuEventSynchronize(void* event) {
  ENTER;
  CONTEXT;
  return is(event, EVENT) ? 0 : INVALID_HANDLE;
}
EXPORT int cuEventElapsedTime(float* ms, void* from, void* to) {
  ENTER;
  CONTEXT;
  if (!is(from, EVENT) || !is(to, EVENT)) return INVALID_HANDLE;
  *ms = (float)(((Object*)to)->at - ((Object*)from)->at);
  return 0;
}

EXPORT int cuMemAlloc_v2(uint64_t* pointer, size_t bytes) {
  ENTER;
  CONTEXT;
  if (bytes == 0) return 1;
  if (live_bytes + bytes > (size_t)number("STUB_MEMORY", 1L << 32)) return OUT_OF_MEMORY;
  Block* block = malloc(sizeof(Block) + bytes);
  if (!block) return OUT_OF_MEMORY;
  *block = (Block){blocks, NULL, bytes, 0};
  if (blocks) blocks->previous = block;
  blocks = block;
  live_bytes += bytes;
  live++;
  *pointer = (uint64_t)(uintptr_t)(block + 1);
  return 0;
}
EXPORT int cuMemFree_v2(uint64_t pointer) {
  const int injected = entered(__func__);
  CONTEXT;
  for (Block* block = blocks; block; block = block->next)
    if ((uint64_t)(uintptr_t)(block + 1) == pointer) {
      free_block(block);
      return injected;
    }
  return 1;
}
EXPORT int cuMemcpyHtoD_v2(uint64_t to, const void* from, size_t bytes) {
  ENTER;
  CONTEXT;
  memcpy((void*)(uintptr_t)to, from, bytes);
  return 0;
}
EXPORT int cuMemcpyDtoH_v2(void* to, uint64_t from, size_t bytes) {
  ENTER;
  CONTEXT;
  memcpy(to, (const void*)(uintptr_t)from, bytes);
  return 0;
}
EXPORT int cuGetErrorName(int status, const char** name) {
  *name = status == OUT_OF_MEMORY    ? "CUDA_ERROR_OUT_OF_MEMORY"
          : status == NO_DEVICE      ? "CUDA_ERROR_NO_DEVICE"
          : status == INVALID_DEVICE ? "CUDA_ERROR_INVALID_DEVICE"
          : status == 719            ? "CUDA_ERROR_LAUNCH_FAILED"
                                     : NULL;
  return *name ? 0 : 1;
}
EXPORT int cuGetErrorString(int status, const char** text) {
  *text = status == OUT_OF_MEMORY ? "out of memory" : status == NO_DEVICE ? "no CUDA-capable device is detected" : NULL;
  return *text ? 0 : 1;
}

/* ---- cuDNN ---- */

EXPORT size_t cudnnGetVersion(void) { return (size_t)number("STUB_CUDNN", 90100); }
EXPORT const char* cudnnGetErrorString(int status) {
  return status == NOT_SUPPORTED ? "CUDNN_STATUS_NOT_SUPPORTED"
         : status == BAD_PARAM   ? "CUDNN_STATUS_BAD_PARAM"
         : status == 0           ? "CUDNN_STATUS_SUCCESS"
                                 : "CUDNN_STATUS_EXECUTION_FAILED";
}
EXPORT int cudnnCreate(void** handle) {
  ENTER;
  CONTEXT;
  return create(handle, HANDLE);
}
EXPORT int cudnnDestroy(void* handle) { return destroy(handle, HANDLE, entered(__func__)); }
EXPORT int cudnnSetStream(void* handle, void* stream) {
  ENTER;
  return is(handle, HANDLE) && is(stream, STREAM) ? 0 : BAD_PARAM;
}
EXPORT int cudnnCreateTensorDescriptor(void** d) {
  ENTER;
  return create(d, TENSOR);
}
EXPORT int cudnnDestroyTensorDescriptor(void* d) { return destroy(d, TENSOR, entered(__func__)); }
EXPORT int cudnnCreateFilterDescriptor(void** d) {
  ENTER;
  return create(d, FILTER);
}
EXPORT int cudnnDestroyFilterDescriptor(void* d) { return destroy(d, FILTER, entered(__func__)); }
EXPORT int cudnnCreateConvolutionDescriptor(void** d) {
  ENTER;
  return create(d, CONVOLUTION);
}
EXPORT int cudnnDestroyConvolutionDescriptor(void* d) { return destroy(d, CONVOLUTION, entered(__func__)); }
EXPORT int cudnnCreateActivationDescriptor(void** d) {
  ENTER;
  return create(d, ACTIVATION);
}
EXPORT int cudnnDestroyActivationDescriptor(void* d) { return destroy(d, ACTIVATION, entered(__func__)); }

static int set_dims(Object* o, int type, int format, int a, int b, int c, int d) {
  if (a < 1 || b < 1 || c < 1 || d < 1 || (type != 0 && type != 2) || (format != 0 && format != 1)) return BAD_PARAM;
  o->d[0] = a;
  o->d[1] = b;
  o->d[2] = c;
  o->d[3] = d;
  o->type = type;
  o->format = format;
  return 0;
}
EXPORT int cudnnSetTensor4dDescriptor(void* t, int format, int type, int n, int c, int h, int w) {
  ENTER;
  return is(t, TENSOR) ? set_dims(t, type, format, n, c, h, w) : BAD_PARAM;
}
EXPORT int cudnnSetFilter4dDescriptor(void* f, int type, int format, int k, int c, int h, int w) {
  ENTER;
  return is(f, FILTER) ? set_dims(f, type, format, k, c, h, w) : BAD_PARAM;
}
EXPORT int cudnnSetConvolution2dDescriptor(void* d, int ph, int pw, int sh, int sw, int dh, int dw, int mode, int type) {
  ENTER;
  if (!is(d, CONVOLUTION) || ph < 0 || pw < 0 || sh < 1 || sw < 1 || dh < 1 || dw < 1 || mode != 1 || type != 0) return BAD_PARAM;
  Object* o = d;
  o->pad[0] = ph;
  o->pad[1] = pw;
  o->stride[0] = sh;
  o->stride[1] = sw;
  o->dilation[0] = dh;
  o->dilation[1] = dw;
  return 0;
}
EXPORT int cudnnSetConvolutionGroupCount(void* d, int groups) {
  ENTER;
  if (!is(d, CONVOLUTION) || groups < 1) return BAD_PARAM;
  ((Object*)d)->groups = groups;
  return 0;
}
EXPORT int cudnnSetConvolutionMathType(void* d, int math) {
  ENTER;
  if (!is(d, CONVOLUTION) || math < 0 || math > 3) return BAD_PARAM;
  ((Object*)d)->math = math;
  return 0;
}
EXPORT int cudnnSetActivationDescriptor(void* d, int mode, int nan, double coefficient) {
  (void)nan;
  (void)coefficient;
  ENTER;
  if (!is(d, ACTIVATION)) return BAD_PARAM;
  ((Object*)d)->mode = mode;
  return 0;
}
static int extent(int in, int pad, int dilation, int kernel, int stride) {
  return (in + 2 * pad - (dilation * (kernel - 1) + 1)) / stride + 1;
}
EXPORT int cudnnGetConvolution2dForwardOutputDim(void* cd, void* xd, void* wd, int* n, int* c, int* h, int* w) {
  ENTER;
  const Object *conv = cd, *x = xd, *f = wd;
  if (!is(conv, CONVOLUTION) || !is(x, TENSOR) || !is(f, FILTER) || x->d[1] != f->d[1] * conv->groups) return BAD_PARAM;
  *n = x->d[0];
  *c = f->d[0];
  *h = extent(x->d[2], conv->pad[0], conv->dilation[0], f->d[2], conv->stride[0]);
  *w = extent(x->d[3], conv->pad[1], conv->dilation[1], f->d[3], conv->stride[1]);
  return 0;
}

/* Algorithms 0, 1 and 6 exist; 6 (Winograd) for 3x3 at stride 1 in NCHW only, and with much workspace. */
static int workspace_of(const Object* conv, const Object* x, const Object* w, const Object* y, int algorithm, size_t* bytes) {
  const size_t out = (size_t)y->d[0] * (size_t)y->d[1] * (size_t)y->d[2] * (size_t)y->d[3];
  if (algorithm == 0) *bytes = 0;
  else if (algorithm == 1) *bytes = 64 + out;
  else if (algorithm == 6 && w->d[2] == 3 && w->d[3] == 3 && conv->stride[0] == 1 && conv->stride[1] == 1 && x->format == 0)
    *bytes = 64 + 16 * out;
  else return NOT_SUPPORTED;
  return 0;
}
/* Milliseconds: a staircase of 32 output channels; 6 is the fastest, then 1, then 0; half the time where tensor cores help. */
static double cost(const Object* conv, const Object* w, const Object* y, int algorithm) {
  const double channels = ceil(w->d[0] / 32.0) * 32;
  const double operations = 2.0 * channels * w->d[1] * w->d[2] * w->d[3] * y->d[0] * y->d[2] * y->d[3];
  const double rate = (algorithm == 6 ? 4e9 : algorithm == 1 ? 2e9 : 1e9) * (conv->math == 1 ? 2 : 1);
  return 0.003 + operations / rate;
}
EXPORT int cudnnGetConvolutionForwardWorkspaceSize(void* handle, void* x, void* w, void* conv, void* y, int algorithm,
                                                   size_t* bytes) {
  ENTER;
  if (!is(handle, HANDLE) || !is(x, TENSOR) || !is(w, FILTER) || !is(conv, CONVOLUTION) || !is(y, TENSOR)) return BAD_PARAM;
  return workspace_of(conv, x, w, y, algorithm, bytes);
}
typedef struct {
  int algorithm, status;
  float time;
  size_t memory;
  int determinism, math, reserved[3];
} Performance;

EXPORT int cudnnFindConvolutionForwardAlgorithmEx(void* handle, void* xd, const void* x, void* wd, const void* w, void* cd,
                                                  void* yd, void* y, int requested, int* returned, Performance* results,
                                                  void* workspace, size_t bytes) {
  ENTER;
  CONTEXT;
  if (!is(handle, HANDLE) || !x || !w || !y || (bytes > 0 && !workspace)) return BAD_PARAM;
  if (workspace) memset(workspace, 1, bytes);
  const int misled = number("STUB_MISLED", 0) != 0;
  const int order[] = {misled ? 0 : 6, 1, misled ? 6 : 0, 3};
  int count = 0;
  for (int pass = 0; pass < 2; pass++) { /* those that work first */
    for (int i = 0; i < 4 && count < requested; i++) {
      size_t needs = 0;
      int status = workspace_of(cd, xd, wd, yd, order[i], &needs);
      if (status == 0 && needs > bytes) status = 4;
      if ((status == 0) != (pass == 0)) continue;
      memset(&results[count], 0, sizeof(Performance));
      results[count].algorithm = order[i];
      results[count].status = status;
      results[count].time = status ? -1.0f : (float)cost(cd, wd, yd, order[misled ? 2 - i : i]);
      results[count].memory = needs;
      results[count].math = ((Object*)cd)->math;
      count++;
    }
  }
  *returned = count;
  return 0;
}

static size_t at(const Object* t, int n, int c, int h, int w) {
  const size_t C = (size_t)t->d[1], H = (size_t)t->d[2], W = (size_t)t->d[3];
  return t->format == 0 ? (((size_t)n * C + (size_t)c) * H + (size_t)h) * W + (size_t)w
                        : (((size_t)n * H + (size_t)h) * W + (size_t)w) * C + (size_t)c;
}

static int convolve(void* handle, const Object* xd, const float* x, const Object* wd, const float* w, const Object* conv,
                    int algorithm, void* workspace, size_t bytes, const float* z, const float* bias, int relu,
                    const Object* yd, float* y) {
  if (!is(handle, HANDLE) || !is(xd, TENSOR) || !is(wd, FILTER) || !is(conv, CONVOLUTION) || !is(yd, TENSOR)) return BAD_PARAM;
  size_t needs = 0;
  const int status = workspace_of(conv, xd, wd, yd, algorithm, &needs);
  if (status) return status;
  if (needs > bytes || (needs > 0 && !workspace)) return BAD_PARAM;
  if (needs > 0) memset(workspace, 2, needs);
  if (captured_stream) {
    captured_ms += cost(conv, wd, yd, algorithm);
    return 0;
  }
  clock_ms += cost(conv, wd, yd, algorithm);
  const double macs = (double)yd->d[0] * yd->d[1] * yd->d[2] * yd->d[3] * wd->d[1] * wd->d[2] * wd->d[3];
  if (macs > (double)number("STUB_COMPUTE", LONG_MAX)) return 0;
  if (xd->type != 0) return 0;
  const int per_group_in = wd->d[1], per_group_out = wd->d[0] / conv->groups;
  for (int n = 0; n < yd->d[0]; n++)
    for (int k = 0; k < yd->d[1]; k++)
      for (int i = 0; i < yd->d[2]; i++)
        for (int j = 0; j < yd->d[3]; j++) {
          double sum = bias ? bias[k] : 0;
          for (int c = 0; c < per_group_in; c++)
            for (int r = 0; r < wd->d[2]; r++)
              for (int s = 0; s < wd->d[3]; s++) {
                const int h = i * conv->stride[0] - conv->pad[0] + r * conv->dilation[0];
                const int v = j * conv->stride[1] - conv->pad[1] + s * conv->dilation[1];
                if (h < 0 || v < 0 || h >= xd->d[2] || v >= xd->d[3]) continue;
                sum += (double)x[at(xd, n, k / per_group_out * per_group_in + c, h, v)] * w[at(wd, k, c, r, s)];
              }
          if (z) sum += z[at(yd, n, k, i, j)];
          y[at(yd, n, k, i, j)] = relu && sum < 0 ? 0 : (float)sum;
        }
  return 0;
}
EXPORT int cudnnConvolutionForward(void* handle, const float* alpha, void* xd, const void* x, void* wd, const void* w, void* cd,
                                   int algorithm, void* workspace, size_t bytes, const float* beta, void* yd, void* y) {
  ENTER;
  CONTEXT;
  if (*alpha != 1 || *beta != 0) return BAD_PARAM;
  return convolve(handle, xd, x, wd, w, cd, algorithm, workspace, bytes, NULL, NULL, 0, yd, y);
}
EXPORT int cudnnConvolutionBiasActivationForward(void* handle, const float* alpha, void* xd, const void* x, void* wd,
                                                 const void* w, void* cd, int algorithm, void* workspace, size_t bytes,
                                                 const float* alpha2, void* zd, const void* z, void* bd, const void* bias,
                                                 void* ad, void* yd, void* y) {
  ENTER;
  CONTEXT;
  if (*alpha != 1 || !is(zd, TENSOR) || !z || !is(bd, TENSOR) || !bias || !is(ad, ACTIVATION)) return BAD_PARAM;
  const int mode = ((Object*)ad)->mode;
  if ((mode != 1 && mode != 5) || (mode == 5 && algorithm != 1)) return NOT_SUPPORTED;
  if (algorithm == number("STUB_UNFUSED", -1)) return NOT_SUPPORTED;
  return convolve(handle, xd, x, wd, w, cd, algorithm, workspace, bytes, *alpha2 != 0 ? z : NULL, bias, mode == 1, yd, y);
}
