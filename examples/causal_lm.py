"""A causal language model fine-tuned on text with 30 % wrong next tokens. Needs ``pip install 'transformers[torch]'``.

    python examples/causal_lm.py [LOSS ...]        # ce mae agce if none is named

Cross entropy first learns the rule behind the text, then most of the wrong tokens by heart. "mae" learns hardly any of them, but
the rule slowly: it has twice the gradient of "DFT" (dynamic fine-tuning: ``-p_y log p_y`` with the factor p_y held fixed). AGCE
does better than both.

``fuse`` plugs a loss into any causal model of transformers; the Trainer then never makes the logits of a batch.
The Trainer divides by ``num_items_in_batch``, the number of labels in all parts of a step of gradient accumulation.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from asymtheory_training import RobustLinearLoss
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, Trainer, TrainingArguments
from transformers.modeling_outputs import CausalLMOutputWithPast

K = 200  # tokens of the vocabulary
WRONG = 0.3
PROMPT, LONGEST = 4, 32
PARAMETERS: dict[str, dict[str, Any]] = {
    "agce": {"a": 1e-3, "q": 0.6}
}  # asymtheory bound --K 200 --eta 0.3 --loss agce


def fuse(model: PreTrainedModel, loss: RobustLinearLoss) -> PreTrainedModel:
    """Have ``model`` return ``loss`` (made with shift=True and reduction="sum") in training; it predicts as before."""
    usual: Callable[..., CausalLMOutputWithPast] = model.forward
    head = model.get_output_embeddings()

    def forward(
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        num_items_in_batch: Tensor | int | None = None,
        **rest: Any,
    ) -> CausalLMOutputWithPast:
        if labels is None or not model.training:
            return usual(input_ids=input_ids, attention_mask=attention_mask, labels=labels, **rest)
        hidden = model.base_model(input_ids=input_ids, attention_mask=attention_mask, **rest).last_hidden_state
        if num_items_in_batch is None:
            num_items_in_batch = (labels[:, 1:] != loss.robust.ignore_index).sum()
        total = loss(hidden, head.weight, labels, bias=head.bias)
        return CausalLMOutputWithPast(loss=total / num_items_in_batch)

    model.forward = forward  # type: ignore[method-assign]
    return model


@dataclass(frozen=True)
class Text:
    """Rows of tokens, of which each follows from the one before by one of two rules; the first token says which."""

    tokens: Tensor
    lengths: Tensor

    @classmethod
    def made(cls, rows: int, generator: torch.Generator, rules: Tensor) -> Text:
        tokens = torch.empty(rows, LONGEST, dtype=torch.int64)
        tokens[:, 0] = torch.randint(0, K, (rows,), generator=generator)
        for t in range(1, LONGEST):
            tokens[:, t] = rules[tokens[:, 0] % len(rules), tokens[:, t - 1]]
        return cls(tokens, torch.randint(LONGEST // 2, LONGEST + 1, (rows,), generator=generator))

    def examples(self, labels: Tensor) -> list[dict[str, list[int]]]:
        """As TRL prepares prompts and completions: tokens, and a mask that is 1 where a token is to be learnt."""
        return [
            {
                "input_ids": row[:length].tolist(),
                "labels": own[:length].tolist(),
                "completion_mask": [0] * PROMPT + [1] * (length - PROMPT),
            }
            for row, own, length in zip(self.tokens, labels, self.lengths.tolist(), strict=True)
        ]


def collate(examples: list[dict[str, list[int]]]) -> dict[str, Tensor]:
    """Padded to the longest; labels count where the mask is 1, as with TRL's ``completion_only_loss``."""
    batch = {
        name: torch.zeros(len(examples), max(len(x["labels"]) for x in examples), dtype=torch.int64)
        for name in examples[0]
    }
    for i, example in enumerate(examples):
        for name, row in example.items():
            batch[name][i, : len(row)] = torch.tensor(row)
    mask = batch.pop("completion_mask").bool()
    attention = torch.stack([torch.arange(mask.shape[1]) < len(x["labels"]) for x in examples])
    return {**batch, "labels": torch.where(mask, batch["labels"], -100), "attention_mask": attention.long()}


def accuracy(model: PreTrainedModel, tokens: Tensor, wanted: Tensor) -> float:
    """Share of the next tokens ``wanted`` (where they are not -100) that the model finds likeliest."""
    model.eval()
    with torch.no_grad():
        predicted = model(tokens).logits[:, :-1].argmax(-1)
    counts = wanted[:, 1:] != -100
    return float((predicted == wanted[:, 1:])[counts].double().mean())


def trained(name: str, epochs: int = 30, seed: int = 0) -> tuple[float, float]:
    """Accuracy on clean tokens of new text, and the share of the wrong tokens of the training text that were learnt."""
    generator = torch.Generator().manual_seed(seed)
    rules = torch.stack([torch.randperm(K, generator=generator) for _ in range(2)])
    text, new = Text.made(120, generator, rules), Text.made(120, generator, rules)
    wrong = torch.rand(text.tokens.shape, generator=generator) < WRONG
    other = (text.tokens + torch.randint(1, K, text.tokens.shape, generator=generator)) % K
    labels = torch.where(wrong, other, text.tokens)

    torch.manual_seed(seed)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=K, max_position_embeddings=LONGEST, **sizes))
    loss = RobustLinearLoss(name, shift=True, reduction="sum", **PARAMETERS.get(name, {}))
    with tempfile.TemporaryDirectory() as folder:
        Trainer(
            fuse(model, loss),
            TrainingArguments(
                folder, num_train_epochs=epochs, per_device_train_batch_size=10, gradient_accumulation_steps=2,
                learning_rate=3e-3, warmup_steps=20, max_grad_norm=1.0, use_cpu=True, seed=seed, save_strategy="no",
                report_to="none", disable_tqdm=True, logging_strategy="no", remove_unused_columns=False,
            ),
            data_collator=collate,
            train_dataset=text.examples(labels),
        ).train()  # fmt: skip
    learnt = wrong.clone()
    learnt[:, :PROMPT] = False
    learnt &= torch.arange(LONGEST) < text.lengths.unsqueeze(-1)
    hidden = torch.arange(LONGEST) < PROMPT
    return (
        accuracy(model, new.tokens, new.tokens.masked_fill(hidden, -100)),
        accuracy(model, text.tokens, torch.where(learnt, labels, -100)),
    )


def main(*names: str) -> None:
    torch.set_num_threads(1)  # more would only wait for each other on a model this small
    for name in names or ("ce", "mae", "agce"):
        clean, learnt = trained(name)
        print(
            f"{name}: {100 * clean:.1f} % of clean next tokens, trained on {WRONG:.0%} wrong ones, "
            f"of which it learnt {100 * learnt:.1f} %",
            flush=True,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
