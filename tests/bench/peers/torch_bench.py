"""How fast PyTorch trains a workload of train_bench, in eight ways from as written in tutorials to written by hand.

  /usr/bin/python3 torch_bench.py WORKLOAD [--threads N] [--seconds S] [--variants a,b,…]

One JSON line per variant: {"peer", "variant", "workload", "threads", "steps_per_s"}. The strongest variant is the peer that
Trainyard is compared with. None but the first computes anything that is not needed to go on training: no loss values where the
gradient does not need them, no metrics, no finite check.
"""
import argparse
import json
import math
import time

import torch
from torch import nn
from torch.nn import functional as F

import workloads


def make_net(w):
    layers, width = [], w.features
    for units in w.hidden:
        layers += [nn.Linear(width, units), nn.ReLU() if w.activation == "relu" else nn.Sigmoid()]
        layers += [nn.Dropout(w.dropout)] if w.dropout else []
        width = units
    return nn.Sequential(*layers, nn.Linear(width, w.classes))


def make_optimizer(w, parameters, foreach):
    if w.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=1e-3, foreach=foreach)
    return torch.optim.SGD(parameters, lr=1e-2, momentum=0.9, foreach=foreach)


def loss_of(w, logits, y):
    if w.classes == 1:
        return F.binary_cross_entropy_with_logits(logits.view(-1), y)
    return F.cross_entropy(logits, y)


def loader_batches(w, x, y):
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=w.batch, shuffle=True)
    while True:
        yield from loader


def gathered_batches(w, x, y):
    while True:
        order = torch.randperm(w.rows)
        for begin in range(0, w.rows, w.batch):
            rows = order[begin:begin + w.batch]
            yield x[rows], y[rows]


def permuted_batches(w, x, y):
    while True:
        order = torch.randperm(w.rows)
        px, py = x[order], y[order]
        for begin in range(0, w.rows, w.batch):
            yield px[begin:begin + w.batch], py[begin:begin + w.batch]


def autograd_steps(batches, foreach=False, script=False):
    """A step function that uses nn.Module, autograd and torch.optim."""
    def make(w, x, y):
        net = make_net(w)
        if script:
            net = torch.jit.script(net)
        optimizer = make_optimizer(w, net.parameters(), foreach)
        source = batches(w, x, y)

        def step():
            bx, by = next(source)
            optimizer.zero_grad(set_to_none=True)
            loss_of(w, net(bx), by).backward()
            optimizer.step()
        return step
    return make


class Flat:
    """All parameters in one tensor, [in, out] weights as views, with their gradients beside."""

    def __init__(self, w):
        sizes, width = [], w.features
        for units in (*w.hidden, w.classes):
            sizes.append((width, units))
            width = units
        count = sum(i * o + o for i, o in sizes)
        self.values, self.gradients = torch.empty(count), torch.zeros(count)
        self.weights, self.biases, self.dweights, self.dbiases = [], [], [], []
        begin = 0
        for i, o in sizes:
            for arena, ws, bs in ((self.values, self.weights, self.biases),
                                  (self.gradients, self.dweights, self.dbiases)):
                ws.append(arena[begin:begin + i * o].view(i, o))
                bs.append(arena[begin + i * o:begin + i * o + o])
            self.weights[-1].normal_(0, math.sqrt(2 / i))
            self.biases[-1].zero_()
            begin += i * o + o


def flat_update(w, flat):
    """One update of the flat tensor, in place."""
    if w.optimizer == "sgd":
        velocity = torch.zeros_like(flat.values)

        def sgd():
            velocity.mul_(0.9).add_(flat.gradients)
            flat.values.add_(velocity, alpha=-1e-2)
        return sgd
    m, s, root = torch.zeros_like(flat.values), torch.zeros_like(flat.values), torch.empty_like(flat.values)
    t = 0

    def adam():
        nonlocal t
        t += 1
        m.mul_(0.9).add_(flat.gradients, alpha=0.1)
        s.mul_(0.999).addcmul_(flat.gradients, flat.gradients, value=0.001)
        torch.sqrt(s, out=root)
        root.div_(math.sqrt(1 - 0.999 ** t)).add_(1e-8)
        flat.values.addcdiv_(m, root, value=-1e-3 / (1 - 0.9 ** t))
    return adam


