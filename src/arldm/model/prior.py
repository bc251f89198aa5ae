"""What neither caption nor history tells is decided before it is drawn."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SHARP = 6.0  # the score of a token that is all its value


def likeness(tokens: Tensor, values: Tensor) -> Tensor:
    """Scores (n, value) of tokens (n, dim) for values (value, dim): SHARP times their cosine (NormFace, Wang et al. 2017)."""
    return SHARP * F.linear(F.normalize(tokens, dim=1), F.normalize(values, dim=1))


def turned(answers: Tensor, directions: Tensor) -> Tensor:
    """Answers (.., dim), as long as they were, that point in other directions (.., dim) of length 1, or all in one (dim)."""
    return directions.to(answers) * answers.norm(dim=-1, keepdim=True)


class Prior(nn.Module):
    """The values that each token of the summary can stand for. The denoiser is told one of them and nothing between.

    A stranger comes in, and nobody said in what hat. Told "perhaps this one, perhaps that", a denoiser draws something of each, and
    who looks back at it sees another hat than it meant. So the choice is made once, in the token, and the denoiser draws what it is
    told, as DALL-E 2's does behind its prior (Ramesh et al. 2022): what is likeliest, and where several values are likely, one of
    them by lot. In training the choice is what the true picture shows.
    """

    LEAST = 0.5  # of the likeliest value's odds; what is less likely than that is out (min-p sampling, Nguyen et al. 2024)
    NEAR = 0.6  # cosine to one of the newcomers, to whom all else is at right angles

    def __init__(self, summary: int, choices: int, dim: int) -> None:
        super().__init__()
        self.values: Tensor  # (summary, choices, dim); zeros where there is no value
        self.register_buffer("values", torch.zeros(summary, choices, dim))
        self.newcomers: Tensor  # (newcomer, dim) directions of the answers that are characters learned since
        self.register_buffer("newcomers", torch.zeros(0, dim), persistent=False)

    def forward(self, answers: Tensor, lots: Tensor, true: Tensor | None = None) -> Tensor:
        """The answers (n, summary, dim), without their queries, each as long as it was but become the value that is chosen for it.

        lots (n, summary) in [0, 1); true (n, summary) numbers of values, negative where there is none. Tokens without values stay,
        but who is read as nearly a newcomer is that one: a denoiser that has just learned it knows none that is a little of others.
        """
        reached = self.odds(answers).cumsum(-1)
        chosen = (reached <= lots[..., None] * reached[..., -1:]).sum(-1).clamp_max(reached.shape[-1] - 1)
        if true is not None:
            chosen = torch.where(true < 0, chosen, true)
        values = F.normalize(self.values, dim=-1)[torch.arange(len(self.values), device=chosen.device), chosen]
        return torch.where(self.values.any(-1).any(-1)[:, None], turned(answers, values), self._met(answers))

    def welcome(self, direction: Tensor) -> None:
        """One newcomer more."""
        self.newcomers = torch.cat((self.newcomers, direction[None].to(self.newcomers)))

    def _met(self, answers: Tensor) -> Tensor:
        if not len(self.newcomers):
            return answers
        known = F.normalize(self.newcomers, dim=-1).to(answers)
        near, who = (F.normalize(answers, dim=-1) @ known.T).max(-1)
        return torch.where((near > self.NEAR)[..., None], turned(answers, known[who]), answers)

    def sure(self, answers: Tensor) -> Tensor:
        """The number (n, summary) of the one value that is likely; -1 where there are several, or none at all."""
        odds = self.odds(answers)
        return torch.where((odds > 0).sum(-1) == 1, odds.argmax(-1), -1)

    def odds(self, answers: Tensor) -> Tensor:
        """How likely each value is, the likeliest being 1 and the unlikely 0: (n, summary, choices)."""
        offered = self.values.any(-1)  # (summary, choices)
        cosines = torch.einsum("nsd,scd->nsc", F.normalize(answers, dim=-1), F.normalize(self.values, dim=-1))
        cosines = cosines.masked_fill(~offered, -2.0)
        odds = torch.exp(SHARP * (cosines - cosines.amax(-1, keepdim=True)))
        return odds * offered * (odds >= self.LEAST)
