// The only file that includes dnnl.hpp. oneDNN's matmul primitive on plain row-major arrays: no
// reorders, bias and activation fused as post-ops, everything built before the first step. Its C++
// wrappers throw while building; that is caught in CreateLinear. Execution goes through the C
// functions, which return a code and copy no argument maps.
#include <array>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/status_macros.h"
#include "core/tensor/engine_info.h"
#include "core/tensor/kernels.h"
#include "core/tensor/matrix.h"
#include "core/tensor/vector_ops.h"
#include "dnnl.hpp"

// From libgomp. clang has no omp.h for it.
extern "C" void omp_set_num_threads(int threads);

namespace trainyard {
namespace {

using Dims = dnnl::memory::dims;
using Desc = dnnl::memory::desc;

using Type = dnnl::memory::data_type;

Desc RowMajor(int64_t rows, int64_t cols, Type type = Type::f32) {
  return Desc(Dims{rows, cols}, type, Dims{cols, 1});
}

// The transpose of a row-major [cols, rows] array, as [rows, cols], without moving it.
Desc Transposed(int64_t rows, int64_t cols, Type type = Type::f32) {
  return Desc(Dims{rows, cols}, type, Dims{1, rows});
}

absl::Status LibraryError(absl::string_view what, dnnl_status_t code) {
  return absl::InternalError(absl::StrCat("oneDNN cannot ", what, " (status ", code, ")"));
}

// The activations fused into the matmul. The others are one more pass over the outputs: oneDNN's
// ReLU turns NaN into 0, which would hide a diverged layer from the finite check (PyTorch's keeps
// it), and the rest must not differ between kernels.
std::optional<dnnl::algorithm> EltwiseOf(Activation activation) {
  switch (activation) {
    case Activation::kSigmoid:
      return dnnl::algorithm::eltwise_logistic;
    case Activation::kTanh:
      return dnnl::algorithm::eltwise_tanh;
    default:
      return std::nullopt;
  }
}

struct MatmulDescs {
  Desc src, weights, dst;
  std::optional<Desc> bias;
  std::optional<dnnl::algorithm> activation;
};

// One prepared matmul. dst = act(src·weights [+ bias]).
class Matmul {
 public:
  // Throws dnnl::error.
  Matmul(const MatmulDescs& descs, const dnnl::engine& engine) {
    const dnnl::matmul::primitive_desc plan(Description(descs), Attributes(descs), engine);
    primitive_ = dnnl::matmul(plan);
    scratchpad_ = AllocateFloats(static_cast<int64_t>(plan.scratchpad_desc().get_size() + 3) / 4);
    Add(DNNL_ARG_SRC, descs.src, engine);
    Add(DNNL_ARG_WEIGHTS, descs.weights, engine);
    Add(DNNL_ARG_DST, descs.dst, engine);
    if (descs.bias) Add(DNNL_ARG_BIAS, *descs.bias, engine);
    Add(DNNL_ARG_SCRATCHPAD, plan.scratchpad_desc(), engine);
    handles_[count_ - 1] = scratchpad_.get();
    memories_[count_ - 1].set_data_handle(scratchpad_.get());
  }

  // `bias` is null where none was described. The const_casts are the C interface's: it writes only
  // to dst.
  absl::Status Run(const dnnl::stream& stream, const void* src, const void* weights,
                   const float* bias, float* dst) {
    SetHandle(0, const_cast<void*>(src));
    SetHandle(1, const_cast<void*>(weights));
    SetHandle(2, dst);
    if (bias != nullptr) SetHandle(3, const_cast<float*>(bias));
    const dnnl_status_t code =
        dnnl_primitive_execute(primitive_.get(), stream.get(), count_, args_.data());
    return code == dnnl_success ? absl::OkStatus() : LibraryError("run a matmul", code);
  }

 private:
  static dnnl::matmul::desc Description(const MatmulDescs& descs) {
    if (!descs.bias) return dnnl::matmul::desc(descs.src, descs.weights, descs.dst);
    return dnnl::matmul::desc(descs.src, descs.weights, *descs.bias, descs.dst);
  }

  static dnnl::primitive_attr Attributes(const MatmulDescs& descs) {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (!descs.activation) return attributes;
    dnnl::post_ops operations;
    operations.append_eltwise(/*scale=*/1, *descs.activation, /*alpha=*/0, /*beta=*/0);
    attributes.set_post_ops(operations);
    return attributes;
  }

  void Add(int argument, const Desc& desc, const dnnl::engine& engine) {
    memories_[count_] = dnnl::memory(desc, engine, nullptr);
    args_[count_] = {argument, memories_[count_].get()};
    ++count_;
  }

  // In training the arrays are the same at every step, so this is a comparison.
  void SetHandle(int index, void* p) {
    if (handles_[index] == p) return;
    handles_[index] = p;
    TY_CHECK(dnnl_memory_set_data_handle(memories_[index].get(), p) == dnnl_success);
  }

  static constexpr size_t kArgumentsMax = 5;
  dnnl::matmul primitive_;
  AlignedFloats scratchpad_;
  std::array<dnnl::memory, kArgumentsMax> memories_;
  std::array<dnnl_exec_arg_t, kArgumentsMax> args_{};
  std::array<void*, kArgumentsMax> handles_{};
  int count_ = 0;
};

// An array as a matmul reads it: itself, or a copy rounded to bfloat16.
class Operand {
 public:
  Operand(Precision precision, int64_t count) : count_(count) {
    if (precision == Precision::kBf16) rounded_ = AllocateFloats((count + 1) / 2);
  }

