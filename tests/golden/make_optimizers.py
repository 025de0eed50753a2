#!/usr/bin/python3
"""Writes tests/golden/optimizers/*.txt: 50 steps of every optimizer x schedule x loss by PyTorch, and of every option alone.

Run from anywhere: /usr/bin/python3 tests/golden/make_optimizers.py. Needs PyTorch (1.13 made the files in the tree).
Losses, schedules and optimizers are PyTorch's own where that version has them. By hand, with its tensors: Lion and Muon
(from the papers), hinge for two classes and quantile; NAdam too, because 1.13's multiplies one momentum in twice
(mended in PyTorch 2.0, whose formula stands here). Batches are consecutive rows, so that no order needs to be stored.

A line search takes another way when a comparison falls the other way, so some L-BFGS curves hang on the last bits of a loss.
The data of a file are the first on which PyTorch itself goes the same way in float and in double: see `steady`.

File format, one item a line; one file for each loss:
  loss|rows|features|outputs|hidden|batch_size|steps N     hidden 0: a linear model (for LBFGS)
  x ROW...                         one line a row
  y VALUE...
  initial KIND VALUE...            of network `KIND` (hidden or linear): w1 b1 [w2 b2], weights [in, out] row-major
  optimizer NAME KEY=VALUE...      fields of OptimizerSpec
  schedule NAME KEY=VALUE...       fields of ScheduleSpec; final_ratio is final_learning_rate / learning_rate
  curve OPTIMIZER SCHEDULE LOSS... for LBFGS with the penalty: the loss alone is not what has its least value at the optimum
  final VALUE...                   the parameters after the curve above
"""
import itertools
import math
import pathlib
import warnings

import numpy as np
import torch
from torch.optim import lr_scheduler

warnings.filterwarnings("ignore")
ROWS, FEATURES, HIDDEN, BATCH, STEPS = 32, 5, 6, 8, 50
EPOCH = ROWS // BATCH

KINDS = dict(sgd=1, adam=2, adagrad=3, adadelta=4, rmsprop=5, adamw=6, amsgrad=7, nadam=8, radam=9, lion=10, muon=11,
             lbfgs=12)
OPTIMIZERS = {
    "sgd": dict(kind="sgd", learning_rate=0.05, momentum=0.9),
    "adam": dict(kind="adam", learning_rate=0.02),
    "adagrad": dict(kind="adagrad", learning_rate=0.1),
    "adadelta": dict(kind="adadelta", learning_rate=1.0),
    "rmsprop": dict(kind="rmsprop", learning_rate=0.01),
    "adamw": dict(kind="adamw", learning_rate=0.02, weight_decay=0.1),
    "amsgrad": dict(kind="amsgrad", learning_rate=0.02),
    "nadam": dict(kind="nadam", learning_rate=0.02),
    "radam": dict(kind="radam", learning_rate=0.02),
    "lion": dict(kind="lion", learning_rate=0.005, weight_decay=0.1),
    "muon": dict(kind="muon", learning_rate=0.02, secondary_learning_rate=0.01, weight_decay=0.1),
    "lbfgs": dict(kind="lbfgs", learning_rate=1.0, weight_decay=0.01),
}
SCHEDULE_KINDS = dict(constant=1, step=2, multi_step=3, exponential=4, polynomial=5, cosine=6, cosine_restarts=7,
                      one_cycle=8, cyclic=9, reduce_on_plateau=10)
