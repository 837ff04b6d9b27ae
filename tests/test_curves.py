"""The training's part of the report page: from files written by hand to charts in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from sample_corpus import corpus, shared_store

from finlmm_core.domain import RewardContext, Sample, Sampling, Score
from finlmm_core.rewards import Scored
from finlmm_core.rewards.rollouts import RolloutWriter
from finlmm_core.steps.report import ReportInput, write_report
from finlmm_core.steps.samples import Provenance, SamplesConfig, build_samples, read_samples
from finlmm_core.train.curves import training_sections
from finlmm_core.train.curves_svg import MOST_POINTS, Bar, bar_chart, line_chart
from finlmm_core.train.evaluation import Evaluation, Graded, summarise
from finlmm_core.train.metrics import Series, ends, read_metrics, smoothed

EVIL = '</pre></script><script>window.pwned=1</script><img src=x onerror="window.pwned=2"> & "quoted"'


def metrics_of(step: int, last: int) -> dict[str, Any]:
    """What a stage of GRPO logs, rising evenly from the first to the last step."""
    share = step / last
    return {
        "step": step,
        "loss": 0.01 * (1 - share),
        "learning_rate": 1e-5 * (1 - share),
        "reward": 0.2 + 0.5 * share,
        "reward_std": 0.3 - 0.1 * share,
        "rewards/format/mean": 0.9,
        "rewards/accuracy/mean": 0.25 + 0.25 * share,
        "rewards/image_selection/mean": 0.3 + 0.4 * share,
        "rewards/total/mean": 0.2 + 0.5 * share,
        "image_selection/over_chance": 0.4 * share,
        "kl": 0.001 * step,
        "entropy": 1.2 - share,
        "completions/mean_length": 40 - 10 * share,
        "adversarial/auc": 0.5 + 0.3 * share,
        "adversarial/calibration_error": 0.2 - 0.1 * share,
    }


def evaluation(samples: list[Sample], right: int, picked: int) -> Evaluation:
    graded = [
        Graded(
            sample_id=sample.id,
            type=sample.type.value,
            language=sample.language,
            completion="<think>a</think><answer>A</answer>",
            format=True,
            accuracy=float(place < right),
            reason="",
            given="A",
            gold="A",
            answer_chance=0.25,
            picked=(1,),
            image_selection=float(place < picked),
            image_chance=1 / 3,
            thinking_characters=1,
        )
        for place, sample in enumerate(samples)
    ]
    return summarise(graded, model="tiny", profile="finlmm", sampling=Sampling(temperature=1.0), seed=0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was built and trained, as far as files tell."""
    folder = tmp_path_factory.mktemp("run")
    build_samples(corpus(), shared_store(), SamplesConfig(), 0, folder / "samples", Provenance(plugins={"x": "1"}))
    samples = list(read_samples(folder / "samples", "contrastive", "train"))
    train = folder / "train"
    evaluation(samples, 2, 3).save(train)
    for name, steps in (("warmup", 10), ("stage2", 30)):
        stage = train / name
        stage.mkdir(parents=True)
        logged = [metrics_of(step, steps) for step in range(1, steps + 1)]
        if name == "warmup":
            logged = [{"step": one["step"], "loss": one["loss"], "learning_rate": 1e-3} for one in logged]
        (stage / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in logged))
    stages = [{"name": "warmup"}, {"name": "stage2"}]
    (train / "config.resolved.toml").write_text(tomli_w.dumps({"train": {"note": f"Mind: {EVIL}", "stages": stages}}))
    evaluation(samples, 5, 3).save(train / "stage2")
    writer = RolloutWriter(train / "stage2" / "rollouts")
    for step in range(30):
        sample = samples[step % len(samples)] if 0 < step < 29 else samples[0]
        texts = [f"<think>step {step} {EVIL}</think><answer>A</answer>", "x" * 4000]
        contexts = [
            RewardContext(sample=sample, completion=text, group_id=f"stage2/{step}/0", stage="stage2", step=step)
            for text in texts
        ]
        scored = Scored([0.75, 0.0], {"accuracy": [Score(value=1.0), Score(value=None)]}, {"accuracy": 0.0})
        writer.write(step, contexts, scored, [1.0, -1.0])
    writer.flush()
    return folder


def test_every_metric_has_its_curve_with_first_and_last_values(run: Path) -> None:
    training = training_sections(run)[0]
    assert training.id == "training"
    for title in (
        "Total reward", "Format", "Accuracy", "Image selection", "Image selection: minus chance", "Advantage spread",
        "KL", "Entropy", "Completion length", "Adversarial: AUC on held-out rollouts",
        "Adversarial: calibration error", "Loss", "Learning rate",
    ):  # fmt: skip
        assert f"<b>{title}</b>" in training.html, title
    # Means of the first and the last 3 of 30 steps, by hand: .2 + .5 * 2 / 30 and .2 + .5 * 29 / 30.
    assert "<b>Total reward</b><small>weighted mean of the rewards</small><span>0.233 → 0.683</span>" in training.html
    assert "<b>Total</b>" not in training.html  # the function that TRL trains on is the total reward again


def test_stages_stand_in_the_order_of_the_configuration(run: Path) -> None:
    html = training_sections(run)[0].html
    assert html.index("<h3>warmup</h3>") < html.index("<h3>stage2</h3>")


def test_a_note_of_the_configuration_stands_above_it_as_text(run: Path) -> None:
    html = training_sections(run)[0].html
    assert html.startswith('<p class="note">Mind: &lt;/pre&gt;&lt;/script&gt;')