  // The array to hand to a matmul, valid as long as `values` and until the next call.
  const void* Prepare(const float* values) {
    if (rounded_ == nullptr) return values;
    RoundToBf16(values, bits(), count_);
    return bits();
  }
  // The same without rounding again. REQUIRES: `values` are those of the last Prepare.
  const void* Prepared(const float* values) {
    return rounded_ == nullptr ? static_cast<const void*>(values) : bits();
  }

 private:
  uint16_t* bits() { return reinterpret_cast<uint16_t*>(rounded_.get()); }

  const int64_t count_;
  AlignedFloats rounded_;  // null in float precision
};

class DnnlLinear : public LinearKernel {
 public:
  // Throws dnnl::error.
  DnnlLinear(const LinearShape& shape, const dnnl::engine& engine)
      : shape_(shape),
        stream_(engine),
        x_(shape.precision, shape.batch * shape.in),
        weights_(shape.precision, shape.in * shape.out),
        dz_(shape.precision, shape.backward ? shape.batch * shape.out : 0),
        forward_({.src = RowMajor(shape.batch, shape.in, type()),
                  .weights = RowMajor(shape.in, shape.out, type()),
                  .dst = RowMajor(shape.batch, shape.out),
                  .bias = shape.bias ? std::optional<Desc>(RowMajor(1, shape.out)) : std::nullopt,
                  .activation = EltwiseOf(shape.activation)},
                 engine) {
    TY_CHECK(!shape.backward || !GradientNeedsInput(shape.activation));
    if (!shape.backward) return;
    weight_gradient_.emplace(MatmulDescs{.src = Transposed(shape.in, shape.batch, type()),
                                         .weights = RowMajor(shape.batch, shape.out, type()),
                                         .dst = RowMajor(shape.in, shape.out)},
                             engine);
    if (!shape.input_gradient) return;
    input_gradient_.emplace(MatmulDescs{.src = RowMajor(shape.batch, shape.out, type()),
                                        .weights = Transposed(shape.out, shape.in, type()),
                                        .dst = RowMajor(shape.batch, shape.in)},
                            engine);
  }

  absl::Status Forward(const float* x, const float* weights, const float* biases,
                       float* y) override {
    TY_RETURN_IF_ERROR(forward_.Run(stream_, x_.Prepare(x), weights_.Prepare(weights),
                                    shape_.bias ? biases : nullptr, y));
    if (!EltwiseOf(shape_.activation)) {
      ApplyActivation(shape_.activation, shape_.alpha, y, y, shape_.batch * shape_.out);
    }
    return absl::OkStatus();
  }

  absl::Status Backward(const float* x, const float* weights, const float* y, float* dy,
                        const LinearGradients& gradients) override {
    TY_CHECK(weight_gradient_.has_value());
    ApplyActivationGradient(shape_.activation, shape_.alpha, nullptr, y, dy,
                            shape_.batch * shape_.out);
    if (shape_.bias) ColumnSums(dy, shape_.batch, shape_.out, gradients.biases);
    const void* dz = dz_.Prepare(dy);
    TY_RETURN_IF_ERROR(
        weight_gradient_->Run(stream_, x_.Prepared(x), dz, nullptr, gradients.weights));
    if (!input_gradient_) return absl::OkStatus();
    return input_gradient_->Run(stream_, dz, weights_.Prepared(weights), nullptr, gradients.input);
  }

 private:
  Type type() const { return shape_.precision == Precision::kBf16 ? Type::bf16 : Type::f32; }

  const LinearShape shape_;
  dnnl::stream stream_;
  Operand x_, weights_, dz_;
  Matmul forward_;
  std::optional<Matmul> weight_gradient_;
  std::optional<Matmul> input_gradient_;
};

class DnnlKernels : public Kernels {
 public:
  absl::StatusOr<std::unique_ptr<LinearKernel>> CreateLinear(
      const LinearShape& shape) const override {
    if (!SupportsPrecision(shape.precision)) {
      return absl::FailedPreconditionError("this machine has no bfloat16 products");
    }
    try {
      return std::make_unique<DnnlLinear>(shape, engine_);
    } catch (const dnnl::error& error) {
      if (error.status == dnnl_out_of_memory) throw std::bad_alloc();
      return LibraryError(absl::StrCat("prepare a layer of batch ", shape.batch, ", in ", shape.in,
                                       ", out ", shape.out),
                          error.status);
    }
  }

 private:
  const dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
};

std::string IsaName() {
  switch (dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_avx512_core_amx:
      return "avx512_amx";
    case dnnl_cpu_isa_avx512_core_bf16:
      return "avx512_bf16";
    case dnnl_cpu_isa_avx512_core_vnni:
      return "avx512_vnni";
    case dnnl_cpu_isa_avx512_core:
      return "avx512";
    case dnnl_cpu_isa_avx2_vnni:
      return "avx2_vnni";
    case dnnl_cpu_isa_avx2:
      return "avx2";
    case dnnl_cpu_isa_avx:
      return "avx";
    default:
      return "sse41";
  }
}

}  // namespace

std::unique_ptr<Kernels> CreateDnnlKernels() { return std::make_unique<DnnlKernels>(); }

// Without the instructions oneDNN emulates bfloat16, slower than float: that is not support.
bool SupportsPrecision(Precision precision) {
  if (precision != Precision::kBf16) return true;
  const dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
  return isa == dnnl_cpu_isa_avx512_core_bf16 || isa == dnnl_cpu_isa_avx512_core_amx;
}

void SetKernelThreads(int64_t threads) {
  TY_CHECK(threads >= 1);
  omp_set_num_threads(static_cast<int>(threads));
}

EngineInfo GetEngineInfo() {
  const dnnl_version_t* version = dnnl_version();
  return {.onednn_version = absl::StrCat(version->major, ".", version->minor, ".", version->patch),
          .isa = IsaName()};
}

}  // namespace trainyard