SCHEDULES = {
    "constant": dict(kind="constant"),
    "warmup": dict(kind="constant", warmup_steps=10),
    "step": dict(kind="step", period=15, gamma=0.5),
    "multi_step": dict(kind="multi_step", milestones=[10, 30], gamma=0.3),
    "exponential": dict(kind="exponential", gamma=0.97),
    "polynomial": dict(kind="polynomial", period=50, power=2.0),
    "cosine": dict(kind="cosine", period=50, final_ratio=0.05),
    "cosine_restarts": dict(kind="cosine_restarts", period=10, period_factor=2, final_ratio=0.05),
    "one_cycle": dict(kind="one_cycle", period=50),
    "cyclic": dict(kind="cyclic", period=8, final_ratio=0.1),
    "reduce_on_plateau": dict(kind="reduce_on_plateau", gamma=0.5, patience=1),
}
# Each alone, with a constant learning rate.
OPTIONS = {
    "sgd_plain": dict(kind="sgd", learning_rate=0.1),
    "nesterov": dict(kind="sgd", learning_rate=0.05, momentum=0.9, nesterov=1),
    "dampening": dict(kind="sgd", learning_rate=0.1, momentum=0.9, dampening=0.3),
    "weight_decay_sgd": dict(kind="sgd", learning_rate=0.05, momentum=0.9, weight_decay=0.05),
    "weight_decay_adam": dict(kind="adam", learning_rate=0.02, weight_decay=0.05),
    "weight_decay_rmsprop": dict(kind="rmsprop", learning_rate=0.01, weight_decay=0.05),
    "weight_decay_nadam": dict(kind="nadam", learning_rate=0.01, weight_decay=0.05),
    "centered": dict(kind="rmsprop", learning_rate=0.005, centered=1),
    "rmsprop_momentum": dict(kind="rmsprop", learning_rate=0.005, momentum=0.5),
    "centered_momentum": dict(kind="rmsprop", learning_rate=0.005, centered=1, momentum=0.5),
    "learning_rate_decay": dict(kind="adagrad", learning_rate=0.1, learning_rate_decay=0.1),
    "momentum_decay": dict(kind="nadam", learning_rate=0.02, momentum_decay=0.1),
    "betas": dict(kind="radam", learning_rate=0.02, beta1=0.8, beta2=0.95),
    "muon_plain": dict(kind="muon", learning_rate=0.02, secondary_learning_rate=0.01, nesterov=0, momentum=0.8),
    "l1": dict(kind="sgd", learning_rate=0.05, l1=0.01),
    "l1_adam": dict(kind="adam", learning_rate=0.02, l1=0.01),
    "clip_norm": dict(kind="sgd", learning_rate=0.1, clip_norm=0.3),
    "clip_value": dict(kind="sgd", learning_rate=0.1, clip_value=0.05),
    "clip_both": dict(kind="adam", learning_rate=0.02, clip_value=0.1, clip_norm=0.3),
    "max_norm": dict(kind="sgd", learning_rate=0.1, max_norm=1.0),
    "ema": dict(kind="adam", learning_rate=0.02, ema_decay=0.9),
    "lbfgs_history": dict(kind="lbfgs", learning_rate=1.0, weight_decay=0.01, history_size=3),
}
# The line search of L-BFGS is for smooth functions; where the slope jumps, its decisions hang on the last bit.
SMOOTH = {"binary_cross_entropy", "softmax_cross_entropy", "mean_squared_error", "huber", "poisson"}


class Lion(torch.optim.Optimizer):
    def __init__(self, groups, lr):
        super().__init__(groups, dict(lr=lr, betas=(0.9, 0.99), weight_decay=0.0))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.sub_(group["lr"] * torch.sign(b1 * m + (1 - b1) * p.grad))
                m.mul_(b2).add_(p.grad, alpha=1 - b2)


