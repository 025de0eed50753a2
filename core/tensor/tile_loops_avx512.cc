#include "core/tensor/tile_loops_impl.h"

namespace trainyard {

const TileLoops& TileLoopsAvx512() { return kLoops; }

}  // namespace trainyard
