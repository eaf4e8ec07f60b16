"""Models in GGUF files, none of them run: their headers, which file a name means, what fits, and what is refused."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.planner.errors import NoModelError
from ramify.planner.models.gguf.caches import cached_files
from ramify.planner.models.gguf.files import open_gguf
from ramify.planner.models.gguf.fitting import fitted, token_bytes
from ramify.planner.models.gguf.header import GgufError, GgufHeader, read_header
from ramify.planner.models.gguf.model import GgufModel

LLAMA: dict[str, Any] = {
    "general.architecture": "llama", "general.name": "Tiny", "general.file_type": 15, "llama.context_length": 32_768,
    "llama.block_count": 10, "llama.embedding_length": 512, "llama.attention.head_count": 8,
    "llama.attention.head_count_kv": 2, "tokenizer.ggml.tokens": ["a", "bc", ""], "llama.rope.freq_base": 0.5,
    "tokenizer.chat_template": "{{ tools }}",
}  # fmt: skip


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key: str, value: Any) -> bytes:
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value, bool):
        return text(key) + struct.pack("<I?", 7, value)
    if isinstance(value, float):
        return text(key) + struct.pack("<Id", 12, value)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return text(key) + struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
    if isinstance(value, list):
        return text(key) + struct.pack(f"<IIQ{len(value)}I", 9, 4, len(value), *value)
    return text(key) + struct.pack("<II", 4, value)


def gguf(values: Mapping[str, Any], *, version: int = 3, count: int | None = None) -> bytes:
    begin = b"GGUF" + struct.pack("<IQQ", version, 0, len(values) if count is None else count)
    return begin + b"".join(entry(key, value) for key, value in values.items())


def written(path: Path, values: Mapping[str, Any] = LLAMA) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gguf(values))
    return path


def header_of(values: Mapping[str, Any]) -> GgufHeader:
    lengths = {key: len(value) for key, value in values.items() if isinstance(value, list)}
    return GgufHeader(values=values, lengths=lengths)


def test_a_header_tells_what_the_model_is(tmp_path: Path) -> None:
    header = read_header(written(tmp_path / "m.gguf"))
    assert (header.architecture, header.title, header.quantisation) == ("llama", "Tiny", "Q4_K_M")
    assert (header.trained_window, header.chat_template, header.lengths) == (
        32_768,
        "{{ tools }}",
        {"tokenizer.ggml.tokens": 3},
    )


def test_of_long_lists_only_the_length_is_kept(tmp_path: Path) -> None:
    lists = {"words": ["x" * 90] * 50_000, "scores": list(range(50_000)), "few": [1, 2]}
    header = read_header(written(tmp_path / "m.gguf", {**lists, **LLAMA}))
    assert header.lengths["words"] == header.lengths["scores"] == 50_000
    assert header.values["few"] == [1, 2]
    assert header.architecture == "llama"
    assert not {"words", "scores"} & set(header.values)


HUGE = (1 << 63) - 1
BROKEN = {
    "empty": (b"", "not a GGUF file"),
    "other": (b"GGML" + bytes(100), "not a GGUF file"),
    "old": (gguf({}, version=1), "version is 1"),
    "big-endian": (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
    "too many entries": (gguf({}, count=HUGE), "entries"),
    "cut": (gguf(LLAMA)[:-5], "is truncated"),
    "a text beyond the end": (gguf({}, count=1) + text("a") + struct.pack("<IQ", 8, HUGE), "is truncated"),
    "a key beyond the end": (gguf({}, count=1) + struct.pack("<Q", HUGE), "is truncated"),
    "a list beyond all bounds": (gguf({}, count=1) + text("a") + struct.pack("<IIQ", 9, 8, HUGE), "items"),
    "a list of lists": (gguf({}, count=1) + text("a") + struct.pack("<IIQ", 9, 9, 1), "type 9"),
    "no such type": (gguf({}, count=1) + text("a") + struct.pack("<I", 77), "type 77"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_header_is_told_and_never_read_on(case: str, tmp_path: Path) -> None:
    data, words = BROKEN[case]
    path = tmp_path / "m.gguf"
    path.write_bytes(data)
    with pytest.raises(GgufError, match=words):
        read_header(path)


@given(st.integers(0, len(gguf(LLAMA)) - 1), st.integers(0, 255))
def test_a_header_with_any_wrong_byte_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int
) -> None:
    data = bytearray(gguf(LLAMA))
    data[at] = byte
    path = tmp_path_factory.mktemp("h") / "m.gguf"
    path.write_bytes(data)
    try:
        header = read_header(path)
    except GgufError:
        return
    _ = (
        header.architecture,
        header.title,
        header.quantisation,
        header.trained_window,
        header.gives_vectors,
        header.parts,
    )
    fitted(header, len(data), free=1 << 30)


@pytest.fixture
def caches(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of somebody with a model in each of the usual places."""
    for name in "OLLAMA_MODELS", "LLAMA_CACHE", "XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE":
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    digest = "sha256:" + "ab" * 32
    written(home / ".ollama/models/blobs" / digest.replace(":", "-"))
    manifest = home / ".ollama/models/manifests/registry.ollama.ai/library/tiny/latest"
    manifest.parent.mkdir(parents=True)
    layers = [{"mediaType": "x", "digest": "y"}, {"mediaType": files_weights(), "digest": digest}]
    manifest.write_text(json.dumps({"layers": layers}))
    manifest.with_name("odd").write_text(json.dumps({"layers": [{"mediaType": files_weights(), "digest": "../../x"}]}))
    written(home / ".lmstudio/models/maker/Small-GGUF/small-Q4_K_M.gguf")
    written(home / ".lmstudio/models/maker/Small-GGUF/mmproj-small.gguf")
    written(home / ".cache/llama.cpp/flat.gguf")
    written(home / ".cache/llama.cpp/big-00001-of-00002.gguf")
    written(home / ".cache/llama.cpp/big-00002-of-00002.gguf")
    hub = home / ".cache/huggingface/hub/models--maker--repo"
    blob = written(hub / "blobs/0123")
    for revision in "one", "two":
        link = hub / "snapshots" / revision / "hub-Q8_0.gguf"
        link.parent.mkdir(parents=True)
        link.symlink_to(blob)
    return home


