#pragma once

#include <string>
#include <vector>

namespace halp {

// Frequencies in kHz, 0 where the system does not tell.
struct CpuInfo {
  std::string model;
  std::vector<std::string> flags;  // as the system names them: avx2, avx512f, asimd
  int logicalCores = 0;
  int physicalCores = 0;         // 0 where the system does not tell
  std::vector<int> allowedCores;  // this thread may run on; empty where the system does not tell
  int currentCore = -1;           // this thread runs on now; -1 where the system does not tell
  std::string governor;           // of that core: "performance", "powersave"; empty where there is none
  double currentKHz = 0, minKHz = 0, maxKHz = 0;
};

CpuInfo readCpu();

// Lets the calling thread run on these cores alone, and threads that it starts later. Returns the cores it was allowed before, to
// be restored by another call. Throws HALP_NATIVE_ARGUMENT, HALP_NATIVE_SYSTEM (not on this system, or refused).
std::vector<int> setThreadAffinity(const std::vector<int>& cores);

}  // namespace halp
