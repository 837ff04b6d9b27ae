"""What every model backend must do. Plugin authors subclass :class:`ModelContract` and say how theirs is made."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from finlmm_core.domain import Answer, ImageRef, QuestionType, Sample, Sampling
from finlmm_core.errors import FinlmmError
from finlmm_core.plugins.bases import Message, ModelBackend
from finlmm_core.store.images import ImageStore

_COLOURS = ("crimson", "navy", "seagreen", "goldenrod")


def text_sample(question: str = "By how much did revenue grow in 2022?", language: str = "en") -> Sample:
    """Return a text-only sample whose answer is B."""
    return Sample.model_validate(
        {
            "id": f"text-{question}",
            "type": QuestionType.ARITHMETIC_REASONING,
            "language": language,
            "question": question,
            "options": ("12.5%", "25%", "$4 million"),
            "answer": Answer(text="25%", option=1, value=25.0, unit="percent"),
            "context": "Revenue | 2021 | 2022\nTotal | 120 | 150",
            "qa_id": "q1",
            "document_id": "d1",
            "split": "train",
        }
    )


def contrastive_sample(store: ImageStore, images: int = 2, right: int = 0) -> Sample:
    """Return a sample with images of different sizes, which are put into the store."""
    from PIL import Image

    refs: list[ImageRef] = []
    for number in range(images):
        size = (56 + 28 * number, 84 - 14 * (number % 2))
        refs.append(store.put(Image.new("RGB", size, _COLOURS[number % len(_COLOURS)])))
    plain = text_sample()
    return plain.model_copy(
        update={
            "id": f"contrastive-{images}-{right}",
            "images": tuple(refs),
            "gold_images": (right,),
            "tiers": tuple("gold" if number == right else "random" for number in range(images)),
            "context": "",
        }
    )


class ModelContract:
    """Subclass, define the fixture ``backend``, and pytest runs these tests on it.

    Attributes:
        repeats: whether the same greedy or seeded request gives the same completion; set it False for an endpoint that
            cannot promise it.
    """

    repeats: bool = True

    @pytest.fixture
    def backend(self) -> ModelBackend:
        raise NotImplementedError("define a fixture 'backend' that returns the backend under test")

    @pytest.fixture
    def prompts(self, backend: ModelBackend, tmp_path: Path) -> list[list[Message]]:
        """Return conversations of different lengths; with images where the backend sees them."""
        store = ImageStore(tmp_path / "images")
        samples = [text_sample(), text_sample("What was revenue?"), text_sample("2022年的收入是多少？", "zh")]
        if backend.sees_images:
            samples += [contrastive_sample(store, 1), contrastive_sample(store, 3, right=2)]
        return [backend.messages(sample, store) for sample in samples]

    def test_works_here(self, backend: ModelBackend) -> None:
        backend.check()

    def test_travels_to_another_process_without_its_weights(self, backend: ModelBackend) -> None:
        data = pickle.dumps(backend)
        assert len(data) < 100_000
        assert pickle.loads(data).options == backend.options  # noqa: S301 - made one line above

    def test_answers_each_conversation_in_order_with_as_many_completions_as_asked(
        self, backend: ModelBackend, prompts: list[list[Message]]
    ) -> None:
        answers = backend.generate(prompts, Sampling(max_new_tokens=4, temperature=1.0, n=2, seed=1))
        assert [len(of_one) for of_one in answers] == [2] * len(prompts)
        for completion in (one for of_one in answers for one in of_one):
            assert isinstance(completion.text, str)
            assert len(completion.token_ids) <= 4

    def test_no_conversations_are_no_error(self, backend: ModelBackend) -> None:
        assert backend.generate([], Sampling(max_new_tokens=4)) == []

    def test_a_greedy_answer_is_the_same_alone_and_among_others(
        self, backend: ModelBackend, prompts: list[list[Message]]
    ) -> None:
        if not self.repeats:
            return
        together = backend.generate(prompts, Sampling(max_new_tokens=6))
        alone = [backend.generate([one], Sampling(max_new_tokens=6))[0] for one in prompts]
        assert together == alone

    def test_the_same_seed_draws_the_same_and_another_seed_something_else(
        self, backend: ModelBackend, prompts: list[list[Message]]
    ) -> None:
        if not self.repeats:
            return
        drawn = Sampling(max_new_tokens=12, temperature=1.5, seed=11)
        first = backend.generate(prompts, drawn)
        assert backend.generate(prompts, drawn) == first
        assert backend.generate(prompts, drawn.model_copy(update={"seed": 12})) != first

    def test_an_answer_cut_by_the_limit_says_so(self, backend: ModelBackend, prompts: list[list[Message]]) -> None:
        for completion in (of_one[0] for of_one in backend.generate(prompts, Sampling(max_new_tokens=1))):
            assert completion.truncated or not completion.text.strip()

    def test_a_chat_with_a_schema_returns_one_completion(self, backend: ModelBackend) -> None:
        schema = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
        turns: list[Message] = [{"role": "user", "content": [{"type": "text", "text": "Which option is right?"}]}]
        assert isinstance(backend.chat(turns, Sampling(max_new_tokens=4), schema).text, str)

    def test_choices_share_a_probability_of_one(self, backend: ModelBackend, prompts: list[list[Message]]) -> None:
        shares = backend.choice_probabilities(prompts, ["A", "B", "C, and D"])
        if shares is None:
            return
        assert [len(of_one) for of_one in shares] == [3] * len(prompts)
        for of_one in shares:
            assert sum(of_one) == pytest.approx(1.0, abs=1e-6)
            assert all(0 <= share <= 1 for share in of_one)

    def test_images_are_refused_by_a_backend_that_sees_none(self, backend: ModelBackend, tmp_path: Path) -> None:
        if not backend.sees_images:
            store = ImageStore(tmp_path)
            with pytest.raises(FinlmmError, match="sees no images"):
                backend.messages(contrastive_sample(store), store)

    def test_a_model_that_trains_is_saved_and_loaded_with_the_same_answers(
        self, backend: ModelBackend, prompts: list[list[Message]], tmp_path: Path
    ) -> None:
        if not backend.trains:
            with pytest.raises(FinlmmError):
                backend.load("train")
            return
        loaded = backend.load("train")
        assert loaded.model.training
        backend.save(loaded, loaded.model, tmp_path / "saved")
        again = backend.at(tmp_path / "saved")
        sampling = Sampling(max_new_tokens=4)
        assert again.generate(prompts, sampling) == backend.generate(prompts, sampling)
