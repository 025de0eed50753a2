#include "core/train/shards.h"

#include <algorithm>
#include <limits>
#include <span>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "core/base/check.h"
#include "core/base/status_macros.h"
#include "core/tensor/kernels.h"

namespace trainyard {
namespace {

// Above it oneDNN shares a product out better than chunks do: a chunk reads all weights.
constexpr int64_t kShardUnitsMax = 512;
// A turn of waiting costs about 40 ns while it spins: 40 µs, the length of a short step, and then
// about a millisecond of giving way before a helper sleeps.
constexpr int64_t kSpinsMax = 1'000;
constexpr int64_t kYieldsMax = 1'000;
constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

// Waits until `done` says so, at most `turns_max` turns; false when that was not enough.
template <typename Done>
bool SpinThenYield(const Done& done, int64_t turns_max) {
  for (int64_t turn = 0; turn < turns_max; ++turn) {
    if (done()) return true;
    if (turn < kSpinsMax) {
      __builtin_ia32_pause();
    } else {
      std::this_thread::yield();
    }
  }
  return done();
}

LossTargets TargetsFrom(const Batch& batch, int64_t row, int64_t outputs) {
  const LossTargets targets{
      .values = batch.targets, .classes = batch.classes, .weights = batch.weights};
  return row == 0 ? targets : targets.From(row, outputs);
}

bool IsGradient(absl::string_view name) { return absl::EndsWith(name, "gradients"); }

}  // namespace

bool UseShards(const MlpConfig& shape, int64_t threads) {
  return threads > 1 && shape.outputs <= kShardUnitsMax &&
         std::all_of(shape.layers.begin(), shape.layers.end(), [](const LayerConfig& layer) {
           return layer.units <= kShardUnitsMax && layer.normalization != Normalization::kBatch;
         });
}

// One thread, its network and what it last found.
class Shards::Helper {
 public:
  Helper(Shards* shards, int64_t chunk, std::unique_ptr<Mlp> network)
      : shards_(shards), chunk_(chunk), network_(std::move(network)) {
    thread_ = std::thread([this] { Run(); });
  }
  ~Helper() { thread_.join(); }
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;

  const Mlp& network() const { return *network_; }
  const absl::StatusOr<double>& loss() const { return loss_; }

 private:
  void Run() {
    SetKernelThreads(1);  // OpenMP keeps it per thread
    int seen = 0;
    while (true) {
      WaitForWork(seen);
      ++seen;
      if (shards_->work_ == Work::kEnd) return;
      Do(shards_->work_);
      shards_->pending_.fetch_sub(1, std::memory_order_release);
    }
  }

  void WaitForWork(int seen) const {
    std::atomic<int>& generation = shards_->generation_;
    const auto called = [&] { return generation.load(std::memory_order_acquire) != seen; };
    if (SpinThenYield(called, kSpinsMax + kYieldsMax)) return;
    generation.wait(seen, std::memory_order_acquire);
  }

  void Do(Work work) {
    if (work == Work::kGradient) loss_ = shards_->ComputeChunk(*network_, chunk_);
    if (work == Work::kAdd) shards_->AddSlice(chunk_);
    if (work == Work::kCall) shards_->call_(shards_->context_, chunk_);
  }

