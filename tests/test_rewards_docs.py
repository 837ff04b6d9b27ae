"""docs/rewards.md holds: every reward and option is there, and its example of a reward works as it says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from finlmm_core import Reward
from finlmm_core.plugins.manager import Plugins
from finlmm_core.rewards.cheats import cheats
from finlmm_core.testing import RewardContract, assert_no_cheat_wins

PAGE = (Path(__file__).parents[1] / "docs" / "rewards.md").read_text(encoding="utf-8")


def test_every_built_in_reward_has_its_row_and_its_options_are_named() -> None:
    for found in Plugins.load().found("reward"):
        name = found.plugin.name
        if not found.origin.startswith("finlmm "):
            continue
        assert f"| `{name}` |" in PAGE
        if name != "adversarial":  # has a page of its own
            unnamed = {option for option in found.plugin.Options.model_fields if not re.search(rf"\b{option}\b", PAGE)}
            assert unnamed <= {"longest", "seed", "max_new_tokens", "model", "margin"}, name


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> type[Reward]:
    """The class of the section 'A reward of your own'."""
    (block,) = [text for text in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "class Units(Reward)" in text]
    path = tmp_path_factory.mktemp("docs") / "documented_reward.py"
    path.write_text(block, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("documented_reward", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["documented_reward"] = module
    spec.loader.exec_module(module)
    return module.Units


class TestTheDocumentedReward(RewardContract):
    @pytest.fixture
    def reward(self, example: type[Reward]) -> Reward:
        return example()


def test_the_documented_reward_pays_for_the_cheat_that_the_page_names(example: type[Reward]) -> None:
    with pytest.raises(AssertionError, match="thinking/right answer repeated"):
        assert_no_cheat_wins(
            example, least=2, cheats=[one for one in cheats() if one.name.startswith("thinking/right")]
        )