def flat_autograd(w, x, y):
    """Autograd over views of one flat tensor, the update by hand."""
    flat = Flat(w)
    leaves = flat.weights + flat.biases
    for leaf, gradient in zip(leaves, flat.dweights + flat.dbiases):
        leaf.requires_grad_()
        leaf.grad = gradient
    act = torch.relu if w.activation == "relu" else torch.sigmoid
    update, source = flat_update(w, flat), gathered_batches(w, x, y)

    def step():
        h, by = next(source)
        flat.gradients.zero_()
        for weight, bias in zip(flat.weights[:-1], flat.biases[:-1]):
            h = act(torch.addmm(bias, h, weight))
            if w.dropout:
                h = F.dropout(h, w.dropout)
        loss_of(w, torch.addmm(flat.biases[-1], h, flat.weights[-1]), by).backward()
        with torch.no_grad():
            update()
    return step


def by_hand(batches, buffers):
    """Forward and backward written out under no_grad; with `buffers` into memory that is reused."""
    def make(w, x, y):
        flat = Flat(w)
        update, source = flat_update(w, flat), batches(w, x, y)
        relu, last = w.activation == "relu", len(flat.weights) - 1
        kept = {}

        def buffer(name, rows, cols):
            if not buffers:
                return None
            key = (name, rows)
            if key not in kept:
                kept[key] = torch.empty(rows, cols)
            return kept[key]

        def forward(bx, rows):
            outputs, masks = [bx], []
            for i, (weight, bias) in enumerate(zip(flat.weights, flat.biases)):
                h = torch.addmm(bias, outputs[-1], weight, out=buffer(i, rows, weight.shape[1]))
                if i < last:
                    h = h.relu_() if relu else h.sigmoid_()
                    if w.dropout:
                        mask = torch.empty_like(h).bernoulli_(1 - w.dropout).div_(1 - w.dropout)
                        h.mul_(mask)
                        masks.append(mask)
                outputs.append(h)
            return outputs, masks

        def output_gradient(logits, by, rows):
            if w.classes == 1:
                return logits.sigmoid_().sub_(by.view(-1, 1)).div_(rows)
            d = torch.softmax(logits, 1)
            d[torch.arange(rows), by] -= 1
            return d.div_(rows)

        def backward(outputs, masks, d, rows):
            for i in range(last, -1, -1):
                torch.mm(outputs[i].t(), d, out=flat.dweights[i])
                torch.sum(d, 0, out=flat.dbiases[i])
                if i == 0:
                    return
                d = torch.mm(d, flat.weights[i].t(), out=buffer(("d", i), rows, outputs[i].shape[1]))
                if masks:
                    d.mul_(masks[i - 1])
                d.mul_(outputs[i] > 0 if relu else outputs[i] * (1 - outputs[i]))

        def step():
            with torch.no_grad():
                bx, by = next(source)
                rows = bx.shape[0]
                outputs, masks = forward(bx, rows)
                backward(outputs, masks, output_gradient(outputs[-1], by, rows), rows)
                update()
        return step
    return make


VARIANTS = {
    "as_written": autograd_steps(loader_batches),
    "gathered": autograd_steps(gathered_batches),
    "gathered_foreach": autograd_steps(gathered_batches, foreach=True),
    "scripted_foreach": autograd_steps(permuted_batches, foreach=True, script=True),
    "flat_autograd": flat_autograd,
    "by_hand": by_hand(gathered_batches, buffers=False),
    "by_hand_buffers": by_hand(gathered_batches, buffers=True),
    "by_hand_permuted": by_hand(permuted_batches, buffers=True),
}


def measure(step, seconds):
    warm_until = time.perf_counter() + min(0.3, seconds / 4)
    for _ in range(3):
        step()
    while time.perf_counter() < warm_until:
        step()
    steps, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        for _ in range(1 if steps < 16 else 8):
            step()
            steps += 1
    return steps / (time.perf_counter() - begin)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", choices=workloads.WORKLOADS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--variants", default=",".join(VARIANTS))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    w = workloads.WORKLOADS[args.workload]
    x, y = (torch.from_numpy(a) for a in workloads.make_data(w))
    for variant in args.variants.split(","):
        speed = measure(VARIANTS[variant](w, x, y), args.seconds)
        print(json.dumps({"peer": "pytorch", "variant": variant, "workload": args.workload, "threads": args.threads,
                          "steps_per_s": round(speed, 2)}), flush=True)


if __name__ == "__main__":
    main()
