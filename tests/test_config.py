"""Configuration: layers in order, and all mistakes at once with the path that the user wrote."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli_w

from finlmm_core.config import RunConfig, load_config
from finlmm_core.errors import ConfigError
from finlmm_core.plugins.manager import Plugins


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return Plugins.load()


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_later_file_wins_and_set_wins_over_files_and_flags_over_all(tmp_path: Path) -> None:
    first = write(tmp_path / "a.toml", 'seed = 1\n[engine]\nname = "serial"\ndocument_seconds = 5\n')
    second = write(tmp_path / "b.toml", "seed = 2\n[engine]\ndocument_seconds = 7\n")
    config = load_config([first, second], ["engine.workers=3"], {"engine": {"workers": 4, "name": None}})
    assert (config.seed, config.engine.name, config.engine.document_seconds, config.engine.workers) == (
        2,
        "serial",
        7,
        4,
    )


def test_a_plugin_is_named_by_a_string_or_a_table() -> None:
    assert load_config(settings=["parse.parser=pdfminer"]).parse.parser.name == "pdfminer"
    config = load_config(settings=["parse.parser=pdfminer", "parse.parser.options.dpi=99"])
    assert config.parse.parser.options == {"dpi": 99}
    assert load_config(settings=["parse.ocr=none"]).parse.ocr == "none"


def test_another_plugin_does_not_inherit_the_options_of_the_one_before(tmp_path: Path) -> None:
    first = write(tmp_path / "a.toml", '[parse.parser]\nname = "pdfium"\n[parse.parser.options]\ndpi = 99\n')
    second = write(tmp_path / "b.toml", '[parse.parser]\nname = "pdfminer"\n')
    assert load_config([first, second]).parse.parser.options == {}


def test_a_resolved_configuration_reads_back_as_itself(tmp_path: Path) -> None:
    config = load_config(settings=["parse.ocr=none", "engine.workers=2", "seed=5"])
    file = write(tmp_path / "c.toml", tomli_w.dumps(config.model_dump(mode="json", exclude_none=True)))
    assert load_config([file]) == config


def test_all_mistakes_come_at_once_with_near_misses(tmp_path: Path, plugins: Plugins) -> None:
    file = write(tmp_path / "bad.toml", '[engin]\nname = "x"\n[engine]\nworkerz = 2\ndocument_seconds = -1\n')
    with pytest.raises(ConfigError) as caught:
        load_config([file, tmp_path / "absent.toml"], ["seed", "align.min_scroe=1"], plugins=plugins)
    text = str(caught.value)
    assert "engin: unknown option 'engin'. Did you mean 'engine'?" in text
    assert "engine.workerz: unknown option 'workerz'. Did you mean 'workers'?" in text
    assert "engine.document_seconds" in text and "given: -1" in text
    assert "absent.toml: no such file" in text
    assert "--set seed: expected a.b=value" in text
    assert "Did you mean 'min_score'?" in text
    assert len(caught.value.problems) == 6


def test_unknown_plugins_and_their_options_are_mistakes_too(plugins: Plugins) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(
            settings=["parse.parser=pdfum", "parse.ocr.options.nonsense=1", 'generate.generators=["tables","passage"]'],
            plugins=plugins,
        )
    text = str(caught.value)
    assert "parse.parser: unknown parser 'pdfum'. Did you mean 'pdfium'?" in text
    assert "parse.ocr.options.nonsense: unknown option 'nonsense'" in text
    assert "generate.generators[1]: unknown generator 'passage'. Did you mean 'passages'?" in text


def test_broken_toml_is_a_mistake_with_its_line(tmp_path: Path) -> None:
    file = write(tmp_path / "broken.toml", "seed = \n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_config([file])


def test_every_option_is_described() -> None:
    def walk(model: type, path: str) -> list[str]:
        missing = []
        for name, field in model.model_fields.items():
            inner = field.annotation
            if hasattr(inner, "model_fields") and field.description is None:
                missing += walk(inner, f"{path}{name}.")
            elif not field.description:
                missing.append(path + name)
        return missing

    assert walk(RunConfig, "") == []