class NAdam(torch.optim.Optimizer):
    def __init__(self, groups, lr, momentum_decay):
        super().__init__(groups, dict(lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, decay=momentum_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                s = self.state[p]
                if not s:
                    s.update(t=0, product=1.0, m=torch.zeros_like(p), v=torch.zeros_like(p))
                s["t"] += 1
                g = p.grad + group["weight_decay"] * p
                mu = b1 * (1 - 0.5 * 0.96 ** (s["t"] * group["decay"]))
                mu_next = b1 * (1 - 0.5 * 0.96 ** ((s["t"] + 1) * group["decay"]))
                s["product"] *= mu
                s["m"].mul_(b1).add_(g, alpha=1 - b1)
                s["v"].mul_(b2).addcmul_(g, g, value=1 - b2)
                denom = (s["v"] / (1 - b2 ** s["t"])).sqrt().add_(group["eps"])
                p.addcdiv_(g, denom, value=-group["lr"] * (1 - mu) / (1 - s["product"]))
                p.addcdiv_(s["m"], denom, value=-group["lr"] * mu_next / (1 - s["product"] * mu_next))


def newton_schulz(g):
    x = g / (g.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    def __init__(self, groups, lr, momentum, nesterov):
        super().__init__(groups, dict(lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=0.0))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:  # [in, out]
                v = self.state[p].setdefault("v", torch.zeros_like(p))
                v.mul_(group["momentum"]).add_(p.grad)
                update = newton_schulz(p.grad + group["momentum"] * v if group["nesterov"] else v)
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.sub_(group["lr"] * math.sqrt(max(1, p.shape[1] / p.shape[0])) * update)


def make_torch_optimizers(o, params):
    """(optimizer, learning rate / alpha) pairs. Weight decay is for weights alone; the first weights are hidden ones."""
    weights, biases = params[0::2], params[1::2]
    lr, wd, beta1, beta2 = o["learning_rate"], o.get("weight_decay", 0.0), o.get("beta1", 0.9), o.get("beta2", 0.999)
    groups = [dict(params=weights, weight_decay=wd), dict(params=biases, weight_decay=0.0)]
    kind, momentum, betas = o["kind"], o.get("momentum", 0.0), (beta1, beta2)
    if kind == "sgd":
        return [(torch.optim.SGD(groups, lr, momentum, o.get("dampening", 0.0), nesterov=bool(o.get("nesterov"))), 1)]
    if kind in ("adam", "amsgrad"):
        return [(torch.optim.Adam(groups, lr, betas, amsgrad=kind == "amsgrad"), 1)]
    if kind == "adamw":
        return [(torch.optim.AdamW(groups, lr, betas), 1)]
    if kind == "adagrad":
        return [(torch.optim.Adagrad(groups, lr, lr_decay=o.get("learning_rate_decay", 0.0)), 1)]
    if kind == "adadelta":
        return [(torch.optim.Adadelta(groups, lr), 1)]
    if kind == "rmsprop":
        return [(torch.optim.RMSprop(groups, lr, momentum=momentum, centered=bool(o.get("centered"))), 1)]
    if kind == "nadam":
        return [(NAdam(groups, lr, o.get("momentum_decay", 0.004)), 1)]
    if kind == "radam":
        return [(torch.optim.RAdam(groups, lr, betas), 1)]
    if kind == "lion":
        return [(Lion(groups, lr), 1)]
    second = o["secondary_learning_rate"]
    hidden = [dict(params=weights[:-1], weight_decay=wd)]
    rest = [dict(params=weights[-1:], weight_decay=wd), dict(params=biases, weight_decay=0.0)]
    return [(Muon(hidden, lr, o.get("momentum", 0.95), bool(o.get("nesterov", 1))), 1),
            (torch.optim.AdamW(rest, second, (beta1, 0.95)), second / lr)]


class Schedule:
    """The learning rate of each step, by PyTorch's scheduler of a dummy optimizer."""

    def __init__(self, s, alpha):
        self.dummy = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=alpha)
        d, final, k = self.dummy, s.get("final_ratio", 0) * alpha, s["kind"]
        self.plateau = k == "reduce_on_plateau"
        make = {
            "constant": lambda: lr_scheduler.LambdaLR(
                d, lambda t: min((t + 1) / (s.get("warmup_steps", 0) + 1), 1)),
            "step": lambda: lr_scheduler.StepLR(d, s["period"], s["gamma"]),
            "multi_step": lambda: lr_scheduler.MultiStepLR(d, s["milestones"], s["gamma"]),
            "exponential": lambda: lr_scheduler.ExponentialLR(d, s["gamma"]),
            "polynomial": lambda: lr_scheduler.PolynomialLR(d, s["period"], s["power"]),
            "cosine": lambda: lr_scheduler.CosineAnnealingLR(d, s["period"], final),
            "cosine_restarts": lambda: lr_scheduler.CosineAnnealingWarmRestarts(
                d, s["period"], s["period_factor"], final),
            "one_cycle": lambda: lr_scheduler.OneCycleLR(d, alpha, total_steps=s["period"], cycle_momentum=False),
            "cyclic": lambda: lr_scheduler.CyclicLR(d, final, alpha, s["period"], cycle_momentum=False),
            "reduce_on_plateau": lambda: lr_scheduler.ReduceLROnPlateau(d, factor=s["gamma"], patience=s["patience"]),
        }
        self.scheduler = make[k]()

    def rate(self):
        return self.dummy.param_groups[0]["lr"]

    def advance(self, step, losses):
        self.dummy.step()
        if not self.plateau:
            if step + 1 < STEPS:
                self.scheduler.step()
        elif (step + 1) % EPOCH == 0:
            self.scheduler.step(losses[step])  # the last batch stands for an evaluation


F = torch.nn.functional
LOSSES = {
    "binary_cross_entropy": lambda f, y: F.binary_cross_entropy_with_logits(f[:, 0], y),
    "softmax_cross_entropy": lambda f, y: F.cross_entropy(f, y),
    "mean_squared_error": lambda f, y: F.mse_loss(f[:, 0], y),
    "mean_absolute_error": lambda f, y: F.l1_loss(f[:, 0], y),
    "huber": lambda f, y: F.huber_loss(f[:, 0], y, delta=0.7),
    "quantile": lambda f, y: torch.maximum(0.3 * (y - f[:, 0]), -0.7 * (y - f[:, 0])).mean(),
    "poisson": lambda f, y: F.poisson_nll_loss(f[:, 0], y),
    "hinge": lambda f, y: torch.relu(1 - (2 * y - 1) * f[:, 0]).mean(),
    "multi_margin": lambda f, y: F.multi_margin_loss(f, y),
}


def make_targets(loss, x, rng):
    scores = x @ rng.standard_normal((FEATURES, 3)) * 0.7 + 0.3 * rng.standard_normal((ROWS, 3))
    if loss in ("binary_cross_entropy", "hinge"):
        return (scores[:, 0] > 0).astype(np.float32), 1
    if loss in ("softmax_cross_entropy", "multi_margin"):
        return scores.argmax(axis=1), 3
    if loss == "poisson":
        return rng.poisson(np.exp(0.5 * scores[:, 0])).astype(np.float32), 1
    return scores[:, 0].astype(np.float32), 1


def draw(sizes, rng):
    values = []
    for n_in, n_out in zip(sizes, sizes[1:]):
        values.append((rng.standard_normal((n_in, n_out)) / np.sqrt(n_in)).astype(np.float32))
        values.append((0.1 * rng.standard_normal(n_out)).astype(np.float32))
    return values


def forward(params, x):
    for w, b in zip(params[0:-2:2], params[1:-2:2]):
        x = torch.tanh(x @ w + b)
    return x @ params[-2] + params[-1]


def prepare(o, params):
    """Everything between the gradient and the rule, in its order."""
    with torch.no_grad():
        if "clip_value" in o:
            torch.nn.utils.clip_grad_value_(params, o["clip_value"])
        if "clip_norm" in o:
            torch.nn.utils.clip_grad_norm_(params, o["clip_norm"])
        for w in params[0::2]:
            w.grad.add_(o.get("l1", 0.0) * torch.sign(w))


def train(o, s, loss_of, initial, x, y):
    params = [torch.tensor(v, requires_grad=True) for v in initial]
    optimizers, schedule, losses, average = make_torch_optimizers(o, params), Schedule(s, o["learning_rate"]), [], None
    for step in range(STEPS):
        begin = step % EPOCH * BATCH
        for p in params:
            p.grad = None
        loss = loss_of(forward(params, x[begin:begin + BATCH]), y[begin:begin + BATCH])
        loss.backward()
        losses.append(loss.item())
        prepare(o, params)
        for optimizer, ratio in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = schedule.rate() * ratio
            optimizer.step()
        with torch.no_grad():
            if "max_norm" in o:
                for w in params[0::2]:
                    w.copy_(torch.renorm(w, 2, 1, o["max_norm"]))
            if "ema_decay" in o:
                d = o["ema_decay"]
                average = ([p.clone() for p in params] if average is None else
                           [d * a + (1 - d) * p for a, p in zip(average, params)])
        schedule.advance(step, losses)
    return losses, average or params


def train_lbfgs(o, s, loss_of, initial, x, y, dtype=torch.float64, noise=0.0):
    # In float64: close to the optimum PyTorch's line search stops at float32's noise, each time elsewhere.
    params = [torch.tensor(v, dtype=dtype, requires_grad=True) for v in initial]
    x, y = x.to(dtype), y.to(dtype) if y.is_floating_point() else y
    lbfgs = torch.optim.LBFGS(params, o["learning_rate"], max_iter=1, max_eval=100, tolerance_grad=0,
                              tolerance_change=1e-12, history_size=o.get("history_size", 10),
                              line_search_fn="strong_wolfe")
    schedule, losses, rng = Schedule(s, o["learning_rate"]), [], np.random.default_rng(1)
    for step in range(STEPS):
        values = []

        def closure():
            lbfgs.zero_grad()
            penalized = loss_of(forward(params, x), y) + o["weight_decay"] / 2 * sum((w * w).sum() for w in params[0::2])
            penalized.backward()
            values.append(penalized.item())
            return penalized * (1 + noise * rng.standard_normal())

        lbfgs.param_groups[0]["lr"] = schedule.rate()
        lbfgs.step(closure)
        losses.append(values[0])
        schedule.advance(step, losses)
    return losses, params


def steady(*case):
    """Whether float takes the way of double, within half of what the test allows; and far from the optimum, where a probe
    decides how the next ones are chosen, double with noise in the last bits of a float too."""
    expected, _ = train_lbfgs(*case)
    single, _ = train_lbfgs(*case, dtype=torch.float32)
    noisy, _ = train_lbfgs(*case, noise=2e-7)
    return (all(abs(a - b) <= 5e-5 * max(abs(b), 1e-3) for a, b in zip(single, expected)) and
            all(abs(a - b) <= 1e-3 * max(abs(b), 1e-3) for a, b in zip(noisy[:5], expected)))


def numbers(values, digits):
    return " ".join(f"{float(v):.{digits}g}" for v in np.asarray(values).ravel())


def pairs(name, fields, kinds):
    text = [f"kind={kinds[fields['kind']]}"]
    for key, value in fields.items():
        if key != "kind":
            text.append(f"{key}={','.join(map(str, value)) if isinstance(value, list) else value}")
    return f"{name} {' '.join(text)}"


def make_data(loss, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((ROWS, FEATURES)).astype(np.float32)
    y, outputs = make_targets(loss, x, rng)
    initial = {"hidden": draw([FEATURES, HIDDEN, outputs], rng), "linear": draw([FEATURES, outputs], rng)}
    return x, y, outputs, initial


def is_steady(loss, data, curves):
    x, y, _, initial = data
    return loss not in SMOOTH or all(
        steady({**OPTIMIZERS, **OPTIONS}[name], SCHEDULES[schedule], LOSSES[loss], initial["linear"], torch.tensor(x),
               torch.tensor(y))
        for name, schedule in curves if name.startswith("lbfgs"))


def make(path, loss, seed, curves):
    x, y, outputs, initial = next(data for data in (make_data(loss, s) for s in itertools.count(seed, 100))
                                  if is_steady(loss, data, curves))
    with open(path, "w", encoding="ascii") as out:
        print(f"# made by tests/golden/make_optimizers.py with PyTorch {torch.__version__}", file=out)
        print(f"loss {loss}\nrows {ROWS}\nfeatures {FEATURES}\noutputs {outputs}\nhidden {HIDDEN}", file=out)
        print(f"batch_size {BATCH}\nsteps {STEPS}", file=out)
        for row in x:
            print("x", numbers(row, 9), file=out)
        print("y", numbers(y, 9), file=out)
        for kind, values in initial.items():
            print("initial", kind, *(numbers(v, 9) for v in values), file=out)
        for name in dict.fromkeys(o for o, _ in curves):
            print("optimizer", pairs(name, {**OPTIMIZERS, **OPTIONS}[name], KINDS), file=out)
        for name in dict.fromkeys(s for _, s in curves):
            print("schedule", pairs(name, SCHEDULES[name], SCHEDULE_KINDS), file=out)
        for name, schedule in curves:
            o = {**OPTIMIZERS, **OPTIONS}[name]
            lbfgs = o["kind"] == "lbfgs"
            if lbfgs and loss not in SMOOTH:
                continue
            run = train_lbfgs if lbfgs else train
            losses, final = run(o, SCHEDULES[schedule], LOSSES[loss], initial["linear" if lbfgs else "hidden"],
                                torch.tensor(x), torch.tensor(y))
            print("curve", name, schedule, numbers(losses, 7), file=out)
            print("final", *(numbers(p.detach(), 7) for p in final), file=out)


def main():
    torch.set_num_threads(1)
    folder = pathlib.Path(__file__).resolve().parent / "optimizers"
    folder.mkdir(exist_ok=True)
    product = [(o, s) for o in OPTIMIZERS for s in SCHEDULES]
    for i, loss in enumerate(LOSSES):
        make(folder / f"{loss}.txt", loss, 1000 + i, product)
    make(folder / "options.txt", "binary_cross_entropy", 2000, [(o, "constant") for o in OPTIONS])


if __name__ == "__main__":
    main()
