// What the engine runs on: recorded in receipts and shown by GetServerInfo.
#ifndef TRAINYARD_CORE_TENSOR_ENGINE_INFO_H_
#define TRAINYARD_CORE_TENSOR_ENGINE_INFO_H_

#include <string>

namespace trainyard {

struct EngineInfo {
  std::string onednn_version;  // "2.6.3"
  std::string isa;             // "avx512_bf16", "avx2", "sse41": what oneDNN dispatches to
};

// Thread-safety: any thread. Cheap after the first call.
EngineInfo GetEngineInfo();

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TENSOR_ENGINE_INFO_H_