def files_weights() -> str:
    return "application/vnd.ollama.image.model"


@pytest.mark.usefixtures("caches")
def test_files_are_found_in_the_usual_places_each_once() -> None:
    assert [(each.name, each.program) for each in cached_files()] == [
        ("tiny:latest", "Ollama"),
        ("small-Q4_K_M", "LM Studio"),
        ("big", "llama.cpp"),
        ("flat", "llama.cpp"),
        ("hub-Q8_0", "Hugging Face"),
    ]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("tiny", "sha256-" + "ab" * 32), ("tiny:latest", "sha256-" + "ab" * 32), ("SMALL-q4_k_m", "small-Q4_K_M.gguf"),
        ("maker/Small-GGUF", "small-Q4_K_M.gguf"), ("flat.gguf", "flat.gguf"), ("big", "big-00001-of-00002.gguf"),
        ("~/.cache/llama.cpp/flat.gguf", "flat.gguf"), (".cache/llama.cpp/flat.gguf", "flat.gguf"),
        ("~/.lmstudio/models/maker/Small-GGUF", "small-Q4_K_M.gguf"), ("maker/repo/hub-Q8_0", "hub-Q8_0.gguf"),
    ],
)  # fmt: skip
def test_a_file_is_named_by_its_path_its_folder_or_its_name_in_a_cache(
    caches: Path, monkeypatch: pytest.MonkeyPatch, name: str, file: str
) -> None:
    monkeypatch.chdir(caches)
    assert open_gguf(f"gguf:{name}", name).path.name == file


