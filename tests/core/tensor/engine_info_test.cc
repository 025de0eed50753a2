#include "core/tensor/engine_info.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

TEST(EngineInfoTest, NamesTheLibraryAndTheIsa) {
  const EngineInfo info = GetEngineInfo();
  EXPECT_THAT(info.onednn_version, testing::ContainsRegex("^[0-9]+\\.[0-9]+\\.[0-9]+$"));
  EXPECT_THAT(info.isa, testing::AnyOf("sse41", "avx", "avx2", "avx2_vnni", "avx512", "avx512_vnni",
                                       "avx512_bf16", "avx512_amx"));
}

}  // namespace
}  // namespace trainyard
