#pragma once

#include <string>
#include <vector>

namespace halp {

// A shared library opened at run time, closed when the object goes. Nothing of it is linked, so halp loads without it.
class DynamicLibrary {
 public:
  // Opens the first of the names that can be opened. Throws HALP_CUDA_LIBRARY naming all that were tried and why they failed.
  explicit DynamicLibrary(const std::vector<std::string>& names);
  ~DynamicLibrary();
  DynamicLibrary(const DynamicLibrary&) = delete;
  DynamicLibrary& operator=(const DynamicLibrary&) = delete;

  // Address of a function. Throws HALP_CUDA_LIBRARY where the library lacks it.
  void* symbol(const char* name) const;

 private:
  void* handle_ = nullptr;
  std::string name_;
};

}  // namespace halp
