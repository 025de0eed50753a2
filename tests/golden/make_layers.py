#!/usr/bin/python3
"""Writes tests/golden/layers.txt: forward and backward passes of PyTorch for layers of every kind.

Run from anywhere: /usr/bin/python3 tests/golden/make_layers.py. Needs PyTorch (1.13 made the file in the tree).

Each block is one network of two hidden layers of the same kind: LayerConfig's fields by Trainyard's numbers, `parameters` in
the order weights [in, out], biases, gains and shifts, each of all layers; then for each of two training passes on the same
parameters x, the gradient given for the logits, and what PyTorch answers: logits and the gradient of the parameters. Last the
running means and variances of the layers, and the logits of the last x in evaluation.
"""
import pathlib

import torch

FEATURES, UNITS, OUTPUTS, ROWS, PASSES = 4, 4, 2, 5, 2

ACTIVATIONS = {
    "identity": (1, torch.nn.Identity), "relu": (2, torch.nn.ReLU), "sigmoid": (3, torch.nn.Sigmoid),
    "tanh": (4, torch.nn.Tanh), "leaky_relu": (5, lambda: torch.nn.LeakyReLU(0.2)),
    "elu": (6, lambda: torch.nn.ELU(0.7)), "selu": (7, torch.nn.SELU), "gelu": (8, torch.nn.GELU),
    "gelu_tanh": (9, lambda: torch.nn.GELU("tanh")), "silu": (10, torch.nn.SiLU), "softplus": (11, torch.nn.Softplus),
    "hard_sigmoid": (12, torch.nn.Hardsigmoid), "hard_tanh": (13, torch.nn.Hardtanh), "hard_swish": (14, torch.nn.Hardswish),
}
ALPHAS = {"leaky_relu": 0.2, "elu": 0.7}
NORMALIZATIONS = {"none": (1, None), "batch": (2, torch.nn.BatchNorm1d), "layer": (3, torch.nn.LayerNorm)}


class Layer(torch.nn.Module):
    def __init__(self, activation, normalization, bias, residual):
        super().__init__()
        self.linear = torch.nn.Linear(FEATURES, UNITS, bias=bias)
        norm = NORMALIZATIONS[normalization][1]
        self.norm = norm(UNITS) if norm else torch.nn.Identity()
        self.activation = ACTIVATIONS[activation][1]()
        self.residual = residual

    def forward(self, x):
        y = self.activation(self.norm(self.linear(x)))
        return x + y if self.residual else y


def in_our_order(layers, output, what):
    """What `what` gives for each parameter, as Trainyard's array has them."""
    linears = [layer.linear for layer in layers] + [output]
    values = [what(linear.weight).t().reshape(-1) for linear in linears]
    values += [what(linear.bias) for linear in linears if linear.bias is not None]
    norms = [layer.norm for layer in layers if not isinstance(layer.norm, torch.nn.Identity)]
    values += [what(norm.weight) for norm in norms] + [what(norm.bias) for norm in norms]
    return torch.cat(values)


def text(tensor):
    return " ".join(f"{v:.9g}" for v in tensor.detach().reshape(-1).tolist())


def block(activation, normalization, bias, residual):
    layers = [Layer(activation, normalization, bias, residual) for _ in range(2)]
    output = torch.nn.Linear(UNITS, OUTPUTS)
    network = torch.nn.Sequential(*layers, output)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    lines = [f"case {activation}_{normalization}_bias{bias:d}_residual{residual:d}",
             f"activation {ACTIVATIONS[activation][0]}", f"alpha {ALPHAS.get(activation, 0)}",
             f"normalization {NORMALIZATIONS[normalization][0]}", f"bias {bias:d}", f"residual {residual:d}",
             f"parameters {text(in_our_order(layers, output, lambda p: p))}"]
    for number in range(PASSES):
        x = 1.5 * torch.randn(ROWS, FEATURES) + 0.5
        logit_gradient = torch.randn(ROWS, OUTPUTS)
        network.zero_grad()
        logits = network(x)
        logits.backward(logit_gradient)
        lines += [f"x{number} {text(x)}", f"logit_gradient{number} {text(logit_gradient)}", f"logits{number} {text(logits)}",
                  f"gradient{number} {text(in_our_order(layers, output, lambda p: p.grad))}"]
    if normalization == "batch":
        lines.append("running " + " ".join(text(m) for layer in layers for m in (layer.norm.running_mean, layer.norm.running_var)))
    network.eval()
    lines.append(f"evaluation {text(network(x))}")
    return "\n".join(lines) + "\n"


def main():
    torch.manual_seed(1)
    blocks = [block(a, n, bias=n != "batch", residual=False) for a in ACTIVATIONS for n in NORMALIZATIONS]
    blocks += [block(a, n, bias=True, residual=True) for a in ("relu", "tanh", "gelu") for n in NORMALIZATIONS]
    header = f"# made by tests/golden/make_layers.py with PyTorch {torch.__version__}\n"
    (pathlib.Path(__file__).parent / "layers.txt").write_text(header + "\n".join(blocks))


if __name__ == "__main__":
    main()
