#include "dynamic-library.h"

#include "native-error.h"

#ifndef _WIN32
#include <dlfcn.h>
#endif

namespace halp {

#ifdef _WIN32

DynamicLibrary::DynamicLibrary(const std::vector<std::string>&) {
  throw NativeError("HALP_CUDA_LIBRARY", "CUDA is not reached on this system: halp opens its libraries on Linux only.");
}
DynamicLibrary::~DynamicLibrary() = default;
void* DynamicLibrary::symbol(const char*) const { return nullptr; }

#else

DynamicLibrary::DynamicLibrary(const std::vector<std::string>& names) {
  std::string failures;
  for (const auto& name : names) {
    // NODELETE: a driver may leave threads and exit handlers behind, so its code has to stay mapped.
    handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle_) {
      name_ = name;
      return;
    }
    const char* reason = dlerror();
    failures += "\n  " + (reason ? std::string(reason) : name + ": cannot be opened");
  }
  throw NativeError("HALP_CUDA_LIBRARY", "None of the libraries could be opened:" + failures);
}

DynamicLibrary::~DynamicLibrary() {
  if (handle_) dlclose(handle_);
}

void* DynamicLibrary::symbol(const char* name) const {
  void* address = dlsym(handle_, name);
  if (!address) throw NativeError("HALP_CUDA_LIBRARY", name_ + " has no function " + name + "; it is too old or not what it is named.");
  return address;
}

#endif

}  // namespace halp
