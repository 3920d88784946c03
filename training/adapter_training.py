"""Making the dialog adapter: the encoder's top layers learn which utterances are alike from a teacher.

Shapes: B utterances of a batch, D model size of the encoder, E of the teacher's embeddings.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor, nn
from torch.nn import functional as F

from nlu.adapter import Adapter, matrix_names
from nlu.backbone import Backbone
from nlu.compute import Compute
from nlu.encoder import Encoder
from nlu.prompt import Floats
from nlu.tokens import tokenise
from skills.errors import InputError
from training.loop import Progress
from training.models import Encoded, TokenIds, padded

LEAST_TEXTS = 200
LONGEST = 64  # tokens of an utterance that are read
CLUSTER_TEXTS = 75  # on average: small enough that its texts are hard to tell apart
CLUSTERS = 3  # in a batch of neighbours, seven eighths of it; the rest are any
PROCRUSTES_TEXTS = 2048
WARM_UP = 60  # steps, at most

Places = NDArray[np.int64]


class AdapterConfig(BaseModel):
    """Settings of a distillation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 13
    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    rank: Annotated[int, Field(ge=1, le=512)] = 64  # of the change of each matrix
    batch_texts: Annotated[int, Field(ge=16, le=1024)] = 64
    rate: Annotated[float, Field(gt=0, le=1)] = 2e-3  # at its highest
    temperature: Annotated[float, Field(gt=0, le=1)] = 0.05  # of the similarities
    neighbour_share: Annotated[float, Field(ge=0, le=1)] = 0.67  # of batches of texts that are alike


