#include "cpu.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>
#include <utility>

#include "native-error.h"

#if defined(__linux__)
#include <sched.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace halp {

namespace {

std::vector<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> result;
  for (std::string word; stream >> word;) result.push_back(word);
  return result;
}

#if defined(__linux__)

std::string firstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

double kiloHertz(const std::string& path) {
  const std::string line = firstLine(path);
  return line.empty() ? 0 : std::strtod(line.c_str(), nullptr);
}

// A mask of the kernel's size: machines with more than 1,024 cores need more than a cpu_set_t.
class CpuSet {
 public:
  explicit CpuSet(int cores) : cores_(cores), bytes_(CPU_ALLOC_SIZE(cores)), set_(CPU_ALLOC(cores)) {
    if (!set_) throw NativeError("HALP_NATIVE_SYSTEM", "CPU_ALLOC: out of memory.");
    CPU_ZERO_S(bytes_, set_);
  }
  ~CpuSet() { CPU_FREE(set_); }
  CpuSet(const CpuSet&) = delete;
  CpuSet& operator=(const CpuSet&) = delete;
  cpu_set_t* get() { return set_; }
  std::size_t bytes() const { return bytes_; }
  void add(int core) { CPU_SET_S(static_cast<std::size_t>(core), bytes_, set_); }
  std::vector<int> list() const {
    std::vector<int> result;
    for (int i = 0; i < cores_; i++) {
      if (CPU_ISSET_S(static_cast<std::size_t>(i), bytes_, set_)) result.push_back(i);
    }
    return result;
  }

 private:
  int cores_;
  std::size_t bytes_;
  cpu_set_t* set_;
};

constexpr int kMostCores = 8192;

std::vector<int> allowedCores() {
  CpuSet set(kMostCores);
  if (sched_getaffinity(0, set.bytes(), set.get()) != 0) return {};
  return set.list();
}

// /proc/cpuinfo: x86 has "model name", "flags" and core ids, Arm has "Features".
void readProcCpuinfo(CpuInfo& info) {
  std::ifstream file("/proc/cpuinfo");
  std::set<std::pair<std::string, std::string>> cores;
  std::string package, line;
  while (std::getline(file, line)) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    const auto keyEnd = line.find_last_not_of(" \t", colon == 0 ? 0 : colon - 1);
    const std::string key = line.substr(0, keyEnd + 1);
    const auto valueStart = line.find_first_not_of(" \t", colon + 1);
    const std::string value = valueStart == std::string::npos ? "" : line.substr(valueStart);
    if (info.model.empty() && (key == "model name" || key == "Model" || key == "cpu model")) info.model = value;
    if (info.flags.empty() && (key == "flags" || key == "Features")) info.flags = words(value);
    if (key == "physical id") package = value;
    if (key == "core id") cores.emplace(package, value);
  }
  info.physicalCores = static_cast<int>(cores.size());
}

#elif defined(__APPLE__)

std::string sysctlText(const char* name) {
  std::size_t size = 0;
  if (sysctlbyname(name, nullptr, &size, nullptr, 0) != 0 || size == 0) return "";
  std::string text(size, '\0');
  if (sysctlbyname(name, text.data(), &size, nullptr, 0) != 0) return "";
  return text.c_str();
}

#endif

}  // namespace

CpuInfo readCpu() {
  CpuInfo info;
  info.logicalCores = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
  readProcCpuinfo(info);
  info.allowedCores = allowedCores();
  info.currentCore = sched_getcpu();
  const std::string cpufreq = "/sys/devices/system/cpu/cpu" + std::to_string(info.currentCore < 0 ? 0 : info.currentCore) + "/cpufreq/";
  info.governor = firstLine(cpufreq + "scaling_governor");
  info.currentKHz = kiloHertz(cpufreq + "scaling_cur_freq");
  info.minKHz = kiloHertz(cpufreq + "cpuinfo_min_freq");
  info.maxKHz = kiloHertz(cpufreq + "cpuinfo_max_freq");
#elif defined(__APPLE__)
  info.model = sysctlText("machdep.cpu.brand_string");
  info.flags = words(sysctlText("machdep.cpu.features") + " " + sysctlText("machdep.cpu.leaf7_features"));
  int physical = 0;
  std::size_t size = sizeof physical;
  if (sysctlbyname("hw.physicalcpu", &physical, &size, nullptr, 0) == 0) info.physicalCores = physical;
#endif
  return info;
}

std::vector<int> setThreadAffinity(const std::vector<int>& cores) {
#if defined(__linux__)
  if (cores.empty()) throw argumentError("At least one core is needed to run on.");
  CpuSet set(kMostCores);
  for (const int core : cores) {
    if (core < 0 || core >= kMostCores) {
      throw argumentError("Cores are numbered from 0 to " + std::to_string(kMostCores - 1) + "; got " + std::to_string(core) + ".");
    }
    set.add(core);
  }
  std::vector<int> before = allowedCores();
  if (sched_setaffinity(0, set.bytes(), set.get()) != 0) {
    std::string list;
    for (const int core : cores) list += (list.empty() ? "" : ", ") + std::to_string(core);
    const int error = errno;
    throw NativeError("HALP_NATIVE_SYSTEM", std::string("sched_setaffinity: this thread may not run on ") +
                                                (cores.size() == 1 ? "core " : "cores ") + list + " (" + std::strerror(error) + ").");
  }
  return before;
#else
  (void)cores;
  throw NativeError("HALP_NATIVE_SYSTEM", "Threads cannot be pinned to a core on this system.");
#endif
}

}  // namespace halp
