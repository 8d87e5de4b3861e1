"""What commands there are: a summary of each in a line, and examples. Text alone, for start-up time."""

from __future__ import annotations

COMMANDS = {
    "bound": "parameter values (or noise rates) that make a loss asymmetric",
    "ratio": "the asymmetry ratio r and its upper bound, as enclosures",
    "check": "is this loss asymmetric on this noise: verdict and minimiser",
    "minimise": "the minimiser of the weighted risk: point, value, how exact",
    "guarantee": "clean error and errors of the noise that a loss allows for",
    "noise": "a noise model: rate, clean level, margin, dominance",
    "losses": "the atlas of losses, or the page of one",
    "select": "losses and hyper-parameters for a noise, before training",
    "study": "from a loss or formula to the paper: theorem, figures, module",
    "experiment": "what gradient descent on softmax logits reaches",
    "verify": "every claim of the four papers, judged by computation",
    "completion": "the script with which bash or zsh complete the commands",
}
"""The commands of the core: their summaries. The module of a command, beside this one, is imported when it is named."""
FURTHER = {
    "tune": "loss, value and learning rate, from noisy labels alone",
    "train": "train a network with any loss on noisy labels",
    "labels": "noisy labels that anyone can make again; what a file holds",
    "features": "images through a frozen network once, to train heads on",
    "sweep": "many runs from one plan, resumable, on all cores or a cluster",
    "confirm": "do networks reach what the exact minimiser says",
    "report": "one HTML page for your noise: the answer, a panel, figures",
    "figure": "the figures of the papers, of the theory and of your runs",
    "table": "a table of the papers, and what your runs measured of it",
}
"""The commands of this package's extras: their summaries. They are entry points, imported when they are named."""
FIRST = (
    "select --noise cifar10n-worse",
    "bound --loss amse --K 10 --eta 0.8",
    "verify --claim jal-thm41",
)
"""What to try first."""
EXAMPLES = {
    "bound": (
        "bound --loss amse --K 10 --eta 0.8",
        "bound --loss agce --solve q --set a=0.5 --K 10 --eta 0.2,0.4,0.8",
        "bound --formula '((a+1)**q-(a+u)**q)/q' --set q=0.5 --K 10 --eta 0.8",
    ),
    "ratio": ("ratio --loss aul --set a=6.3 p=1.5", "ratio --formula '(1-u)**2'"),
    "check": (
        "check --loss amse --set a=3 --weights 0.5,0.3,0.2",
        "check --loss jal-ce --set a=5 --noise cifar10n-worse",
    ),
    "minimise": (
        "minimise --loss agce --set a=0.2 --weights 0.5,0.3,0.2",
        "minimise --formula '1-u_y+3*norm(u,2)' --weights 3,2,1 1,1,0",
    ),
    "guarantee": ("guarantee --loss amse --set a=30 --K 10 --eta 0.4",),
    "noise": ("noise symmetric --K 10 --eta 0.8", "noise cifar10n-worse"),
    "losses": ("losses", "losses gce"),
    "select": (
        "select --noise cifar10n-worse",
        "select --K 10 --eta 0.4 --write-config run.toml",
        "select --labels noisy.csv --clean clean.csv --plot frontier.pdf",
        "select --K 10 --eta 0.4 --formula '(a-u)**2'",
    ),
    "study": (
        "study --formula '((a+1)**q-(a+u)**q)/q' --set q=0.5 --out agce",
        "study --loss jal-ce --noise cifar10n-worse --out jal",
    ),
    "experiment": ("experiment weighted-risk --loss agce --set q=0.5 --sweep a=0.05:20:9:log",),
    "verify": ("verify --claim jal-thm41", "verify --paper jal --quick"),
    "completion": (
        "completion bash > ~/.local/share/bash-completion/completions/asymtheory",
        "completion zsh > _asymtheory",
    ),
    "tune": (
        "tune --dataset digits --noise symmetric --eta 0.4 --out found",
        "tune --dataset digits --labels noisy.csv --expect symmetric:0.4 --budget 600s",
    ),
    "train": (
        "train --dataset digits --noise symmetric --eta 0.4 --loss jal-ce --set a=30",
        "train --config run.toml --out run",
        "train --out run --resume",
    ),
    "labels": (
        "labels --dataset digits --noise symmetric --eta 0.4 --out noisy.csv",
        "labels --human CIFAR-10_human.pt --column worse --out worse.csv",
        "labels inspect noisy.csv",
    ),
    "labels inspect": ("labels inspect noisy.csv", "labels inspect human.npz --column worse_label --dataset cifar10"),
    "features": (
        "features --dataset cifar10 --out cifar10.npz",
        "features --dataset cifar10 --subset 10000 --out small.npz",
    ),
    "sweep": ("sweep plan.toml --dry-run", "sweep plan.toml --out runs --jobs 4", "sweep --list"),
    "confirm": ("confirm --quick", "confirm --loss amse jal-ce --seeds 3 --out confirmed"),
    "report": (
        "report --noise cifar10n-worse --out report.html",
        "report --noise pair --K 10 --eta 0.4 --figures none",
    ),
    "figure": ("figure path --format png --out figures", "figure --list"),
    "table": ("table --list", "table jal-table2 --results runs --format markdown"),
}
"""Examples at the end of each command's help."""


def examples(*lines: str) -> str:
    """The examples at the end of a help text, one command a line."""
    return "\n".join(["examples:", *(f"  asymtheory {line}" for line in lines)])


def examples_of(prog: str) -> str | None:
    """The examples of the command that a parser named ``asymtheory COMMAND`` reads; None for a command of another package."""
    lines = EXAMPLES.get(prog.removeprefix("asymtheory").strip())
    return None if lines is None else examples(*lines)
