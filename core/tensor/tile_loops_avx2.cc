#include "core/tensor/tile_loops_impl.h"

namespace trainyard {

const TileLoops& TileLoopsAvx2() { return kLoops; }

}  // namespace trainyard