EMBEDDING = {**LLAMA, "general.architecture": "nomic-bert"}
REFUSED: dict[str, tuple[dict[str, dict[str, Any]], str, str]] = {
    "nothing": ({}, "", "names no file"),
    "no file": ({}, "x.gguf", "there is no file x.gguf"),
    "no such name": ({}, "flet", "did you mean gguf:flat"),
    "several in a folder": ({"d/a.gguf": LLAMA, "d/b.gguf": LLAMA}, "d", "2 GGUF files"),
    "none in a folder": ({"d/a.bin": LLAMA}, "d", "no GGUF file"),
    "a later part": ({"a-00002-of-00002.gguf": LLAMA}, "a-00002-of-00002.gguf", "name the first"),
    "a missing part": ({"a-00001-of-00002.gguf": LLAMA}, "a-00001-of-00002.gguf", "a-00002-of-00002.gguf is missing"),
    "an embedding model": ({"e.gguf": EMBEDDING}, "e.gguf", "an embedding model"),
    "pooled": ({"e.gguf": {**LLAMA, "llama.pooling_type": 3}}, "e.gguf", "an embedding model"),
    "an adapter": ({"l.gguf": {**LLAMA, "general.type": "adapter"}}, "l.gguf", "an adapter"),
    "eyes": ({"v.gguf": {**LLAMA, "general.architecture": "clip"}}, "v.gguf", "the eyes of a model"),
    "two of one name": ({".lmstudio/models/other/x/flat.gguf": LLAMA}, "flat", "choose one"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_run_is_refused_with_the_way_out(caches: Path, case: str) -> None:
    made, name, words = REFUSED[case]
    for path, values in made.items():
        written(caches / path, values)
    with pytest.raises(NoModelError, match=words):
        open_gguf(f"gguf:{name}", name)


def test_without_the_extra_the_command_that_installs_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoModelError, match=r"pip install 'ramify\[local\]'"):
        open_gguf("gguf:m", str(written(tmp_path / "m.gguf")), package="no_such_package")


EACH = 10 * 2 * 2 * 64 * 2
"""Bytes of a token: layers, keys and values, heads, their width, bytes of a number."""


def test_a_token_takes_the_keys_and_values_of_each_layer() -> None:
    assert token_bytes(header_of(LLAMA)) == EACH
    assert token_bytes(header_of({**LLAMA, "llama.attention.head_count_kv": [2] * 5 + [0] * 5})) == EACH // 2
    assert token_bytes(header_of({"general.architecture": "mamba", "mamba.block_count": 9})) == 0


def test_the_window_is_fitted_first_and_then_the_slots() -> None:
    header = header_of(LLAMA)
    still = fitted(header, 1_000_000, free=None).bytes - 8_192 * EACH

    def fit(tokens: int, **more: Any) -> tuple[int, int]:
        found = fitted(header, 1_000_000, free=still + tokens * EACH, at_once=4, **more)
        return found.window, found.slots

    assert [fit(tokens) for tokens in (40_000, 20_000, 8_192, 5_000, 2_048, 2_047)] == [
        (8_192, 4), (8_192, 2), (8_192, 1), (4_096, 1), (2_048, 1), (0, 0),
    ]  # fmt: skip
    assert fit(100, wanted=1_000) == (1_024, 1)


@pytest.mark.parametrize(("template", "thinks"), [("{{ tools }}", False), ("{{ x.split('</think>')[-1] }}", True)])
def test_a_template_with_a_place_for_thoughts_is_one_of_a_model_that_thinks(
    tmp_path: Path, template: str, *, thinks: bool
) -> None:
    file = written(tmp_path / "m.gguf", {**LLAMA, "tokenizer.chat_template": template})
    assert GgufModel(file).thinks is thinks


def test_too_little_memory_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    file = open_gguf("gguf:m", str(written(tmp_path / "m.gguf")))
    with pytest.raises(NoModelError, match=r"needs about 0\.\d GiB of memory .* and 0\.0 GiB are free"):
        file.fit("gguf:m", wanted=None, at_once=4, free=1_000_000)
    assert file.fit("gguf:m", wanted=512, at_once=4, free=1_000_000).slots == 1
