"""How a sample is put to a model: one wording for training, rewards and evaluation.

A conversation is a system turn (who answers, and the output format shown exactly) and a user turn (images with their
numbers, or the context as text; the question; the options with letters). Text samples ask for two tags::

    <think>reasoning</think><answer>letter</answer>

and samples with an image to select for three::

    <think>reasoning</think><answer>letter</answer><image_selection>number</image_selection>

The wording is a table of constants below. It is part of what a model was trained on: raise ``PROMPT_VERSION`` with
every change. A user changes who answers by the model backend's option ``system_prompt``; the output format always
follows it, because the rewards read that format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from finlmm_core.answers.tags import TAGS, Tagged
from finlmm_core.domain import Language, Sample
from finlmm_core.errors import FinlmmError

if TYPE_CHECKING:
    from finlmm_core.plugins.bases import Message
    from finlmm_core.store.images import ImageStore

#: Raised with every change of the wording; manifests of trainings and evaluations hold it.
PROMPT_VERSION = 1

#: Of the options, in order; as many as an answer can name.
LETTERS = "ABCDEFGHIJ"


class Wording(NamedTuple):
    """The words of one language; ``{...}`` is filled in."""

    role: str
    rules: str  # {answer_rule}, {image_rule}, {format}
    choose_letter: str
    write_answer: str
    select_image: str
    reasoning: str  # the three stand inside the tags of the format
    letter: str
    answer: str
    number: str
    image: str  # {number}, counted from 1
    context: str  # {context}
    question: str  # {question}
    options: str  # {options}


WORDING: dict[Language, Wording] = {
    "en": Wording(
        role="You are a careful financial analyst.",
        rules="First reason step by step inside <think></think>, then {answer_rule}{image_rule}. "
        "Write each tag once and nothing outside the tags, exactly like this:\n{format}",
        choose_letter="give the letter of the right option inside <answer></answer>",
        write_answer="give the final answer and nothing else inside <answer></answer>",
        select_image=", then the number of the image that the question is about inside "
        "<image_selection></image_selection>",
        reasoning="reasoning",
        letter="letter",
        answer="answer",
        number="number",
        image="Image {number}:",
        context="Context:\n{context}",
        question="Question: {question}",
        options="Options:\n{options}",
    ),
    "zh": Wording(
        role="你是一名严谨的财务分析师。",
        rules="先在<think></think>中逐步推理，然后{answer_rule}{image_rule}。"
        "每个标签只写一次，标签之外不写任何内容，格式必须如下：\n{format}",
        choose_letter="在<answer></answer>中给出正确选项的字母",
        write_answer="在<answer></answer>中只给出最终答案",
        select_image="，最后在<image_selection></image_selection>中给出问题所涉及的图片的编号",
        reasoning="推理过程",
        letter="字母",
        answer="答案",
        number="编号",
        image="图{number}：",
        context="资料：\n{context}",
        question="问题：{question}",
        options="选项：\n{options}",
    ),
}


def selects_image(sample: Sample) -> bool:
    """Return whether the sample asks which of its images is the right one: it has images, and some are right."""
    return bool(sample.images) and bool(sample.gold_images)


def expected_tags(sample: Sample) -> tuple[str, ...]:
    """Return the tags that the prompt of this sample asks for, in order."""
    return ("think", "answer", "image_selection") if selects_image(sample) else ("think", "answer")


def in_format(sample: Sample, tags: Tagged) -> bool:
    """Return whether a completion has the tags that the prompt of this sample asks for, and nothing else."""
    there = tuple(name for name in TAGS if getattr(tags, name) is not None)
    return tags.well_formed and there == expected_tags(sample)


def write_completion(thinking: str, answer: str, image_selection: int | str | None = None) -> str:
    """Return a completion in the output format that the prompts ask for.

    Args:
        thinking: goes into ``<think>``.
        answer: goes into ``<answer>``; where a sample has options, the letter.
        image_selection: number of the right image, **counted from 1**; None for samples without images to select.
    """
    written = f"<think>{thinking}</think><answer>{answer}</answer>"
    return written if image_selection is None else f"{written}<image_selection>{image_selection}</image_selection>"


def system_text(sample: Sample, role: str = "") -> str:
    """Return the text of the system turn: who answers (``role`` in place of the default), then the output format."""
    words = WORDING[sample.language]
    shown = write_completion(
        words.reasoning,
        words.letter if sample.options else words.answer,
        words.number if selects_image(sample) else None,
    )
    rules = words.rules.format(
        answer_rule=words.choose_letter if sample.options else words.write_answer,
        image_rule=words.select_image if selects_image(sample) else "",
        format=shown,
    )
    return f"{role or words.role}\n{rules}"


def question_text(sample: Sample) -> str:
    """Return the text of the user turn after the images: context where there is one, question, options with letters."""
    words = WORDING[sample.language]
    parts = []
    if sample.context:
        parts.append(words.context.format(context=sample.context))
    parts.append(words.question.format(question=sample.question))
    if sample.options:
        if len(sample.options) > len(LETTERS):
            raise FinlmmError(
                f"the sample {sample.id} has {len(sample.options)} options, expected at most {len(LETTERS)}."
            )
        lines = (f"{letter}. {option}" for letter, option in zip(LETTERS, sample.options, strict=False))
        parts.append(words.options.format(options="\n".join(lines)))
    return "\n\n".join(parts)


def conversation(sample: Sample, images: ImageStore | None = None, role: str = "") -> list[Message]:
    """Return the conversation that asks a sample's question, ready for the answer.

    The content of every turn is a list of parts. Each image stands behind its number ("Image 1:").

    Args:
        sample: text only, or with images.
        images: where ``sample.images`` are read. Without it the image parts are placeholders, ``{"type": "image"}``,
            that a trainer fills in order.
        role: replaces the sentence that says who answers.

    Raises:
        FinlmmError: an image is missing from the store or damaged, or there are more options than letters.
    """
    words = WORDING[sample.language]
    parts: list[dict[str, Any]] = []
    for index, ref in enumerate(sample.images):
        head = words.image.format(number=index + 1)
        parts.append({"type": "text", "text": f"{head}\n" if index == 0 else f"\n{head}\n"})
        parts.append({"type": "image"} if images is None else {"type": "image", "image": images.open(ref)})
    parts.append({"type": "text", "text": ("\n\n" if sample.images else "") + question_text(sample)})
    return [
        {"role": "system", "content": [{"type": "text", "text": system_text(sample, role)}]},
        {"role": "user", "content": parts},
    ]


def flat_text(messages: list[Message]) -> list[Message]:
    """Return the same conversation with strings for contents, as templates of text-only models take it.

    Raises:
        ValueError: a turn holds an image.
    """
    flat = []
    for message in messages:
        content = message["content"]
        if not isinstance(content, str):
            if any(part["type"] != "text" for part in content):
                raise ValueError("a conversation with images has no plain text")
            content = "".join(part["text"] for part in content)
        flat.append({**message, "content": content})
    return flat


def wording_corpus() -> list[str]:
    """Return texts that hold all of the wording: what a tokenizer of a tiny model has to know."""
    corpus = []
    for words in WORDING.values():
        for answer_rule, inside in ((words.choose_letter, words.letter), (words.write_answer, words.answer)):
            for image_rule, number in (("", None), (words.select_image, words.number)):
                shown = write_completion(words.reasoning, inside, number)
                rules = words.rules.format(answer_rule=answer_rule, image_rule=image_rule, format=shown)
                corpus.append(f"{words.role}\n{rules}")
        corpus += [words.image.format(number=number) for number in range(1, 10)]
        corpus += [words.context.format(context=""), words.question.format(question="")]
        corpus.append(words.options.format(options="\n".join(f"{letter}. " for letter in LETTERS)))
    corpus += [write_completion(" 0 1 2 3 4 5 6 7 8 9 . , % = + - * / ", letter, 1) for letter in LETTERS]
    return corpus
