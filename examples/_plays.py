"""Plays as data for a language model of characters: Shakespeare's from one file, or made-up ones.

The file is the 1.1 MB of `tinyshakespeare.txt` (github.com/karpathy/char-rnn), nine plays one after another without a
title. Speeches are separated by an empty line and begin with the speaker's name. **A play begins with the first speech,
after the beginning of the play before it, of the character who opens it**, see `OPENINGS`. Names that occur in several
plays (Gloucester, Juliet) do no harm, since the plays are looked for in their order. The Tempest breaks off.
"""

import random

import torch
from torch import Tensor
from torch.utils.data import Dataset

OPENINGS = {
    "Coriolanus": "First Citizen",
    "Richard III": "GLOUCESTER",
    "Richard II": "KING RICHARD II",
    "Romeo and Juliet": "SAMPSON",
    "Henry VI, part 3": "WARWICK",
    "The Winter's Tale": "ARCHIDAMUS",
    "Measure for Measure": "DUKE VINCENTIO",
    "The Taming of the Shrew": "SLY",
    "The Tempest": "Master",
}


def split_into_plays(text: str, openings: dict[str, str] = OPENINGS) -> dict[str, str]:
    """The text of each play by its title; together they are the whole text.

    Args:
        text: Speeches separated by empty lines.
        openings: The opening speaker of each play by its title, in the order of the text.

    Raises:
        ValueError: A speaker is not found.
    """
    starts = []
    for title, speaker in openings.items():
        speech = f"\n\n{speaker}:\n"
        found = f"\n\n{text}".find(speech, starts[-1] + 1 if starts else 0)
        if found < 0:
            raise ValueError(f"`text` must hold a speech of {speaker}, who opens {title}, found none.")
        starts.append(found)
    bounds = zip([0, *starts[1:]], [*starts[1:], len(text)], strict=True)
    return {title: text[start:end] for title, (start, end) in zip(openings, bounds, strict=True)}


def made_up_plays(count: int = 5, speeches: int = 220, seed: int = 0) -> dict[str, str]:
    """Plays with a cast and words of their own, beside words that all share: what a model can know of one of them only."""
    chance = random.Random(seed)

    def word() -> str:
        return "".join(
            chance.choice("bdfgklmnprst") + chance.choice("aeiou") for _ in range(chance.randint(1, 3))
        )

    shared = [word() for _ in range(30)]
    plays = {}
    for number in range(count):
        cast, own = [word().upper() for _ in range(4)], [word() for _ in range(30)]
        lines = [
            f"{chance.choice(cast)}:\n{' '.join(chance.choice(chance.choice((own, shared))) for _ in range(9))}."
            for _ in range(speeches)
        ]
        plays[f"Play {number + 1}"] = "\n\n".join(lines) + "\n\n"
    return plays


class Windows(Dataset):
    """Texts cut into windows; the task is to say the next character.

    Attributes:
        text_of: which text each window is from, shape (N,).

    Args:
        texts: One after another; no window crosses a border, and what is left at an end is not used.
        alphabet: The characters, in the order of their numbers.
        length: Characters in a window, at least 1.

    Items:
        Numbers of `length` characters, and of the characters that follow each.
    """

    def __init__(self, texts: list[str], alphabet: str, length: int) -> None:
        number = {character: index for index, character in enumerate(alphabet)}
        parts = []
        for text in texts:
            numbers = torch.tensor([number[character] for character in text])
            parts.append(numbers.unfold(0, length + 1, length))  # the last one is the first one's next
        self.windows = torch.cat(parts)
        self.text_of = torch.repeat_interleave(
            torch.arange(len(parts)), torch.tensor([len(part) for part in parts])
        )

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.windows[index, :-1], self.windows[index, 1:]