  Shards* const shards_;
  const int64_t chunk_;
  const std::unique_ptr<Mlp> network_;
  absl::StatusOr<double> loss_ = 0.0;
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<Shards>> Shards::Create(const MlpConfig& shape,
                                                       const Kernels& kernels,
                                                       const BatchSizes& sizes,
                                                       const LossConfig& loss, int64_t threads) {
  const bool chunked = UseShards(shape, threads);
  std::unique_ptr<Shards> shards(new Shards(loss, chunked ? threads : 1, chunked ? 1 : threads));
  shards->UseThisThread();  // kernels are planned for so many
  BatchSizes own{.forward = sizes.forward};
  for (const int64_t rows : sizes.train) own.train.push_back(shards->ChunkBegin(rows, 1));
  TY_ASSIGN_OR_RETURN(shards->leader_, Mlp::Create(shape, kernels, own));
  TY_RETURN_IF_ERROR(shards->AddHelpers(shape, kernels, sizes));
  return shards;
}

Shards::Shards(const LossConfig& loss, int64_t chunks, int64_t kernel_threads)
    : loss_(loss), chunks_(chunks), kernel_threads_(kernel_threads) {}

Shards::~Shards() {
  work_ = Work::kEnd;
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  helpers_.clear();
}

absl::Status Shards::AddHelpers(const MlpConfig& shape, const Kernels& kernels,
                                const BatchSizes& sizes) {
  for (int64_t chunk = 1; chunk < chunks_; ++chunk) {
    BatchSizes own;
    for (const int64_t rows : sizes.train) {
      const int64_t count = ChunkBegin(rows, chunk + 1) - ChunkBegin(rows, chunk);
      if (count > 0) own.train.push_back(count);
    }
    if (own.train.empty()) return absl::OkStatus();  // more threads than rows
    TY_ASSIGN_OR_RETURN(std::unique_ptr<Mlp> network,
                        Mlp::Create(shape, kernels, own, leader_.get()));
    helpers_.push_back(std::make_unique<Helper>(this, chunk, std::move(network)));
  }
  return absl::OkStatus();
}

void Shards::UseThisThread() const { SetKernelThreads(kernel_threads_); }

int64_t Shards::ChunkBegin(int64_t rows, int64_t chunk) const {
  const int64_t chunk_rows = (rows + chunks_ - 1) / chunks_;
  return std::min(rows, chunk * chunk_rows);
}

absl::StatusOr<double> Shards::LossAndGradient(const Batch& batch, double weight,
                                               const TrainPass& pass) {
  batch_ = batch;
  weight_ = weight;
  pass_ = pass;
  if (helpers_.empty()) return ComputeChunk(*leader_, 0);
  absl::StatusOr<double> own = 0.0;
  Together(Work::kGradient, [&] { own = ComputeChunk(*leader_, 0); });
  Together(Work::kAdd, [&] { AddSlice(0); });
  return SumLosses(std::move(own));
}

absl::StatusOr<double> Shards::ComputeChunk(Mlp& network, int64_t chunk) const {
  const int64_t begin = ChunkBegin(batch_.rows, chunk);
  const int64_t rows = ChunkBegin(batch_.rows, chunk + 1) - begin;
  if (rows == 0) return 0.0;
  const MlpConfig& shape = network.config();
  const float* x = batch_.features + begin * shape.features;
  TrainPass pass = pass_;
  pass.first_row += begin;
  TY_RETURN_IF_ERROR(network.ForwardTrain(x, rows, pass));
  const double loss =
      trainyard::LossAndGradient(loss_, network.logits(), TargetsFrom(batch_, begin, shape.outputs),
                                 rows, shape.outputs, weight_, network.logit_gradients());
  TY_RETURN_IF_ERROR(network.Backward(x, rows));
  return loss;
}

// Adds the helpers' gradients to the leader's, in the order of the chunks, for one slice of the
// parameters.
void Shards::AddSlice(int64_t slice) {
  const std::span<float> sum = leader_->gradients();
  const auto size = static_cast<int64_t>(sum.size());
  const int64_t begin = SliceBegin(size, slice, count(), kSliceBorder);
  const int64_t end = SliceBegin(size, slice + 1, count(), kSliceBorder);
  for (size_t h = 0; h < helpers_.size(); ++h) {
    const auto chunk = static_cast<int64_t>(h) + 1;
    if (ChunkBegin(batch_.rows, chunk) == ChunkBegin(batch_.rows, chunk + 1)) continue;
    const float* __restrict addend = helpers_[h]->network().gradients().data();
    float* __restrict total = sum.data();
    for (int64_t i = begin; i < end; ++i) total[i] += addend[i];
  }
}

void Shards::Run(void (*call)(void* context, int64_t slice), void* context) {
  call_ = call;
  context_ = context;
  Together(Work::kCall, [&] { call(context, 0); });
}

template <typename Own>
void Shards::Together(Work work, const Own& own) {
  work_ = work;
  pending_.store(static_cast<int>(helpers_.size()), std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  own();
  SpinThenYield([&] { return pending_.load(std::memory_order_acquire) == 0; }, kForever);
}

absl::StatusOr<double> Shards::SumLosses(absl::StatusOr<double> own) const {
  if (!own.ok()) return own;
  double sum = *own;
  for (const std::unique_ptr<Helper>& helper : helpers_) {
    if (!helper->loss().ok()) return helper->loss();
    sum += *helper->loss();
  }
  return sum;
}

std::string Shards::FindNonFinite(int64_t rows) const {
  std::string found = leader_->FindNonFinite(ChunkBegin(rows, 1));
  for (size_t h = 0; h < helpers_.size() && (found.empty() || IsGradient(found)); ++h) {
    const auto chunk = static_cast<int64_t>(h) + 1;
    const int64_t count = ChunkBegin(rows, chunk + 1) - ChunkBegin(rows, chunk);
    if (count == 0) continue;
    // The sum of the gradients is the leader's: an output of a chunk comes before it.
    std::string in_chunk = helpers_[h]->network().FindNonFinite(count);
    if (found.empty() || (!in_chunk.empty() && !IsGradient(in_chunk))) found = std::move(in_chunk);
  }
  return found;
}

}  // namespace trainyard
