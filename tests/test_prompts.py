"""The wording of prompts: one for training, rewards and evaluation."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from finlmm_core.answers import read_tags
from finlmm_core.domain import Answer, ImageRef, QuestionType, Sample
from finlmm_core.prompts import (
    WORDING,
    conversation,
    expected_tags,
    flat_text,
    question_text,
    system_text,
    wording_corpus,
    write_completion,
)
from finlmm_core.store.images import ImageStore


def sample(language: str = "en", images: tuple[ImageRef, ...] = (), **changes: object) -> Sample:
    """Return a small sample; with images it is a contrastive one whose first image is right."""
    values: dict[str, object] = {
        "id": "s1",
        "type": QuestionType.ARITHMETIC_REASONING,
        "language": language,
        "question": "By how much did revenue grow in 2022?",
        "options": ("12.5%", "25%", "$4 million"),
        "answer": Answer(text="25%", option=1, value=25.0, unit="percent"),
        "images": images,
        "gold_images": (0,) if images else (),
        "context": "" if images else "Revenue | 2021 | 2022\nTotal | 120 | 150",
        "qa_id": "q1",
        "document_id": "d1",
        "split": "train",
    }
    return Sample.model_validate(values | changes)


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_text_sample_is_asked_with_two_tags_context_and_lettered_options(language: str) -> None:
    system, user = conversation(sample(language))
    text = system["content"][0]["text"]
    assert (system["role"], user["role"]) == ("system", "user")
    assert "<think>" in text and "<answer>" in text and "image_selection" not in text
    assert len(user["content"]) == 1
    asked = user["content"][0]["text"]
    assert asked.index("Total | 120 | 150") < asked.index("By how much") < asked.index("A. 12.5%")
    assert "B. 25%" in asked and "C. $4 million" in asked and "D." not in asked


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_contrastive_sample_numbers_its_images_from_one_and_asks_which(language: str, store: ImageStore) -> None:
    refs = tuple(store.put(Image.new("RGB", (8 + 4 * n, 8), (n * 40, 0, 0))) for n in range(3))
    system, user = conversation(sample(language, refs), store)
    parts = user["content"]
    assert [part["type"] for part in parts] == ["text", "image"] * 3 + ["text"]
    for number in range(3):
        assert parts[2 * number]["text"].strip() == WORDING[language].image.format(number=number + 1)  # type: ignore[index]
        assert parts[2 * number + 1]["image"].size == (refs[number].width, refs[number].height)
    assert "<image_selection>" in system["content"][0]["text"]


def test_without_a_store_images_are_placeholders_that_a_trainer_fills() -> None:
    ref = ImageRef(sha256="0" * 64, width=8, height=8)
    parts = conversation(sample(images=(ref, ref)))[1]["content"]
    assert [part for part in parts if part["type"] == "image"] == [{"type": "image"}, {"type": "image"}]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("with_image", [False, True])
def test_the_format_that_is_shown_is_one_that_reads_as_well_formed(language: str, with_image: bool) -> None:
    ref = ImageRef(sha256="0" * 64, width=8, height=8)
    asked = sample(language, (ref,) if with_image else ())
    shown = system_text(asked).splitlines()[-1]
    tags = read_tags(shown)
    assert tags.well_formed
    present = [name for name in ("think", "answer", "image_selection") if getattr(tags, name) is not None]
    assert tuple(present) == expected_tags(asked)


def test_without_options_the_answer_itself_is_asked_for() -> None:
    asked = sample(options=())
    assert "letter" not in system_text(asked)
    assert "Options" not in question_text(asked)


def test_a_role_of_the_users_replaces_the_sentence_and_keeps_the_format() -> None:
    text = system_text(sample(), role="You audit annual reports.")
    assert text.startswith("You audit annual reports.\n")
    assert WORDING["en"].role not in text and "<answer>letter</answer>" in text


def test_the_prompt_tells_nothing_of_the_right_answer_or_image() -> None:
    ref = ImageRef(sha256="0" * 64, width=8, height=8)
    other = {
        "answer": Answer(text="12.5%", option=0),
        "gold_images": (1,),
        "program": "a-b",
        "tiers": ("random", "gold"),
    }
    assert conversation(sample(images=(ref, ref))) == conversation(sample(images=(ref, ref), **other))


def test_braces_in_a_question_or_a_context_stay_as_they_are() -> None:
    asked = sample(question="What is {x} in {0}?", context="{question}", options=("{a}", "b"))
    assert "What is {x} in {0}?" in question_text(asked)
    assert "{question}" in question_text(asked) and "A. {a}" in question_text(asked)


def test_a_written_completion_reads_back() -> None:
    tags = read_tags(write_completion("150 / 120 - 1 = 25%", "B", 2))
    assert (tags.think, tags.answer, tags.image_selection) == ("150 / 120 - 1 = 25%", "B", "2")
    assert tags.well_formed


def test_flat_text_holds_the_same_words_and_refuses_images() -> None:
    messages = conversation(sample())
    flat = flat_text(messages)
    assert [turn["content"] for turn in flat] == [turn["content"][0]["text"] for turn in messages]
    ref = ImageRef(sha256="0" * 64, width=8, height=8)
    with pytest.raises(ValueError, match="images"):
        flat_text(conversation(sample(images=(ref,))))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_corpus_for_tokenizers_holds_every_word_of_the_prompts(language: str) -> None:
    corpus = "\n".join(wording_corpus())
    assert system_text(sample(language)) in corpus
    assert WORDING[language].image.format(number=3) in corpus  # type: ignore[index]