def make_adapter(
    backbone: Backbone,
    texts: Sequence[str],
    vectors: Floats,
    config: AdapterConfig,
    compute: Compute,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Adapter:
    """Return an adapter that relates utterances as a teacher does.

    Loss of a batch: the Kullback-Leibler divergence of the softmax over each utterance's similarities to the
    others, student from teacher, plus the cosine distance to the teacher's embedding, which a rotation takes
    into the encoder's space.

    Args:
        backbone: whose encoder is adapted.
        texts: utterances, without labels.
        vectors: (texts, E) unit-length embeddings of the teacher; E is at most D.
        config: settings.
        compute: the precision of the frozen weights.
        on_progress: called after every step.

    Raises:
        InputError: there are too few utterances.
    """
    if len(texts) < LEAST_TEXTS:
        raise InputError(
            f"{len(texts)} different utterances, at least {LEAST_TEXTS} are needed", field="files"
        )
    generator = np.random.default_rng(config.seed)
    rows = [tokenise(backbone, text).ids[:LONGEST] for text in texts]
    student = _Student(backbone.encoder(), config, compute)
    target = torch.from_numpy(vectors)
    some = generator.permutation(len(texts))[:PROCRUSTES_TEXTS]
    target = target @ _rotation(target[some], student.all_features([rows[i] for i in some]))
    optimizer = torch.optim.AdamW(student.parameters(), lr=config.rate, weight_decay=0.0, betas=(0.9, 0.98))
    batches = _batches(vectors, config, generator)
    began, mean = time.monotonic(), 0.0
    for step in range(1, config.steps + 1):
        places = next(batches)
        loss = _loss(student.features([rows[i] for i in places]), target[places], config.temperature)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = config.rate * _share_of_rate(step, config.steps)
        optimizer.step()
        mean += (loss.item() - mean) / min(step, 50)
        left = (time.monotonic() - began) / step * (config.steps - step)
        on_progress(Progress(step, config.steps, mean, None, left))
    return Adapter(backbone.fingerprint, student.factors())


class LowRank(nn.Module):
    """A frozen matrix W and its change B A, of which only the factors are trained; B begins at zero."""

    def __init__(self, matrix: nn.Linear, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        outputs, inputs = matrix.weight.shape
        self.weight = matrix.weight
        self.a = nn.Parameter(torch.randn(rank, inputs, generator=generator) / math.sqrt(inputs))
        self.b = nn.Parameter(torch.zeros(outputs, rank))

    def forward(self, states: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        change = F.linear(F.linear(states, self.a.to(states.dtype)), self.b.to(states.dtype))
        return F.linear(states, self.weight) + change


class _Student:
    """The encoder with trainable changes of its top layers."""

    def __init__(self, encoder: Encoder, config: AdapterConfig, compute: Compute) -> None:
        generator = torch.Generator().manual_seed(config.seed)
        self._encoder = encoder.to(compute.dtype)
        self._changed: dict[str, LowRank] = {}
        for name in matrix_names(encoder):
            layer, _, matrix = name.rpartition(".")
            changed = LowRank(encoder.get_submodule(name), config.rank, generator)  # type: ignore[arg-type]
            setattr(encoder.get_submodule(layer), matrix, changed)
            self._changed[name] = changed

    def parameters(self) -> list[nn.Parameter]:
        return [factor for changed in self._changed.values() for factor in (changed.a, changed.b)]

    def factors(self) -> dict[str, Tensor]:
        """Return what the adapter is made of, in half precision."""
        return {
            f"{name}.{factor}": getattr(changed, factor).detach().bfloat16()
            for name, changed in self._changed.items()
            for factor in "ab"
        }

    def features(self, rows: Sequence[TokenIds]) -> Tensor:
        """Return (B, D) unit-length features with gradients; short rows are padded apart from long ones."""
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        half = len(order) // 2
        parts = [self._pooled([rows[i] for i in part]) for part in (order[:half], order[half:]) if part]
        return torch.cat(parts)[torch.argsort(torch.tensor(order))]

    @torch.no_grad()
    def all_features(self, rows: Sequence[TokenIds]) -> Tensor:
        """Return the features of many rows, without gradients."""
        return torch.cat([self.features(rows[start : start + 64]) for start in range(0, len(rows), 64)])

    def _pooled(self, rows: Sequence[TokenIds]) -> Tensor:
        token_ids, mask = padded(rows)
        with torch.no_grad():
            hidden = self._encoder.trunk(self._encoder.embedding(token_ids), mask)
        return Encoded(self._encoder.top(hidden, mask).float(), mask).pooled()


def _rotation(vectors: Tensor, features: Tensor) -> Tensor:
    """Return the (E, D) matrix with orthonormal rows that takes vectors nearest to features.

    Orthogonal Procrustes (Schönemann 1966), the features' common part left out.
    """
    left, _, right = torch.linalg.svd(vectors.T @ (features - features.mean(0)), full_matrices=False)
    rotation: Tensor = left @ right
    return rotation


def _loss(features: Tensor, target: Tensor, temperature: float) -> Tensor:
    itself = torch.eye(len(features), dtype=torch.bool)

    def log_similarities(states: Tensor) -> Tensor:
        return (states @ states.T / temperature).masked_fill(itself, -1e4).log_softmax(1)

    divergence = F.kl_div(
        log_similarities(features), log_similarities(target), reduction="batchmean", log_target=True
    )
    return divergence + (1 - (features * target).sum(1)).mean()


def _batches(vectors: Floats, config: AdapterConfig, generator: np.random.Generator) -> Iterator[Places]:
    """Yield places of different texts for ever: of a few clusters and some others, or any."""
    count, size = max(CLUSTERS, len(vectors) // CLUSTER_TEXTS), config.batch_texts
    means = MiniBatchKMeans(count, batch_size=4096, n_init=1, max_iter=6, random_state=config.seed)
    labels = means.fit(vectors).labels_
    order = np.argsort(labels, kind="stable")
    members = [
        part for part in np.split(order, np.cumsum(np.bincount(labels, minlength=count))[:-1]) if len(part)
    ]
    weights = np.array([len(part) for part in members]) / len(vectors)
    while True:
        places = generator.choice(len(vectors), size, replace=False)
        if generator.random() < config.neighbour_share:
            drawn = generator.choice(len(members), min(CLUSTERS, len(members)), replace=False, p=weights)
            share = size * 7 // (8 * CLUSTERS)
            near = [generator.permutation(members[cluster])[:share] for cluster in drawn]
            places = np.concatenate([*near, places])[:size]
        yield np.unique(places)


def _share_of_rate(step: int, steps: int) -> float:
    """Return the factor of the rate: a linear warm-up, then a cosine to almost nothing."""
    decayed = 0.97 * 0.5 * (1 + math.cos(math.pi * step / steps)) + 0.03
    return min(1.0, step / min(WARM_UP, 1 + steps // 10)) * decayed
