"""The plays of the language model's example: where they begin and end, and that no window mixes two of them."""

import os
from pathlib import Path

import pytest
import torch

from examples._plays import OPENINGS, Windows, made_up_plays, split_into_plays

TEXT = Path(os.environ.get("UNLEARN_DATA", ""), "text", "tinyshakespeare.txt")
real = pytest.mark.skipif(
    "UNLEARN_DATA" not in os.environ, reason="UNLEARN_DATA names no folder with text/tinyshakespeare.txt"
)
# the last words of the plays, as in any edition; The Tempest breaks off in its second act
LAST_WORDS = {
    "Coriolanus": "he shall have a noble memory. Assist.",
    "Richard III": "she may long live here, God say amen!",
    "Richard II": "In weeping after this untimely bier.",
    "Romeo and Juliet": "Than this of Juliet and her Romeo.",
    "Henry VI, part 3": "here, I hope, begins our lasting joy.",
    "The Winter's Tale": "hastily lead away.",
    "Measure for Measure": "that's meet you all should know.",
    "The Taming of the Shrew": "she will be tamed so.",
}
# who appears in one play only
CAST = {
    "Coriolanus": ("CORIOLANUS", "MENENIUS", "VOLUMNIA", "AUFIDIUS"),
    "Richard III": ("KING RICHARD III", "BUCKINGHAM", "CATESBY", "LADY ANNE"),
    "Richard II": ("KING RICHARD II", "HENRY BOLINGBROKE", "JOHN OF GAUNT", "DUKE OF AUMERLE"),
    "Romeo and Juliet": ("ROMEO", "MERCUTIO", "BENVOLIO", "FRIAR LAURENCE", "CAPULET", "TYBALT"),
    "Henry VI, part 3": ("WARWICK", "KING HENRY VI", "KING LEWIS XI", "LADY GREY"),
    "The Winter's Tale": ("LEONTES", "PAULINA", "AUTOLYCUS", "PERDITA", "CAMILLO"),
    "Measure for Measure": ("DUKE VINCENTIO", "ISABELLA", "ANGELO", "LUCIO", "ESCALUS"),
    "The Taming of the Shrew": ("PETRUCHIO", "KATHARINA", "TRANIO", "GRUMIO", "SLY"),
    "The Tempest": ("PROSPERO", "MIRANDA", "CALIBAN", "ARIEL", "GONZALO"),
}


@real
def test_the_plays_end_with_their_last_words_and_have_their_cast_to_themselves():
    text = TEXT.read_text()
    plays = split_into_plays(text)
    assert "".join(plays.values()) == text
    assert list(plays) == list(OPENINGS) == list(CAST)
    for title, words in LAST_WORDS.items():
        assert plays[title].rstrip().endswith(words)
    for title, cast in CAST.items():
        for name in cast:
            speech = f"\n\n{name}:\n"
            assert [other for other, play in plays.items() if speech in f"\n\n{play}"] == [title], name
    assert "ROMEO" not in "".join(play for title, play in plays.items() if title != "Romeo and Juliet")


def test_a_play_begins_with_its_opening_speaker_after_the_play_before():
    text = "ANN:\nYes.\n\nBOB:\nNo.\n\nCID:\nCID:\n\nANN:\nOh.\n"
    plays = split_into_plays(text, {"One": "ANN", "Two": "CID", "Three": "ANN"})
    assert plays == {"One": "ANN:\nYes.\n\nBOB:\nNo.\n\n", "Two": "CID:\nCID:\n\n", "Three": "ANN:\nOh.\n"}
    with pytest.raises(ValueError, match="speech of BOB, who opens Two, found none"):
        split_into_plays(text, {"One": "CID", "Two": "BOB"})


def test_windows_hold_every_character_in_order_and_never_two_texts():
    texts = ["abcdefgh", "xyzxyz"]
    windows = Windows(texts, "abcdefghxyz", 3)
    said = ["".join("abcdefghxyz"[i] for i in part) for item in windows for part in item]
    assert said == ["abc", "bcd", "def", "efg", "xyz", "yzx"]
    assert torch.equal(windows.text_of, torch.tensor([0, 0, 1]))


def test_made_up_plays_share_some_words_and_keep_others_to_themselves():
    plays = made_up_plays()
    assert plays == made_up_plays() != made_up_plays(seed=1)
    words = [set(play.replace(".", "").split()) for play in plays.values()]
    for index, own in enumerate(words):
        elsewhere = set.union(*(other for place, other in enumerate(words) if place != index))
        assert len(own - elsewhere) >= 10
        assert len(own & elsewhere) >= 10
