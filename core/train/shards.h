// Shards computes loss and gradient of a batch with several threads: thread t takes the t-th of T
// fixed chunks of the rows through a network of its own that shares the parameters, and the
// gradients are added in the order of the chunks. One thread is the special case without chunks.
//
//   TY_ASSIGN_OR_RETURN(std::unique_ptr<Shards> shards,
//                       Shards::Create(shape, *kernels, sizes, loss, /*threads=*/2));
//   TY_ASSIGN_OR_RETURN(double value, shards->LossAndGradient(batch, weight, pass));
//   optimizer.Step(lr, shards->network().gradients(), shards->network().parameters());
//
// Chunks pay while every layer is narrow (UseShards); wider networks are better off with the
// kernels' own threads, which then are used here with one chunk. Batch normalisation needs the
// means of the whole batch and takes that road too.
//
// Thread-safety: one caller at a time. The helpers are owned here and joined by the destructor;
// between batches they spin, then yield, then sleep. Determinism: the same bits for the same T;
// dropout does not depend on T at all. Memory: gradients and activations of a chunk per helper.
#ifndef TRAINYARD_CORE_TRAIN_SHARDS_H_
#define TRAINYARD_CORE_TRAIN_SHARDS_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/slices.h"
#include "core/data/batcher.h"
#include "core/nn/loss.h"
#include "core/nn/mlp.h"

namespace trainyard {

// Whether T > 1 threads take a chunk of the batch each, and not the kernels' own threads.
bool UseShards(const MlpConfig& shape, int64_t threads);

class Shards : private Slices {
 public:
  // `sizes.train` are rows of whole batches. Calls SetKernelThreads for the calling thread.
  // Errors: those of Mlp::Create. Out of memory is std::bad_alloc, no thread to be had
  // std::system_error.
  static absl::StatusOr<std::unique_ptr<Shards>> Create(const MlpConfig& shape,
                                                        const Kernels& kernels,
                                                        const BatchSizes& sizes,
                                                        const LossConfig& loss, int64_t threads);
  ~Shards() override;
  Shards(const Shards&) = delete;
  Shards& operator=(const Shards&) = delete;

  // What has the parameters and, after LossAndGradient, the gradients. For evaluation too.
  Mlp& network() { return *leader_; }
  const Mlp& network() const { return *leader_; }

  // The threads, for loops between two gradients; null when there is only one.
  Slices* slices() { return helpers_.empty() ? nullptr : this; }

  // To be called by the thread that calls LossAndGradient when it is not that of Create.
  void UseThisThread() const;

  // Σ w_i L_i / weight and its gradient; see loss.h. Errors: those of Mlp.
  absl::StatusOr<double> LossAndGradient(const Batch& batch, double weight, const TrainPass& pass);

  // Mlp::FindNonFinite over all chunks of a batch of `rows`; 0: parameters only.
  std::string FindNonFinite(int64_t rows) const;

 private:
  class Helper;
  enum class Work : uint8_t { kGradient, kAdd, kCall, kEnd };

  Shards(const LossConfig& loss, int64_t chunks, int64_t kernel_threads);
  absl::Status AddHelpers(const MlpConfig& shape, const Kernels& kernels, const BatchSizes& sizes);
  // The first row of chunk `chunk` of a batch. Of few rows the last chunks are empty, never the
  // first.
  int64_t ChunkBegin(int64_t rows, int64_t chunk) const;
  absl::StatusOr<double> ComputeChunk(Mlp& network, int64_t chunk) const;
  void AddSlice(int64_t slice);
  int64_t count() const override { return static_cast<int64_t>(helpers_.size()) + 1; }
  void Run(void (*call)(void* context, int64_t slice), void* context) override;
  // Has every helper do `work`, and `chunk` 0 of it done here.
  template <typename Own>
  void Together(Work work, const Own& own);
  absl::StatusOr<double> SumLosses(absl::StatusOr<double> own) const;

  // Constant after Create.
  const LossConfig loss_;
  const int64_t chunks_;
  const int64_t kernel_threads_;
  std::unique_ptr<Mlp> leader_;
  std::vector<std::unique_ptr<Helper>> helpers_;  // of chunks 1, 2, …

  // What the helpers work on: written before generation_ is raised, read after.
  Batch batch_;
  double weight_ = 1;
  TrainPass pass_;
  Work work_ = Work::kGradient;
  void (*call_)(void* context, int64_t slice) = nullptr;
  void* context_ = nullptr;
  // Each on a cache line of its own: one is read by all helpers while they wait, the other written.
  alignas(64) std::atomic<int> generation_{0};
  alignas(64) std::atomic<int> pending_{0};  // helpers that have not finished
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TRAIN_SHARDS_H_
