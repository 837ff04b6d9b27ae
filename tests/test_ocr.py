"""The OCR engines on drawn tables and on real crops."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from finlmm_ocr.easyocr import EasyOcrEngine, EasyOcrOptions
from finlmm_ocr.pixels import enlarged
from finlmm_ocr.rapidocr import RapidOcrEngine, RapidOcrOptions
from finlmm_ocr.reading_order import in_reading_order
from finlmm_ocr.tesseract import TesseractEngine, TesseractOptions
from PIL import Image

from finlmm_core.domain import Box
from finlmm_core.errors import FinlmmError, MissingExtraError
from finlmm_core.plugins.bases import OcrEngine, OcrLine
from finlmm_core.testing.ocr import OcrContract, table_picture

has_tesseract = shutil.which("tesseract") is not None and importlib.util.find_spec("pytesseract") is not None
has_easyocr = all(importlib.util.find_spec(name) for name in ("easyocr", "easyocr_en_models", "torchvision"))


class TestRapidOcr(OcrContract):
    read_at_least = 0.98

    @pytest.fixture
    def engine(self) -> OcrEngine:
        return RapidOcrEngine()

    def test_parentheses_are_kept_because_they_are_signs(self, engine: OcrEngine) -> None:
        texts = [line.text for line in engine.read([table_picture()])[0]]
        assert "(612)" in texts and "(598)" in texts

    def test_says_where_it_looked_for_models(self, tmp_path: Path) -> None:
        with pytest.raises(FinlmmError, match="found no model"):
            RapidOcrEngine(RapidOcrOptions(models=tmp_path)).check()

    def test_is_silent_and_asks_no_network(self) -> None:
        """A fresh process in which every connection fails reads a picture and prints nothing else."""
        program = (
            "import socket\n"
            "def refuse(*a, **k): raise AssertionError('network')\n"
            "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
            "from PIL import Image\n"
            "from finlmm_ocr.rapidocr import RapidOcrEngine\n"
            "engine = RapidOcrEngine(); engine.check()\n"
            "print(len(engine.read([Image.new('RGB', (64, 64), 'white')])[0]))\n"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")

    def test_reads_a_real_chinese_table(self, engine: OcrEngine, shared_data: Path) -> None:
        with (shared_data / "charts" / "records.jsonl").open(encoding="utf-8") as lines:
            record = next(one for line in lines if "_table_" in ((one := json.loads(line)).get("figure_id") or ""))
        with Image.open(shared_data / "charts" / "images" / record["gold_images"][0]) as image:
            text = "".join(line.text for line in engine.read([image])[0])
        assert sum("一" <= char <= "鿿" for char in text) > 20
        assert sum(char.isdigit() for char in text) > 20


@pytest.mark.skipif(not has_tesseract, reason="the program tesseract, not part of the project, is not here")
class TestTesseract(OcrContract):
    @pytest.fixture
    def engine(self) -> OcrEngine:
        return TesseractEngine()

    def test_says_which_language_data_is_missing(self) -> None:
        with pytest.raises(FinlmmError, match="no data for xx_none") as raised:
            TesseractEngine(TesseractOptions(languages=("eng", "xx_none"))).check()
        assert "tesseract-ocr-xx-none" in str(raised.value)


def test_tesseract_without_the_program_says_how_to_install_it() -> None:
    if importlib.util.find_spec("pytesseract") is None:
        pytest.skip("pytesseract, not part of the project, is not here")
    with pytest.raises(FinlmmError, match="apt-get install tesseract-ocr"):
        TesseractEngine(TesseractOptions(binary="no-such-tesseract")).check()


@pytest.mark.slow
@pytest.mark.skipif(not has_easyocr, reason="easyocr with offline models, not part of the project, is not here")
class TestEasyOcr(OcrContract):
    read_at_least = 0.8

    @pytest.fixture
    def engine(self) -> OcrEngine:
        spec = importlib.util.find_spec("easyocr_en_models")
        assert spec is not None and spec.origin is not None
        return EasyOcrEngine(EasyOcrOptions(models=Path(spec.origin).parent / "models"))


@pytest.mark.parametrize(
    ("engine", "library", "extra"),
    [(EasyOcrEngine, "easyocr", "easyocr"), (TesseractEngine, "pytesseract", "tesseract")],
)
def test_an_engine_that_is_not_installed_says_which_extra_installs_it(
    engine: type[OcrEngine], library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == library else real(name, *more))
    with pytest.raises(MissingExtraError) as raised:
        engine().check()
    assert library in str(raised.value) and f"finlmm[{extra}]" in str(raised.value)


def test_easyocr_without_weights_says_where_it_looked(tmp_path: Path) -> None:
    if importlib.util.find_spec("easyocr") is None:
        pytest.skip("easyocr, not part of the project, is not here")
    with pytest.raises(FinlmmError, match="craft_mlt_25k"):
        EasyOcrEngine(EasyOcrOptions(models=tmp_path)).check()


def test_naming_the_engines_loads_no_heavy_library() -> None:
    program = (
        "import sys, finlmm_ocr; finlmm_ocr.finlmm_ocr_engines()\n"
        "heavy = {'torch', 'cv2', 'onnxruntime', 'rapidocr', 'easyocr', 'pytesseract', 'numpy', 'PIL'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_cells_of_a_slightly_tilted_row_stay_in_their_row() -> None:
    lines = [
        OcrLine("2021", Box(300, 12, 340, 28), 1.0),
        OcrLine("Revenue", Box(10, 10, 90, 26), 1.0),
        OcrLine("Costs", Box(10, 30, 90, 46), 1.0),
        OcrLine("12", Box(300, 27, 340, 43), 1.0),
        OcrLine("a rotated axis title", Box(0, 0, 9, 200), 1.0),
    ]
    texts = [line.text for line in in_reading_order(lines)]
    assert texts[:4] == ["Revenue", "2021", "Costs", "12"]


def test_small_images_are_enlarged_three_times_at_most() -> None:
    assert enlarged(Image.new("RGB", (100, 50)), 800)[0].size == (300, 150)
    assert enlarged(Image.new("RGB", (400, 50)), 800)[0].size == (800, 100)
    assert enlarged(Image.new("RGB", (900, 50)), 800)[1] == 1.0