def test_held_out_figures_are_bars_with_intervals_and_the_gain_is_paired(run: Path) -> None:
    html = training_sections(run)[0].html
    samples = len(list(read_samples(run / "samples", "contrastive", "train")))
    assert f"Answer accuracy: before {2 / samples:.2f}, stage2 {5 / samples:.2f}" in html
    assert html.count('class="whisker"') == 4
    against = "After stage2, against before training, on the same samples: answer accuracy"
    assert f"{against} {3 / samples:+.3f} (95 % interval" in html
    assert "image selection +0.000 (95 % interval +0.000 to +0.000, so it may be chance)" in html
    assert "dashed: blind guessing 0.25" in html


def test_rollouts_of_early_and_late_steps_stand_side_by_side_and_cannot_break_the_page(run: Path) -> None:
    rollouts = training_sections(run)[1]
    assert rollouts.id == "rollouts"
    first = rollouts.html.index("step 0 ")
    assert first < rollouts.html.index("step 29 ")
    assert rollouts.html.count("<article") == 3
    assert "early, step 1" in rollouts.html
    assert "late, step 30" in rollouts.html
    assert "<script>" not in rollouts.html
    assert "<img" not in rollouts.html
    assert "<b>1.00</b> accuracy" in rollouts.html


def test_the_same_files_give_the_same_bytes(run: Path) -> None:
    assert [part.html for part in training_sections(run)] == [part.html for part in training_sections(run)]


def test_a_run_without_training_has_no_section_and_a_broken_log_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    assert training_sections(tmp_path) == []
    stage = tmp_path / "train/one"
    stage.mkdir(parents=True)
    lines = ['{"step": 1, "loss": 3.0}', '{"step": 2, "loss": 2.0}', '{"step": 2, "loss": 1.0, "kl": null}', '{"st']
    (stage / "metrics.jsonl").write_text("\n".join(lines))
    assert read_metrics(stage) == {"loss": Series([1, 2], [3.0, 1.0])}
    (training,) = training_sections(tmp_path)
    assert "<span>3 → 1</span>" in training.html
    assert "No held-out samples were answered" in training.html


def test_the_trainers_own_last_log_and_numbers_that_are_none_are_left_out(tmp_path: Path) -> None:
    lines = [{"step": 1, "loss": 1.0, "kl": float("nan")}, {"step": 1, "train_runtime": 3.0, "train_loss": 1.0}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_metrics(tmp_path) == {"loss": Series([1], [1.0])}


def test_ends_are_means_of_a_tenth_and_smoothing_keeps_the_length() -> None:
    series = Series(list(range(20)), [float(value) for value in range(20)])
    assert ends(series) == (0.5, 18.5)
    assert smoothed([0.0, 3.0, 6.0], share=1.0) == [1.5, 3.0, 4.5]
    assert len(smoothed(series.values)) == 20


def test_a_chart_draws_every_point_of_a_short_series_and_means_of_a_long_one() -> None:
    short = line_chart("Loss", Series([0, 10, 20], [1.0, 0.5, 0.0]))
    points = re.findall(r'd="M([^"]*)" class="raw"', short)[0].split("L")
    # From 40 to 294 in width; in height the axis goes from -.05 to 1.05 over 122 units below 8.
    assert points == ["40.0 13.5", "167.0 69.0", "294.0 124.5"]
    long = line_chart("Loss", Series(list(range(10_000)), [float(step % 7) for step in range(10_000)]))
    assert len(re.findall(r'd="M([^"]*)" class="raw"', long)[0].split("L")) == MOST_POINTS
    assert len(long) < 10_000


@pytest.mark.parametrize("values", [[0.0], [0.0, 0.0], [5.0, 5.0], [1e-9, 2e-9], [-1e6, 1e6], [1e5], [-0.0004]])
def test_flat_tiny_and_huge_series_have_an_axis(values: list[float]) -> None:
    drawn = line_chart("x", Series(list(range(len(values))), values))
    assert drawn.count('class="end"') >= 3  # two ticks at least, and the last step
    assert "nan" not in drawn
    assert "inf" not in drawn


def test_bars_escape_their_names_and_stay_in_the_chart() -> None:
    drawn = bar_chart(EVIL, [Bar(EVIL, 1.7, -0.2, 1.9)], (0.25, EVIL))
    assert "<script>" not in drawn
    widths = [float(width) for width in re.findall(r'width="([\d.]+)"', drawn)]
    assert max(widths) <= 300


# ------------------------------------------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def page_file(run: Path) -> Path:
    data = ReportInput(name="trained", records=[], images=shared_store(), samples=None, sections=training_sections(run))
    write_report(data, run / "report/index.html")
    return run / "report/index.html"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_shows_the_training_in_both_themes_without_a_request(
    browser: Any, page_file: Path, width: int, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(page_file.as_uri())
    assert requests == [page_file.as_uri()]
    assert page.evaluate("window.pwned") is None
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    plots = page.locator("#training figure.plot svg:visible")
    assert plots.count() >= 15
    for plot in plots.all():
        box = plot.bounding_box()
        assert box["width"] > 200
        assert box["height"] > 40
    stroke = page.locator("#training path.mean").first.evaluate("e => getComputedStyle(e).stroke")
    ground = page.locator("figure.plot").first.evaluate("e => getComputedStyle(e).backgroundColor")
    light = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (stroke, ground)]
    assert abs(light[0] - light[1]) > 250  # the line stands out from its ground
    assert "late, step 30" in page.locator("#rollouts").inner_text()
    assert complaints == []
    page.close()
