// The one error of the addon: a stable code, and for a driver's or library's refusal which call, which status, its name and text.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace halp {

struct NativeError : std::runtime_error {
  NativeError(std::string code, const std::string& message) : std::runtime_error(message), code(std::move(code)) {}

  NativeError(std::string code, const std::string& what, std::string call, int status, std::string statusName,
              const std::string& text)
      : std::runtime_error(call + ": " + what + " " + std::to_string(status) +
                           (statusName.empty() ? "" : " " + statusName) +
                           (text.empty() || text == statusName ? "" : " (" + text + ")")),
        code(std::move(code)),
        call(std::move(call)),
        status(status),
        statusName(std::move(statusName)) {}

  std::string code;        // HALP_NATIVE_ARGUMENT, HALP_NATIVE_SYSTEM, HALP_CUDA_LIBRARY, HALP_CUDA, HALP_CUDNN, HALP_CUDNN_UNSUPPORTED
  std::string call;        // cuMemAlloc_v2; empty where no call was refused
  int status = 0;          // as the call returned it
  std::string statusName;  // CUDA_ERROR_OUT_OF_MEMORY
};

inline NativeError argumentError(const std::string& message) { return {"HALP_NATIVE_ARGUMENT", message}; }

}  // namespace halp
