#include "core/tensor/tile_loops_impl.h"

namespace trainyard {

const TileLoops& TileLoopsBaseline() { return kLoops; }

}  // namespace trainyard
